"""What is set in one life of a customer, and from when on: changes take effect at their instants, not as they came."""

from __future__ import annotations

from bisect import insort_right
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from domain.customers.fields import with_changes


class CustomerChange(msgspec.Struct, frozen=True):
    """What one event sets from `effective_at` on; of fields None clears, of the rest None leaves as it is.

    `starts_afresh`: nothing that took effect before is left (a creation).
    """

    effective_at: datetime
    fields: Mapping[str, Any] = {}
    personal: Mapping[str, Any] = {}
    blocked: bool | None = None
    active: bool | None = None
    starts_afresh: bool = False


class CustomerState(msgspec.Struct, frozen=True):
    """What is set at an instant, as stored."""

    fields: dict[str, Any] = msgspec.field(default_factory=dict)
    personal: dict[str, Any] = msgspec.field(default_factory=dict)
    blocked: bool = False
    active: bool = True

    def after(self, change: CustomerChange) -> CustomerState:
        """The state once `change` took effect."""
        before = CustomerState() if change.starts_afresh else self
        return CustomerState(
            with_changes(before.fields, change.fields),
            with_changes(before.personal, change.personal),
            before.blocked if change.blocked is None else change.blocked,
            before.active if change.active is None else change.active,
        )


class CustomerTimeline:
    """The changes of one life in the order in which they take effect; of equal instants the later one given stands."""

    def __init__(self) -> None:
        self._changes: list[CustomerChange] = []
        #: The state once every change took effect.
        self.latest = CustomerState()

    def add(self, change: CustomerChange) -> None:
        """Put a change in its place."""
        if self._changes and change.effective_at < self._changes[-1].effective_at:
            insort_right(self._changes, change, key=lambda one: one.effective_at)
            self.latest = self._folded(self._changes[-1].effective_at)
        else:
            self._changes.append(change)
            self.latest = self.latest.after(change)

    def at(self, instant: datetime) -> CustomerState:
        """The state at an instant."""
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
