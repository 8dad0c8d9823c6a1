"""What the fold wrote when, kept in memory, so that what was read once is not read again while it stays true.

The fold publishes the position of a step before it commits it. So whoever sees position Q in its snapshot finds here
everything written up to Q. What was read at P is what a snapshot at Q reads if it was last written at or before both
(a step that was undone after it was published only makes something be read again).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from projections.duckdb.memory.recent_days import RecentDays
from projections.duckdb.memory.recent_refusals import RecentRefusals

_KEYS_AT_FIRST: Final = 1_024

Positions = npt.NDArray[np.int64]


class CustomerRow(msgspec.Struct, frozen=True):
    """A customer's surrogate, and the log position at which it was first heard of."""

    key: int
    first_position: int


class _LastWritten:
    """For every customer key the position of the last step that wrote something of it; 0: none has."""

    def __init__(self) -> None:
        self._at: Positions = np.zeros(_KEYS_AT_FIRST, np.int64)

    def publish(self, keys: Positions, position: int | Positions) -> None:
        """These were written by the step that ends at `position`, or each by one of its own."""
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


class _Names:
    """Every customer's key, by scope and id, and where each key was first heard of. Keys count from 1."""

    def __init__(self, keys: Mapping[tuple[int, str], int], first_positions: Iterable[int]) -> None:
        self._keys = keys
        self.first_positions = array("q", first_positions)

    def row(self, scope_key: int, customer_id: str) -> CustomerRow | None:
        key = self._keys.get((scope_key, customer_id))
        firsts = self.first_positions
        # A key of a step that is not published yet has no position.
        return CustomerRow(key, firsts[key - 1]) if key is not None and key <= len(firsts) else None


class Changes:
    """One thread writes, any may ask. An asker has to know the position of its snapshot before it asks."""

    def __init__(self) -> None:
        self._usage = _LastWritten()
        self._facts = _LastWritten()
        self._kinds_at = 0
        self._names = _Names({}, ())
        self.days = RecentDays()
        self.refusals = RecentRefusals()
        self.begin()

    # -- the fold

    def begin(self) -> None:
        """A transaction begins, in which nothing is written yet."""
        self._usage_keys: list[Positions] = []
        self._fact_keys: list[int] = []
        self._new_kinds = False
        self._new_first_positions: list[int] = []
        self.days.begin()

    def load(
        self, names: Mapping[tuple[int, str], int], first_positions: Iterable[int], facts: tuple[Positions, Positions]
    ) -> None:
        """Start from what is stored. `names` grows with the fold; `first_positions` are in order of the keys; `facts`:
        the keys of customers that have any, and the position of the last one of each."""
        self._names = _Names(names, first_positions)
        self._facts.publish(*facts)

    def wrote_usage(self, keys: Positions) -> None:
        self._usage_keys.append(keys)

    def corrected_usage(self, keys: Positions) -> None:
        """Days of these customers are changed by a statement, and not by deltas that `days` is told."""
        self.wrote_usage(keys)
        self.days.skip(keys)

    def wrote_fact(self, key: int) -> None:
        self._fact_keys.append(key)

    def wrote_kinds(self) -> None:
        self._new_kinds = True

    def wrote_customers(self, first_positions: Iterable[int]) -> None:
        """New keys, which follow those before them."""
        self._new_first_positions.extend(first_positions)

    def publish(self, position: int) -> None:
        """The transaction is about to be committed; the store will be at `position`."""
        for keys in self._usage_keys:
            self._usage.publish(keys, position)
        self._facts.publish(np.array(self._fact_keys, np.int64), position)
        if self._new_kinds:
            self._kinds_at = position
        self._names.first_positions.extend(self._new_first_positions)
        self.days.publish(position)
        self.refusals.publish(position)
        self.begin()

    # -- snapshots

    def customer(self, scope_key: int, customer_id: str, position: int) -> CustomerRow | None:
        """A customer that the store at `position` holds; None when it does not."""
        row = self._names.row(scope_key, customer_id)
        return row if row is not None and row.first_position <= position else None

    def has_facts(self, key: int) -> bool:
        """False: no snapshot that is open sees a fact of this customer."""
        return self._facts.at(key) > 0

    def same_facts(self, key: int, one: int, other: int) -> bool:
        """Whether the store holds the same facts of a customer at both positions, for certain."""
        return self._facts.at(key) <= min(one, other)

    def same_usage(self, key: int, one: int, other: int) -> bool:
        """The same of everything counted for a customer."""
        return self._usage.at(key) <= min(one, other)

    def same_kinds(self, one: int, other: int) -> bool:
        """The same of the kinds of usage."""
        return self._kinds_at <= min(one, other)
