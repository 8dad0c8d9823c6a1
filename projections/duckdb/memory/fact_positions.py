"""Index of facts by the id that they are about: hash of the id -> log positions. Customers are found by their keys.

Ids are unordered texts, and there may be a shared budget per customer: scanning a million of them takes longer than
everything else that a page of customers needs. The facts are stored in order of position, so rows at given positions
are found at once. Facts are only ever added, at higher positions, so each snapshot extends what an earlier one read:

1. Read the facts added since, together with the hashes of the ids in question.
2. Append them to a short unsorted list, which is merged into the sorted one when it grows too long.
3. Look the hashes up in both lists.

The facts themselves are kept beside it, decoded: what stands at a log position never changes.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Final

import duckdb
import msgspec
import numpy as np
import numpy.typing as npt

from projections.queries.facts import Fact, Subject

#: Length of the unsorted list, at most.
ADDED_MAX: Final = 10_000
#: Ids whose hash is kept.
HASHES_KEPT_MAX: Final = 100_000
#: Characters of the fields of facts that are kept, of all together; when there are more, all are dropped.
TEXT_KEPT_MAX: Final = 32 * 1024 * 1024

Hashes = npt.NDArray[np.uint64]
Positions = npt.NDArray[np.int64]

_READ: Final = """SELECT hash(id) AS hash, position FROM facts WHERE position > $1 AND id IS NOT NULL
    UNION ALL SELECT hash(id), -number FROM (
        SELECT unnest($2::VARCHAR[]) AS id, unnest(range(len($2::VARCHAR[]))) AS number)"""


class _PositionIndex(msgspec.Struct, frozen=True):
    """The facts up to `position`, sorted by hash; the newest ones apart, in log order."""

    hashes: Hashes
    positions: Positions
    added_hashes: Hashes
    added_positions: Positions
    position: int

    def with_added(self, hashes: Hashes, positions: Positions, position: int) -> _PositionIndex:
        last = max(self.position, position, int(positions.max(initial=0)))
        if not hashes.size:
            return msgspec.structs.replace(self, position=last)
        added = np.concatenate((self.added_hashes, hashes)), np.concatenate((self.added_positions, positions))
        if added[0].size <= ADDED_MAX:
            return _PositionIndex(self.hashes, self.positions, *added, last)
        every = np.concatenate((self.hashes, added[0])), np.concatenate((self.positions, added[1]))
        order = np.argsort(every[0])
        return _PositionIndex(every[0][order], every[1][order], *_NOTHING, last)

    def of(self, hashes: Hashes) -> list[int]:
        first, past = (np.searchsorted(self.hashes, hashes, side) for side in ("left", "right"))
        found = [self.positions[low:high] for low, high in zip(first, past, strict=True)]
        found.append(self.added_positions[np.isin(self.added_hashes, hashes)])
        positions: list[int] = np.concatenate(found).tolist()
        return positions


_NOTHING: Final = np.empty(0, np.uint64), np.empty(0, np.int64)


class NamedFact(msgspec.Struct, frozen=True):
    """A fact, and what it is about."""

    scope_key: int
    id: str
    fact: Fact


class FactPositions:
    """The index, shared by all snapshots of a store; 16 bytes per fact.

    It is replaced as a whole. If two snapshots extend it at once, the later result is kept; both are correct.
    """

    def __init__(self) -> None:
        self._index = _PositionIndex(*_NOTHING, *_NOTHING, 0)
        self._hashes: dict[str, int] = {}
        self._kept: dict[tuple[int, Subject], NamedFact | None] = {}
        self._text = 0
        self._lock = threading.Lock()

    def positions(self, cursor: duckdb.DuckDBPyConnection, ids: Sequence[str], position: int) -> list[int]:
        """Return the positions of all facts about these ids that the cursor's snapshot, which is at `position`, holds.

        There may be others among them: in other scopes, about other subjects, or with the same hash.
        """
        index = self._index
        known = self._hashes
        if index.position >= position and all(one in known for one in ids):
            return index.of(np.array([known[one] for one in ids], np.uint64))
        found = cursor.execute(_READ, [index.position, list(ids)]).fetchnumpy()
        hashes, positions = np.asarray(found["hash"], np.uint64), np.asarray(found["position"], np.int64)
        is_fact = positions > 0
        index = index.with_added(hashes[is_fact], positions[is_fact], position)
        self._index = index
        hashes = hashes[~is_fact][np.argsort(-positions[~is_fact])]  # by number
        self._keep(ids, hashes)
        return index.of(hashes)

    def _keep(self, ids: Sequence[str], hashes: Hashes) -> None:
        """Keep the hashes of ids."""
        if len(self._hashes) + len(ids) > HASHES_KEPT_MAX:
            self._hashes = {}
        if len(ids) <= HASHES_KEPT_MAX:
            self._hashes |= zip(ids, hashes.tolist(), strict=True)

    def known(self, subject: Subject, positions: Sequence[int]) -> dict[int, NamedFact | None]:
        """Return the facts that are kept, by position; None: none there about such a subject."""
        kept = self._kept
        return {position: kept[position, subject] for position in positions if (position, subject) in kept}

    def keep(self, subject: Subject, position: int, found: NamedFact | None, text_length: int) -> None:
        """Keep what was read at a position; `text_length` is that of its fields."""
        with self._lock:
            self._text += text_length
            if self._text > TEXT_KEPT_MAX:
                self._kept = {}
                self._text = text_length
            self._kept[position, subject] = found
