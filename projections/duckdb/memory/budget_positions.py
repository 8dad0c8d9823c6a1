"""Where the facts of shared budgets are: for each fact the hash of its budget's id, and its log position.

Ids of budgets are texts in no order, and there may be one for every customer: looking through a million of them takes
longer than all else that a page of customers asks for. Positions are in order; what is at some of them is found at
once. Facts are only ever added, at higher positions, so what one snapshot has read stays true, and the next one reads
on from there:

1. Read what was added, together with the hashes of the ids that are asked for.
2. Keep it in a short list beside the sorted one, into which it goes when it becomes too long.
3. Look the hashes up in both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import duckdb
import msgspec
import numpy as np
import numpy.typing as npt

#: So many places are kept unsorted at most.
ADDED_MAX: Final = 10_000

Hashes = npt.NDArray[np.uint64]
Positions = npt.NDArray[np.int64]

_READ: Final = """SELECT hash(budget_id) AS hash, position FROM budget_facts WHERE position > ?
    UNION ALL SELECT hash(budget_id), 0 FROM (SELECT unnest(?::VARCHAR[]) AS budget_id)"""


class _Places(msgspec.Struct, frozen=True):
    """Those up to `position`, by hash; the last ones in the order in which they came."""

    hashes: Hashes
    positions: Positions
    added_hashes: Hashes
    added_positions: Positions
    position: int

    def with_added(self, hashes: Hashes, positions: Positions) -> _Places:
        if not hashes.size:
            return self
        last = int(positions.max())
        added = np.concatenate((self.added_hashes, hashes)), np.concatenate((self.added_positions, positions))
        if added[0].size <= ADDED_MAX:
            return _Places(self.hashes, self.positions, *added, last)
        every = np.concatenate((self.hashes, added[0])), np.concatenate((self.positions, added[1]))
        order = np.argsort(every[0])
        return _Places(every[0][order], every[1][order], *_NOTHING, last)

    def of(self, hashes: Hashes) -> list[int]:
        first, past = (np.searchsorted(self.hashes, hashes, side) for side in ("left", "right"))
        found = [self.positions[low:high] for low, high in zip(first, past, strict=True)]
        found.append(self.added_positions[np.isin(self.added_hashes, hashes)])
        positions: list[int] = np.concatenate(found).tolist()
        return positions


_NOTHING: Final = np.empty(0, np.uint64), np.empty(0, np.int64)


class BudgetPositions:
    """Shared by all snapshots of a store: 16 bytes a fact. What is known is replaced as a whole; of two snapshots that
    read on at once the last one is remembered, and both are right."""

    def __init__(self) -> None:
        self._known = _Places(*_NOTHING, *_NOTHING, 0)

    def positions(self, cursor: duckdb.DuckDBPyConnection, budget_ids: Sequence[str]) -> list[int]:
        """The positions of all facts of these budgets that the cursor's snapshot holds; and maybe of others, of other
        scopes or with the same hash."""
        known = self._known
        found = cursor.execute(_READ, [known.position, list(budget_ids)]).fetchnumpy()
        hashes, positions = np.asarray(found["hash"], np.uint64), np.asarray(found["position"], np.int64)
        is_fact = positions > 0
        known = known.with_added(hashes[is_fact], positions[is_fact])
        self._known = known
        return known.of(hashes[~is_fact])
