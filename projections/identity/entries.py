"""Entries of the identity index as three sorted columns: one entry for the first event of every identity.

An entry has 24 bytes: the keyed hash of the identity, the digest of the event's content, and the locator of the event
that claimed the identity. A hash can have several entries, because different identities can share it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

ENTRY_BYTES: Final = 24

U64 = NDArray[np.uint64]
Rows = NDArray[np.intp]


class Entries(NamedTuple):
    """Three columns of equal length, ascending by hash. They may be memory-mapped and are never written to."""

    hashes: U64
    digests: U64
    locators: U64

    @property
    def length(self) -> int:
        """The number of entries."""
        return len(self.hashes)


class PriorClaims(NamedTuple):
    """The entries found for an array of hashes, ascending by (row, locator).

    `rows[i]` is the index of a looked-up hash, and `digests[i]` and `locators[i]` are one of its entries. A row without
    entries does not occur; a row with several occurs several times, starting with its first claim.
    """

    rows: Rows
    digests: U64
    locators: U64

    def found(self, count: int) -> NDArray[np.bool_]:
        """Whether each of the `count` looked-up hashes has an entry."""
        mask = np.zeros(count, dtype=np.bool_)
        mask[self.rows] = True
        return mask

    def of_rows(self, mask: NDArray[np.bool_]) -> PriorClaims:
        """The entries of the rows in the mask."""
        kept = mask[self.rows]
        return PriorClaims(self.rows[kept], self.digests[kept], self.locators[kept])

    def of_row(self, row: int) -> list[tuple[int, int]]:
        """The (digest, locator) of every entry of one row, starting with its first claim."""
        first, last = np.searchsorted(self.rows, (row, row + 1))
        return list(zip(self.digests[first:last].tolist(), self.locators[first:last].tolist(), strict=True))

    def locators_by_row(self) -> dict[int, list[int]]:
        """The locators of the entries of each row that has any, starting with its first claim."""
        found: dict[int, list[int]] = {}
        for row, locator in zip(self.rows.tolist(), self.locators.tolist(), strict=True):
            found.setdefault(row, []).append(locator)
        return found


NO_U64: Final[U64] = np.empty(0, dtype=np.uint64)
NO_PRIOR_CLAIMS: Final = PriorClaims(np.empty(0, dtype=np.intp), NO_U64, NO_U64)


def sorted_entries(hashes: U64, digests: U64, locators: U64) -> Entries:
    """Sort columns into entries, which are copies where they did not ascend already."""
    if bool((hashes[1:] >= hashes[:-1]).all()):
        return Entries(hashes, digests, locators)
    order = np.argsort(hashes)
    return Entries(hashes[order], digests[order], locators[order])


def merged(parts: Sequence[Entries]) -> Entries:
    """Merge all entries of `parts` (at least one), in memory."""
    if len(parts) == 1:
        return parts[0]
    hashes = np.concatenate([part.hashes for part in parts])
    # The stable sort merges the ascending chunks of a concatenation, twice as fast as sorting from scratch.
    order = np.argsort(hashes, kind="stable")
    digests = np.concatenate([part.digests for part in parts])
    locators = np.concatenate([part.locators for part in parts])
    return Entries(hashes[order], digests[order], locators[order])


def claims_in(parts: Sequence[Entries], hashes: U64, rows: Rows) -> PriorClaims:
    """The entries in `parts` for `hashes`, which must be ascending; the result names `hashes[i]` as row `rows[i]`."""
    found = [claims for part in parts for claims in [_claims_in_one(part, hashes, rows)] if len(claims.rows)]
    if not found:
        return NO_PRIOR_CLAIMS
    all_rows = np.concatenate([claims.rows for claims in found])
    digests = np.concatenate([claims.digests for claims in found])
    locators = np.concatenate([claims.locators for claims in found])
    order = np.lexsort((locators, all_rows))
    return PriorClaims(all_rows[order], digests[order], locators[order])


def _claims_in_one(part: Entries, hashes: U64, rows: Rows) -> PriorClaims:
    first = np.searchsorted(part.hashes, hashes, side="left")
    hit = np.flatnonzero(part.hashes[np.minimum(first, part.length - 1)] == hashes)
    if not len(hit):
        return NO_PRIOR_CLAIMS
    start = first[hit]
    per_hit = np.searchsorted(part.hashes, hashes[hit], side="right") - start
    # The indices start, start + 1 ... start + per_hit - 1 of every hit, concatenated.
    ends = np.cumsum(per_hit)
    at = np.arange(ends[-1]) + np.repeat(start - (ends - per_hit), per_hit)
    return PriorClaims(np.repeat(rows[hit], per_hit), part.digests[at], part.locators[at])
