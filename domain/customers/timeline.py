"""The effective-dated timeline of one customer life: changes take effect in order of instant, not of arrival."""

from __future__ import annotations

from bisect import insort_right
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from domain.customers.fields import with_changes


class CustomerChange(msgspec.Struct, frozen=True):
    """The changes that one event makes from `effective_at` on.

    In `fields` and `personal` the value None clears a field; `blocked` or `active` of None means no change.
    `starts_afresh` discards everything that took effect before (a creation).
    """

    effective_at: datetime
    fields: Mapping[str, Any] = {}
    personal: Mapping[str, Any] = {}
    blocked: bool | None = None
    active: bool | None = None
    starts_afresh: bool = False


class CustomerState(msgspec.Struct, frozen=True):
    """The state of a customer at an instant, in stored form."""

    fields: dict[str, Any] = msgspec.field(default_factory=dict)
    personal: dict[str, Any] = msgspec.field(default_factory=dict)
    blocked: bool = False
    active: bool = True

    def after(self, change: CustomerChange) -> CustomerState:
        """Return the state with `change` applied."""
        before = CustomerState() if change.starts_afresh else self
        return CustomerState(
            with_changes(before.fields, change.fields),
            with_changes(before.personal, change.personal),
            before.blocked if change.blocked is None else change.blocked,
            before.active if change.active is None else change.active,
        )


class CustomerTimeline:
    """The changes of one life in order of effective instant; of equal instants, in order of arrival."""

    def __init__(self) -> None:
        self._changes: list[CustomerChange] = []
        #: The state after all changes took effect.
        self.latest = CustomerState()

    def add(self, change: CustomerChange) -> None:
        """Insert a change at its effective instant."""
        if self._changes and change.effective_at < self._changes[-1].effective_at:
            insort_right(self._changes, change, key=lambda one: one.effective_at)
            self.latest = self._folded(self._changes[-1].effective_at)
        else:
            self._changes.append(change)
            self.latest = self.latest.after(change)

    def at(self, instant: datetime) -> CustomerState:
        """Return the state at an instant."""
        if not self._changes or self._changes[-1].effective_at <= instant:
            return self.latest
        return self._folded(instant)

    def _folded(self, instant: datetime) -> CustomerState:
        state = CustomerState()
        for change in self._changes:
            if change.effective_at > instant:
                break
            state = state.after(change)
        return state
