"""Tracking of the fold's writes in memory, so that snapshots can reuse what was read before.

The fold publishes the position of a step before it commits the step. So a snapshot at position Q finds here everything
written up to Q. Data read at P is what a snapshot at Q would read if its last write is at or before both positions.
(A step that is rolled back after it was published only causes data to be read again.)
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from projections.duckdb.memory.busy_customers import BusyCustomers
from projections.duckdb.memory.recent_days import RecentDays
from projections.duckdb.memory.recent_refusals import RecentRefusals
from projections.duckdb.memory.unit_owners import UnitOwners

_KEYS_AT_FIRST: Final = 1_024

Positions = npt.NDArray[np.int64]


class CustomerRow(msgspec.Struct, frozen=True):
    """A customer's surrogate key, and the log position of its first usage or lifecycle event."""

    key: int
    first_position: int


class LastWritten(msgspec.Struct, frozen=True):
    """The positions of the last steps that wrote facts and usage of a customer; 0: no open snapshot sees any.

    `corrected_at`: that of the last one that changed usage which was there before.

    What was read at one position is the same at another if neither is before the last step that wrote it.
    """

    facts_at: int
    usage_at: int
    corrected_at: int = 0


class _WritePositions:
    """For every customer key the position of the last step that wrote data of the customer; 0: none."""

    def __init__(self) -> None:
        self._at: Positions = np.zeros(_KEYS_AT_FIRST, np.int64)

    def publish(self, keys: Positions, position: int | Positions) -> None:
        """Record that the step at `position` wrote these keys; or, given an array, each key at its own position."""
        if not keys.size:
            return
        greatest = int(keys.max())
        if greatest >= self._at.size:
            grown: Positions = np.zeros(2 * greatest, np.int64)
            grown[: self._at.size] = self._at
            self._at = grown
        self._at[keys] = position

    def at(self, key: int) -> int:
        known = self._at
        return int(known[key]) if key < known.size else 0


class _CustomerKeys:
    """Customer keys by scope and id, and the first log position of each key. Keys count from 1."""

    def __init__(self, keys: Mapping[tuple[int, str], int], first_positions: Iterable[int]) -> None:
        self._keys = keys
        self.first_positions = array("q", first_positions)

    def row(self, scope_key: int, customer_id: str) -> CustomerRow | None:
        key = self._keys.get((scope_key, customer_id))
        firsts = self.first_positions
        # The key of a step that is not published yet has no first position.
        return CustomerRow(key, firsts[key - 1]) if key is not None and key <= len(firsts) else None


class ChangeTracker:
    """The writes of one store. One thread at a time writes; any may read, once it knows its snapshot's position."""

    def __init__(self) -> None:
        self._usage = _WritePositions()
        self._corrections = _WritePositions()
        self._facts = _WritePositions()
        self._series_at = 0
        self._names = _CustomerKeys({}, ())
        self.days = RecentDays()
        self.refusals = RecentRefusals()
        self.unit_owners = UnitOwners()
        self.busy = BusyCustomers()
        #: Locators of all amended events, and perhaps of some whose amendment was rolled back.
        self.amended: set[int] = set()
        self.begin()

    # -- the fold

    def begin(self) -> None:
        """Begin a transaction: discard what was recorded and not published."""
        self._usage_keys: list[Positions] = []
        self._corrected_keys: list[Positions] = []
        self._fact_keys: list[int] = []
        self._new_series = False
        self._new_first_positions: list[int] = []
        self.days.begin()

    def load(
        self, names: Mapping[tuple[int, str], int], first_positions: Iterable[int], facts: tuple[Positions, Positions]
    ) -> None:
        """Start from the stored state.

        `names` maps (scope key, customer id) to customer keys and grows with the fold; `first_positions` are in order
        of the keys; `facts` are the keys of customers that have facts, and the position of each one's last fact.
        """
        self._names = _CustomerKeys(names, first_positions)
        self._facts.publish(*facts)

    def wrote_usage(self, keys: Positions) -> None:
        """Record new usage of these customers."""
        self._usage_keys.append(keys)

    def corrected_usage(self, keys: Positions) -> None:
        """Record changes to the usage of these customers that are made in the store alone, not by deltas in `days`."""
        self.wrote_usage(keys)
        self._corrected_keys.append(keys)
        self.days.skip(keys)

    def wrote_fact(self, key: int) -> None:
        """Record a new fact of this customer."""
        self._fact_keys.append(key)

    def wrote_series(self) -> None:
        """Record that there are new series."""
        self._new_series = True

    def wrote_customers(self, first_positions: Iterable[int]) -> None:
        """Record new customers; their keys follow the keys before them."""
        self._new_first_positions.extend(first_positions)

    def publish(self, position: int) -> None:
        """Publish the transaction, which is about to be committed and takes the store to `position`."""
        for keys in self._usage_keys:
            self._usage.publish(keys, position)
            self.busy.wrote(keys)
        for keys in self._corrected_keys:
            self._corrections.publish(keys, position)
            self.busy.corrected(keys)
        self._facts.publish(np.array(self._fact_keys, np.int64), position)
        if self._new_series:
            self._series_at = position
        self._names.first_positions.extend(self._new_first_positions)
        self.days.publish(position)
        self.refusals.publish(position)
        self.begin()

    # -- snapshots

    def customer(self, scope_key: int, customer_id: str, position: int) -> CustomerRow | None:
        """Return a customer that the store holds at `position`; None when it holds none of this id."""
        row = self._names.row(scope_key, customer_id)
        return row if row is not None and row.first_position <= position else None

    def last_written(self, key: int) -> LastWritten:
        """Return where data of a customer was last written. Called once the position of the snapshot is known."""
        return LastWritten(self._facts.at(key), self._usage.at(key), self._corrections.at(key))

    def same_series(self, one: int, other: int) -> bool:
        """Return true only if the store holds the same series at both positions."""
        return self._series_at <= min(one, other)
