"""The deltas that the fold has added to the days lately, kept in memory and found by customer.

A customer's usage is what the settled days hold, which is quickly read because it lies in order, and what came after
them. That lies in no order in the store, and is found here instead of being looked for there.

The fold, for each of its steps:

1. `add` what the step adds to the days; `skip` the customers of whom it changes something in another way.
2. `publish` the position of the step, before it is committed: whoever sees it in its snapshot finds the step.
3. `settled` tells up to which position the days are in order. What is as old as that is forgotten.

A step that was published and then undone is here for nothing: the fold calls `restart` before it goes on.
"""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np

from projections.day_deltas import VALUES, DayDeltas
from projections.usage_folding import Ints

#: Beyond so many deltas everything is forgotten; each takes 96 bytes.
DELTAS_MAX: Final = 3_000_000
_KEYS_AT_FIRST: Final = 1_024
_NONE: Final = -1
NOTHING: Final[Ints] = np.zeros((0, VALUES), dtype=np.int64)


class _Step(msgspec.Struct, frozen=True):
    """What one step added, and for each of its customers the number of the step before it that added something."""

    position: int
    deltas: DayDeltas
    before: Ints

    def number_before(self, customer_key: int) -> int:
        return int(self.before[np.searchsorted(self.deltas.customers, customer_key)])


class _Kept(msgspec.Struct, frozen=True):
    """All steps after position `since`. `steps` grows at its end; what is forgotten is left out of another one."""

    since: int
    steps: dict[int, _Step]


class RecentDays:
    """One thread calls what the fold calls, any may ask. An asker has to know the position of its snapshot before."""

    def __init__(self, deltas_max: int = DELTAS_MAX) -> None:
        self._deltas_max = deltas_max
        self.restart(0)

    # -- the fold

    def restart(self, position: int) -> None:
        """Forget everything; steps after `position` are kept from here on."""
        self._kept = _Kept(position, {})  # first of all: from now on nobody asks for older ones
        self._last: Ints = np.full(_KEYS_AT_FIRST, _NONE, dtype=np.int64)
        self._skipped_at: Ints = np.zeros(_KEYS_AT_FIRST, dtype=np.int64)
        self._next = 0
        self._count = 0
        self.begin()

    def begin(self) -> None:
        """A step begins, that has added nothing yet."""
        self._added: list[DayDeltas] = []
        self._skipped: list[Ints] = []
        self._wide = False

    def add(self, deltas: DayDeltas | None) -> None:
        """What the step at hand adds; None: something that has no place here, and nothing older is of use then."""
        if deltas is None:
            self._wide = True
        else:
            self._added.append(deltas)

    def skip(self, customer_keys: Ints) -> None:
        """The step at hand changes days of these customers by more than what is added here."""
        self._skipped.append(customer_keys)

    def publish(self, position: int) -> None:
        """The step at hand is about to be committed; the store will be at `position`."""
        for deltas in self._added:
            self._keep(position, deltas)
        for keys in self._skipped:
            self._skipped_at = _grown(self._skipped_at, keys, 0)
            self._skipped_at[keys] = position
        if self._wide or self._count > self._deltas_max:
            self.restart(position)
        self.begin()

    def _keep(self, position: int, deltas: DayDeltas) -> None:
        if not len(deltas.customers):
            return
        self._last = _grown(self._last, deltas.customers, _NONE)
        self._kept.steps[self._next] = _Step(position, deltas, self._last[deltas.customers])
        self._last[deltas.customers] = self._next  # only now: whoever finds the number finds the step
        self._next += 1
        self._count += len(deltas.values)

    def settled(self, position: int) -> None:
        """The days up to `position` are in order in the store."""
        kept = self._kept
        if position > kept.since:
            left = {number: step for number, step in kept.steps.items() if step.position > position}
            self._count = sum(len(step.deltas.values) for step in left.values())
            self._kept = _Kept(position, left)

    # -- snapshots

    def since(self, customer_key: int, after: int, until: int) -> Ints | None:
        """What was added to the days of a customer in the steps from `after`, exclusive, to `until`, inclusive: rows
        like those of `DayDeltas.values`. None when that is not known here."""
        number = self._at(self._last, customer_key, _NONE)
        kept = self._kept  # after the number: a step that is missing in it is one that it has left out
        if after < kept.since or self._at(self._skipped_at, customer_key, 0) > after:
            return None
        found: list[Ints] = []
        while (step := kept.steps.get(number)) is not None and step.position > after:
            if step.position <= until:
                found.append(step.deltas.of_customer(customer_key))
            number = step.number_before(customer_key)
        return np.concatenate(found) if found else NOTHING

    @staticmethod
    def _at(of_keys: Ints, key: int, otherwise: int) -> int:
        return int(of_keys[key]) if key < of_keys.size else otherwise


def _grown(of_keys: Ints, keys: Ints, filling: int) -> Ints:
    """An array that has a place for each of `keys`; the one given, when it has."""
    greatest = int(keys.max())
    if greatest < of_keys.size:
        return of_keys
    grown: Ints = np.full(2 * greatest, filling, dtype=np.int64)
    grown[: of_keys.size] = of_keys
    return grown
