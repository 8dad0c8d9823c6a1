"""The effective-dated timeline of one life: its facts in the order in which they take effect, and the states they make.

1. A fact is inserted by its effective instant; of equal instants, by its order (of arrival).
2. The state after each fact is the one before it with the fact's operations applied.
3. Inserting a fact applies the facts after it again; appending one applies only that.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec

from domain.facts.in_effect import with_operations


class Change(msgspec.Struct, frozen=True):
    """What one fact says of fields, from `effective_at` on. See `with_operations` for `fields` and `patched`.

    `order` is that of arrival: a version or a log position.
    """

    effective_at: datetime
    order: int
    fields: Mapping[str, Any]
    patched: Collection[str] = ()

    @property
    def key(self) -> tuple[datetime, int]:
        """The order in which changes take effect."""
        return self.effective_at, self.order


class Timeline:
    """The changes of one life. They may be added in any order."""

    def __init__(self, changes: Iterable[Change] = ()) -> None:
        self._changes = sorted(changes, key=lambda change: change.key)
        self._states: list[dict[str, Any]] = []
        self._fold_from(0)

    def add(self, change: Change) -> None:
        """Insert a change."""
        index = bisect_right(self._changes, change.key, key=lambda one: one.key)
        self._changes.insert(index, change)
        self._fold_from(index)

    def at(self, instant: datetime) -> dict[str, Any]:
        """Return the state at an instant; changes that are effective then are in it."""
        index = bisect_right(self._changes, instant, key=lambda one: one.effective_at)
        return dict(self._states[index - 1]) if index else {}

    def latest(self) -> dict[str, Any]:
        """Return the state after all changes took effect."""
        return dict(self._states[-1]) if self._states else {}

    def states(self) -> Iterator[tuple[datetime, dict[str, Any]]]:
        """Yield each instant at which something is effective, with the state from then on, in order of time."""
        for index, (change, state) in enumerate(zip(self._changes, self._states, strict=True), 1):
            if index == len(self._changes) or self._changes[index].effective_at > change.effective_at:
                yield change.effective_at, dict(state)

    def since(self, instant: datetime) -> Iterator[dict[str, Any]]:
        """Yield the state at an instant and every later one, in order of time."""
        yield self.at(instant)
        yield from (state for at, state in self.states() if at > instant)

    def with_change(self, change: Change) -> Timeline:
        """Return a timeline that has this change as well; this one stays as it is."""
        copy = Timeline()
        copy._changes, copy._states = list(self._changes), list(self._states)
        copy.add(change)
        return copy

    def _fold_from(self, index: int) -> None:
        del self._states[index:]
        state = self._states[-1] if self._states else {}
        for change in self._changes[index:]:
            state = with_operations(state, change.fields, change.patched)
            self._states.append(state)
