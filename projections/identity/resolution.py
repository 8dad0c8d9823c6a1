"""Deduplication: decide which received events are counted, and which are duplicates or conflicts.

Everything here is pure. The rules:

1. The first claim of an identity is valid for ever.
2. A row with the hash and the content digest of a claim is a duplicate of it.
3. For a row with the hash of a claim and another digest the identities themselves are compared: if they are equal it is
   a conflict, otherwise it is a different event and is counted.
4. If any row of an atomic group is not counted, the whole group is refused and claims nothing.
5. Rows are decided in order; the rows of an atomic group are decided together, in the place of its first row.

Rows whose hash belongs to one identity alone, and which are in no atomic group, are decided in columns, all at once:
whoever sends nothing but conflicts must not make the fold slow. The rest, which is rare, is decided row by row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Final, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from domain.usage.outcomes import DECIDED_OUTCOMES, Outcome
from projections.identity.entries import U64, PriorClaims, Rows

COUNTED: Final = 0
DUPLICATE: Final = 1
CONFLICT: Final = 2
REJECTED: Final = 3  # by intake, which gave the reason
BATCH_REFUSED: Final = 4  # rejected, because of another row of its atomic group or because of itself
#: The outcome for each code.
OUTCOME_OF_CODE: Final[tuple[Outcome, ...]] = (*DECIDED_OUTCOMES, "rejected")
NO_GROUP: Final = -1

Mask = NDArray[np.bool_]
#: Locators or rows.
T = TypeVar("T", U64, Rows)


class ReceivedRows(msgspec.Struct, frozen=True, eq=False):
    """Received events in log order, of one block or of several consecutive ones, as columns of equal length.

    `groups` numbers the request of each row (`NO_GROUP`: none); `atomic` says that its group is all or nothing, and is
    ignored without a group. If `accepted` is False (intake rejected the row), `identities` and `contents` are ignored.
    """

    identities: U64
    contents: U64
    locators: U64
    accepted: Mask
    groups: NDArray[np.int64]
    atomic: Mask


class Resolution(msgspec.Struct, frozen=True, eq=False):
    """The outcome code of each row, and the locator of the earlier claim that it repeats (0: none).

    A row that was refused with its group has a locator only if it was itself a cause of the refusal.
    """

    codes: NDArray[np.uint8]
    first_locators: U64

    @property
    def counted(self) -> Mask:
        """The rows that now claim their identities."""
        mask: Mask = self.codes == COUNTED
        return mask


#: Compares the (scope, source, id) of rows, pair by pair.
SameAsStored = Callable[[Rows, U64], Mask]
SameHere = Callable[[Rows, Rows], Mask]


def resolve(rows: ReceivedRows, prior: PriorClaims, same_as_stored: SameAsStored, same_here: SameHere) -> Resolution:
    """Decide every row. `prior` has the entries of the index for `rows.identities`.

    `same_as_stored(rows, locators)` compares the (scope, source, id) of each row with that of the stored event at the
    locator beside it, and `same_here(rows, earlier_rows)` with that of another of these rows. Both are asked only for
    equal hashes with different digests.
    """
    codes = np.where(rows.accepted, COUNTED, REJECTED).astype(np.uint8)
    first = np.zeros(len(codes), dtype=np.uint64)
    units = _Units(rows)
    unequal = _mark_stored_duplicates(rows, prior, codes, first)

    suspects = _repeated(rows.identities, codes == COUNTED)
    suspects[unequal.rows] = True
    suspected = _SuspectedRows(rows, unequal, suspects, units.is_member)
    suspects[suspected.decide(codes, first, same_as_stored, same_here)] = False
    units.refuse(codes != COUNTED)

    claims = _Claims(rows, unequal.of_rows(suspects), same_as_stored, same_here)
    for unit, members in units.in_order(suspects):
        verdicts = [claims.decide(row) for row in members]
        for row, (code, locator) in zip(members, verdicts, strict=True):
            codes[row], first[row] = code, locator
        if unit is not None and any(code != COUNTED for code, _ in verdicts):
            units.refused[unit] = True
        claims.close_unit(is_counted=unit is None or not units.refused[unit])

    codes[units.members_of_refused() & rows.accepted] = BATCH_REFUSED
    return Resolution(codes, first)


def _mark_stored_duplicates(
    rows: ReceivedRows, prior: PriorClaims, codes: NDArray[np.uint8], first: U64
) -> PriorClaims:
    """Mark the duplicates of stored claims; return the claims for the other accepted rows, all of other contents.

    Stored claims are valid whatever happens to these rows, so the order of rows does not matter here.
    """
    equal = (prior.digests == rows.contents[prior.rows]) & rows.accepted[prior.rows]
    duplicates, at = np.unique(prior.rows[equal], return_index=True)
    codes[duplicates] = DUPLICATE
    first[duplicates] = prior.locators[equal][at]
    undecided = codes[prior.rows] == COUNTED
    return PriorClaims(prior.rows[undecided], prior.digests[undecided], prior.locators[undecided])


def _repeated(identities: U64, among: Mask) -> Mask:
    """The rows of `among` that share their hash with another of them."""
    repeated = np.zeros(len(identities), dtype=np.bool_)
    rows = np.flatnonzero(among)
    order = rows[np.argsort(identities[rows])]
    ascending = identities[order]
    equal = np.flatnonzero(ascending[1:] == ascending[:-1])
    repeated[order[equal]] = True
    repeated[order[equal + 1]] = True
    return repeated


class _SuspectedRows:
    """Rows that share their hash with a stored claim or with each other, by hash, and by row for each hash.

    `group` numbers the hash of each row, and `earliest` is the first row with it. A hash is odd if its rows need to be
    decided one by one: one of them is in an atomic group, or its events do not all have the same identity.
    """

    def __init__(self, rows: ReceivedRows, stored: PriorClaims, suspects: Mask, is_member: Mask) -> None:
        self._rows = rows
        suspected = np.flatnonzero(suspects)
        self._suspected = suspected[np.argsort(rows.identities[suspected], kind="stable")]
        hashes = rows.identities[self._suspected]
        starts = np.flatnonzero(np.append(True, hashes[1:] != hashes[:-1])[: len(hashes)])
        self._group = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(hashes)))
        heads = self._suspected[starts]
        self._earliest = heads[self._group]
        # All rows of a hash have the same stored claims, so those of the first one stand for all.
        at, end = np.searchsorted(stored.rows, heads, "left"), np.searchsorted(stored.rows, heads, "right")
        is_claimed = end > at
        claims = np.zeros(len(heads), dtype=np.uint64)
        claims[is_claimed] = stored.locators[at[is_claimed]]
        self._is_claimed, self._claims = is_claimed[self._group], claims[self._group]
        self._is_odd = end > at + 1
        self._is_odd[self._group[is_member[self._suspected]]] = True

    def decide(self, codes: NDArray[np.uint8], first: U64, same_as_stored: SameAsStored, same_here: SameHere) -> Rows:
        """Decide the rows of every hash that is not odd, and return them.

        Such a hash has one claim, the stored one or that of its first row, which all its other rows repeat.
        """
        rows, suspected, earliest = self._rows, self._suspected, self._earliest
        differs = rows.contents[suspected] != rows.contents[earliest]
        asked = self._is_claimed & ~self._is_odd[self._group]
        self._find_odd(asked, same_as_stored, self._claims)
        asked = ~self._is_claimed & differs & ~self._is_odd[self._group]
        self._find_odd(asked, same_here, earliest)

        decided = ~self._is_odd[self._group]
        of_stored = decided & self._is_claimed
        codes[suspected[of_stored]] = CONFLICT
        first[suspected[of_stored]] = self._claims[of_stored]
        of_here = decided & ~self._is_claimed & (suspected != earliest)
        codes[suspected[of_here]] = np.where(differs[of_here], CONFLICT, DUPLICATE)
        first[suspected[of_here]] = rows.locators[earliest[of_here]]
        return suspected[decided]

    def _find_odd(self, asked: Mask, same: Callable[[Rows, T], Mask], others: T) -> None:
        """Mark the hashes of rows with another identity than what stands beside them."""
        if asked.any():
            self._is_odd[self._group[asked][~same(self._suspected[asked], others[asked])]] = True


class _Units:
    """The units that are decided together: an atomic group, or a single row without one."""

    def __init__(self, rows: ReceivedRows) -> None:
        self.is_member = rows.atomic & (rows.groups != NO_GROUP)
        self._members = np.flatnonzero(self.is_member)
        _, first, unit = np.unique(rows.groups[self._members], return_index=True, return_inverse=True)
        self._unit_of_row = np.full(len(rows.groups), -1, dtype=np.int64)
        self._unit_of_row[self._members] = unit
        self._first_row = self._members[first]
        self.refused: Mask = np.zeros(len(first), dtype=np.bool_)

    def refuse(self, not_counted: Mask) -> None:
        """Refuse every group with a row in the mask."""
        self.refused[self._unit_of_row[not_counted & self.is_member]] = True

    def members_of_refused(self) -> Mask:
        mask = np.zeros(len(self.is_member), dtype=np.bool_)
        mask[self._members] = self.refused[self._unit_of_row[self._members]]
        return mask

    def in_order(self, suspects: Mask) -> Iterator[tuple[int | None, list[int]]]:
        """The suspects by unit (None: a single row), in the order of the first rows of units."""
        rows = np.flatnonzero(suspects)
        unit = self._unit_of_row[rows]
        first_row = rows.copy()
        first_row[unit >= 0] = self._first_row[unit[unit >= 0]]
        order = np.lexsort((rows, first_row))
        ordered = zip(first_row[order].tolist(), unit[order].tolist(), rows[order].tolist(), strict=True)
        for (_, number), members in groupby(ordered, key=lambda member: member[:2]):
            yield (None if number < 0 else number), [row for _, _, row in members]


class _Claims:
    """The claims that suspects are compared with: stored ones, and those of earlier suspects."""

    def __init__(
        self, rows: ReceivedRows, stored: PriorClaims, same_as_stored: SameAsStored, same_here: SameHere
    ) -> None:
        self._rows = rows
        self._stored = stored.locators_by_row()
        self._same_as_stored = same_as_stored
        self._same_here = same_here
        self._valid: dict[int, list[int]] = {}  # identity hash -> the rows here that claimed it
        self._of_unit: dict[int, list[int]] = {}

    def decide(self, row: int) -> tuple[int, int]:
        """Return the code of a row and the locator of the first claim (0: none); a row to be counted claims."""
        identity, content = int(self._rows.identities[row]), int(self._rows.contents[row])
        here = self._valid.get(identity, []) + self._of_unit.get(identity, [])
        for other in here:
            if int(self._rows.contents[other]) == content:
                return DUPLICATE, int(self._rows.locators[other])
        for locator in self._stored.get(row, ()):
            if self._same_as_stored(np.array([row]), np.array([locator], dtype=np.uint64))[0]:
                return CONFLICT, locator
        for other in here:
            if self._same_here(np.array([row]), np.array([other]))[0]:
                return CONFLICT, int(self._rows.locators[other])
        self._of_unit.setdefault(identity, []).append(row)
        return COUNTED, 0

    def close_unit(self, is_counted: bool) -> None:
        """Keep the claims of the unit if it is counted, and drop them otherwise."""
        if is_counted:
            for identity, claimants in self._of_unit.items():
                self._valid.setdefault(identity, []).extend(claimants)
        self._of_unit = {}
