"""Recent day deltas of the fold, kept in memory and indexed by customer.

A customer's usage is what the compacted days hold plus the deltas added since. The compacted days lie sorted by
customer, so they are read quickly. The later deltas are unsorted in the store, so they are looked up here instead.

The fold, for each of its steps:

1. `add` the deltas of the step; `skip` the customers whose days it changes in another way.
2. `publish` the position of the step before it is committed: a snapshot that sees the position finds the step.

After a compaction of the days, `mark_compacted` forgets the deltas up to its position. A step that was published and
then rolled back left deltas that must not be read: the fold calls `restart` before it goes on.

Deltas lie in runs sorted by customer. Small neighbouring runs are merged, so that there are few to search, and a delta
takes the same memory in small steps as in large ones.
"""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np

from projections.arrow_columns import Ints
from projections.folding.day_deltas import VALUES, DayDeltas

#: Beyond this many deltas everything is forgotten. A delta takes 120 bytes.
DELTAS_MAX: Final = 3_000_000
#: Runs are not merged into one larger than this; `DELTAS_MAX` deltas lie in at most fifty runs.
RUN_DELTAS_MAX: Final = 131_072
#: A run is merged with the one before it, unless that is more than this many times as long.
_JOINED_RATIO: Final = 2
_KEYS_AT_FIRST: Final = 1_024
NO_DELTAS: Final[Ints] = np.zeros((0, VALUES), dtype=np.int64)


class _Run(msgspec.Struct, frozen=True):
    """Deltas, each with its position and customer, sorted by customer. `first` and `last` bound the positions."""

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
        """The deltas of the steps after `position`; there is at least one."""
        if position < self.first:
            return self
        late = self.positions > position
        positions = self.positions[late]
        return _Run(int(positions.min()), self.last, positions, self.customers[late], self.values[late])


class _KeptDeltas(msgspec.Struct, frozen=True):
    """All deltas after position `since`, oldest run first, and the position at which each customer was last skipped.

    A reader takes one such value as a whole; the fold replaces it. Only `skipped_at`, indexed by customer key, is
    changed in place: its positions grow, so a reader of an older value at worst learns that it must ask the store.
    """

    since: int
    runs: tuple[_Run, ...]
    skipped_at: Ints

    def deltas(self) -> int:
        return sum(map(len, self.runs))


class RecentDays:
    """Recent deltas of one store. One thread at a time writes; any may read, once it knows its snapshot's position."""

    def __init__(self, deltas_max: int = DELTAS_MAX, run_deltas_max: int = RUN_DELTAS_MAX) -> None:
        self._deltas_max = deltas_max
        self._run_deltas_max = run_deltas_max
        self.restart(0)

    # -- the fold

    def restart(self, position: int) -> None:
        """Forget everything; keep the steps after `position` from now on."""
        self._kept = _KeptDeltas(position, (), np.zeros(_KEYS_AT_FIRST, dtype=np.int64))
        self.begin()

    def begin(self) -> None:
        """Begin a step: discard what was added and not published."""
        self._added: list[DayDeltas] = []
        self._skipped: list[Ints] = []
        self._too_large = False

    def add(self, deltas: DayDeltas | None) -> None:
        """Add deltas of the current step; None: it adds some that do not fit in here, and everything is forgotten."""
        if deltas is None:
            self._too_large = True
        else:
            self._added.append(deltas)

    def skip(self, customer_keys: Ints) -> None:
        """Mark customers whose days the current step changes by other means than added deltas."""
        self._skipped.append(customer_keys)

    def publish(self, position: int) -> None:
        """Publish the current step, which is about to be committed and takes the store to `position`."""
        kept = self._kept
        runs = kept.runs
        for deltas in self._added:
            if len(deltas.values):
                runs = self._with(runs, _run_of(position, deltas))
        skipped_at = kept.skipped_at
        for keys in self._skipped:
            skipped_at = _grown(skipped_at, keys)
            skipped_at[keys] = position
        self._kept = _KeptDeltas(kept.since, runs, skipped_at)
        if self._too_large or self._kept.deltas() > self._deltas_max:
            self.restart(position)
        self.begin()

    def _with(self, runs: tuple[_Run, ...], newest: _Run) -> tuple[_Run, ...]:
        """The runs with the newest one, which is merged with those before it as long as they are not much larger."""
        left = len(runs)
        while (
            left
            and len(runs[left - 1]) <= _JOINED_RATIO * len(newest)
            and len(runs[left - 1]) + len(newest) <= self._run_deltas_max
        ):
            left -= 1
            newest = _joined(runs[left], newest)
        return (*runs[:left], newest)

    def mark_compacted(self, position: int) -> None:
        """Forget the deltas up to `position`: they are compacted in the store."""
        kept = self._kept
        if position > kept.since:
            left = tuple(run.after(position) for run in kept.runs if run.last > position)
            self._kept = _KeptDeltas(position, left, kept.skipped_at)

    # -- snapshots

    def since(self, customer_key: int, after: int, until: int) -> Ints | None:
        """Return the deltas of a customer in the steps from `after` (exclusive) to `until` (inclusive).

        Rows are those of `DayDeltas.values`. None when not all of them are kept here.
        """
        kept = self._kept
        skipped_at = int(kept.skipped_at[customer_key]) if customer_key < kept.skipped_at.size else 0
        if after < kept.since or skipped_at > after:
            return None
        asked = (run for run in kept.runs if after < run.last and run.first <= until)
        found = [rows for run in asked if len(rows := run.of_customer(customer_key, after, until))]
        return np.concatenate(found) if found else NO_DELTAS


def _run_of(position: int, deltas: DayDeltas) -> _Run:
    customers = np.repeat(deltas.customers, np.diff(deltas.starts))
    positions = np.full(len(customers), position, dtype=np.int64)
    return _Run(position, position, positions, customers, deltas.values)


def _joined(one: _Run, other: _Run) -> _Run:
    customers = np.concatenate((one.customers, other.customers))
    order = np.argsort(customers, kind="stable")  # merges two sorted runs in linear time
    positions = np.concatenate((one.positions, other.positions))
    values = np.concatenate((one.values, other.values))
    return _Run(one.first, other.last, positions[order], customers[order], values[order])


def _grown(of_keys: Ints, keys: Ints) -> Ints:
    """Return an array long enough to be indexed by each of `keys`: the given one, or a longer copy."""
    greatest = int(keys.max())
    if greatest < of_keys.size:
        return of_keys
    grown: Ints = np.zeros(2 * greatest, dtype=np.int64)
    grown[: of_keys.size] = of_keys
    return grown
