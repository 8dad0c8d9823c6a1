"""The deltas that the fold has added to the days lately, kept in memory and found by customer.

A customer's usage is what the compacted days hold, which is quickly read because it lies in order, and what came after
them. That lies in no order in the store, and is found here instead of being looked for there.

The fold, for each of its steps:

1. `add` what the step adds to the days; `skip` the customers of whom it changes something in another way.
2. `publish` the position of the step, before it is committed: whoever sees it in its snapshot finds the step.
3. `compacted` tells up to which position the days are in order. What is as old as that is forgotten.

A step that was published and then undone is here for nothing: the fold calls `restart` before it goes on.

Deltas lie in runs, each in order of customer. Small neighbouring runs become one, so that there are few to look into
and a delta takes the same memory in small steps as in large ones.
"""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np

from projections.arrow_columns import Ints
from projections.folding.day_deltas import VALUES, DayDeltas

#: Beyond so many deltas everything is forgotten; each takes 112 bytes.
DELTAS_MAX: Final = 3_000_000
#: Runs that have more deltas together than this stay two: at most fifty of `DELTAS_MAX`.
RUN_DELTAS_MAX: Final = 131_072
#: A run joins the one before it, unless that has more than so many times its deltas.
_JOINED_RATIO: Final = 2
_KEYS_AT_FIRST: Final = 1_024
NOTHING: Final[Ints] = np.zeros((0, VALUES), dtype=np.int64)


class _Run(msgspec.Struct, frozen=True):
    """What the steps at `positions`, one for each delta, have added; `customers`: ascending."""

    first: int
    last: int
    positions: Ints
    customers: Ints
    values: Ints

    def __len__(self) -> int:
        return len(self.values)

    def of_customer(self, customer_key: int, after: int, until: int) -> Ints:
        start, end = np.searchsorted(self.customers, (customer_key, customer_key + 1))
        if after < self.first and self.last <= until:
            return self.values[start:end]
        positions = self.positions[start:end]
        return self.values[start:end][(after < positions) & (positions <= until)]

    def after(self, position: int) -> _Run:
        """The deltas of later steps, of which there are some."""
        if position < self.first:
            return self
        late = self.positions > position
        positions = self.positions[late]
        return _Run(int(positions.min()), self.last, positions, self.customers[late], self.values[late])


class _Kept(msgspec.Struct, frozen=True):
    """All that was added after position `since`, oldest first, and where a customer (a key is a place) was last
    skipped. An asker takes it as a whole: what the fold changes later is another one. Only values of `skipped_at` grow
    in their place, so that an asker of an older one knows less at worst."""

    since: int
    runs: tuple[_Run, ...]
    skipped_at: Ints

    def deltas(self) -> int:
        return sum(map(len, self.runs))


class RecentDays:
    """One thread calls what the fold calls, any may ask. An asker has to know the position of its snapshot before."""

    def __init__(self, deltas_max: int = DELTAS_MAX, run_deltas_max: int = RUN_DELTAS_MAX) -> None:
        self._deltas_max = deltas_max
        self._run_deltas_max = run_deltas_max
        self.restart(0)

    # -- the fold

    def restart(self, position: int) -> None:
        """Forget everything; steps after `position` are kept from here on."""
        self._kept = _Kept(position, (), np.zeros(_KEYS_AT_FIRST, dtype=np.int64))
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
        kept = self._kept
        runs = kept.runs
        for deltas in self._added:
            if len(deltas.values):
                runs = self._with(runs, _run_of(position, deltas))
        skipped_at = kept.skipped_at
        for keys in self._skipped:
            skipped_at = _grown(skipped_at, keys)
            skipped_at[keys] = position
        self._kept = _Kept(kept.since, runs, skipped_at)
        if self._wide or self._kept.deltas() > self._deltas_max:
            self.restart(position)
        self.begin()

    def _with(self, runs: tuple[_Run, ...], newest: _Run) -> tuple[_Run, ...]:
        """The runs and the newest one, joined with those before it as far as these are not much larger."""
        left = len(runs)
        while (
            left
            and len(runs[left - 1]) <= _JOINED_RATIO * len(newest)
            and len(runs[left - 1]) + len(newest) <= self._run_deltas_max
        ):
            left -= 1
            newest = _joined(runs[left], newest)
        return (*runs[:left], newest)

    def compacted(self, position: int) -> None:
        """The days up to `position` are in order in the store."""
        kept = self._kept
        if position > kept.since:
            left = tuple(run.after(position) for run in kept.runs if run.last > position)
            self._kept = _Kept(position, left, kept.skipped_at)

    # -- snapshots

    def since(self, customer_key: int, after: int, until: int) -> Ints | None:
        """What was added to the days of a customer in the steps from `after`, exclusive, to `until`, inclusive: rows
        like those of `DayDeltas.values`. None when that is not known here."""
        kept = self._kept
        skipped_at = int(kept.skipped_at[customer_key]) if customer_key < kept.skipped_at.size else 0
        if after < kept.since or skipped_at > after:
            return None
        asked = (run for run in kept.runs if after < run.last and run.first <= until)
        found = [rows for run in asked if len(rows := run.of_customer(customer_key, after, until))]
        return np.concatenate(found) if found else NOTHING


def _run_of(position: int, deltas: DayDeltas) -> _Run:
    customers = np.repeat(deltas.customers, np.diff(deltas.starts))
    positions = np.full(len(customers), position, dtype=np.int64)
    return _Run(position, position, positions, customers, deltas.values)


def _joined(one: _Run, other: _Run) -> _Run:
    customers = np.concatenate((one.customers, other.customers))
    order = np.argsort(customers, kind="stable")  # which takes two runs in order for what they are
    positions = np.concatenate((one.positions, other.positions))
    values = np.concatenate((one.values, other.values))
    return _Run(one.first, other.last, positions[order], customers[order], values[order])


def _grown(of_keys: Ints, keys: Ints) -> Ints:
    """An array that has a place for each of `keys`; the one given, when it has."""
    greatest = int(keys.max())
    if greatest < of_keys.size:
        return of_keys
    grown: Ints = np.zeros(2 * greatest, dtype=np.int64)
    grown[: of_keys.size] = of_keys
    return grown
