"""Settling the identities of received events: which are counted, and which were there before.

Pure. The rule, in order: the first claim of an identity stands. Equal hash and equal content digest is a duplicate.
Equal hash and another digest is resolved by comparing the identities themselves: the same one is a
conflict, another one is a different event and is counted. An atomic group of which any row is not counted is refused
whole and claims nothing. The rows of a group stand together, at the place of its first row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from domain.usage.outcomes import OUTCOMES, Outcome
from projections.identity.entries import U64, PriorClaims

COUNTED: Final = 0
DUPLICATE: Final = 1
CONFLICT: Final = 2
REJECTED: Final = 3  # by intake, which gave the reason
BATCH_REFUSED: Final = 4  # rejected, because of another row of its atomic group or because of itself
#: What each code means to the outside.
OUTCOME_OF_CODE: Final[tuple[Outcome, ...]] = (*OUTCOMES, "rejected")
NO_GROUP: Final = -1

Mask = NDArray[np.bool_]


class ReceivedRows(msgspec.Struct, frozen=True, eq=False):
    """Received events in log order: of one block, or of several in a row. Columns of equal length.

    `groups` numbers the request of each row, `NO_GROUP` for none; `atomic` says that its group is all or nothing and
    means nothing without a group. Where `accepted` is False (intake rejected the row), `identities` and `contents`
    are ignored.
    """

    identities: U64
    contents: U64
    locators: U64
    accepted: Mask
    groups: NDArray[np.int64]
    atomic: Mask


class Resolution(msgspec.Struct, frozen=True, eq=False):
    """For each row its outcome code, and the locator of the claim that it came second to (0 when none).

    A row that was refused with its group has a locator only if it was itself a cause of the refusal.
    """

    codes: NDArray[np.uint8]
    first_locators: U64

    @property
    def counted(self) -> Mask:
        """The rows that now claim their identities."""
        mask: Mask = self.codes == COUNTED
        return mask


SameIdentity = Callable[[int, int], bool]


def resolve(
    rows: ReceivedRows, prior: PriorClaims, same_identity: SameIdentity, same_identity_here: SameIdentity
) -> Resolution:
    """Decide every row. `prior` is what the index holds for `rows.identities`.

    `same_identity(row, locator)` reads what a stored locator points to and compares its (scope, source, id) with that
    of a row; `same_identity_here(row, earlier_row)` compares two of these rows. Both are asked only where
    hashes are equal and digests differ.
    """
    codes = np.where(rows.accepted, COUNTED, REJECTED).astype(np.uint8)
    first = np.zeros(len(codes), dtype=np.uint64)
    units = _Units(rows)
    unequal = _mark_stored_duplicates(rows, prior, codes, first)
    units.refuse(codes != COUNTED)

    suspects = _repeated(rows.identities, codes == COUNTED)
    suspects[unequal.rows] = True
    claims = _Claims(rows, unequal, same_identity, same_identity_here)
    for unit, members in units.in_order(suspects):
        verdicts = [claims.judge(row) for row in members]
        for row, (code, locator) in zip(members, verdicts, strict=True):
            codes[row], first[row] = code, locator
        if unit is not None and any(code != COUNTED for code, _ in verdicts):
            units.refused[unit] = True
        claims.close_unit(stands=unit is None or not units.refused[unit])

    codes[units.members_of_refused() & rows.accepted] = BATCH_REFUSED
    return Resolution(codes, first)


def _mark_stored_duplicates(
    rows: ReceivedRows, prior: PriorClaims, codes: NDArray[np.uint8], first: U64
) -> PriorClaims:
    """Mark what equals a stored claim; answer the claims of the other accepted rows, all unequal to them in content.

    Stored claims stand whatever happens to these rows, so this needs no order.
    """
    equal = (prior.digests == rows.contents[prior.rows]) & rows.accepted[prior.rows]
    duplicates, at = np.unique(prior.rows[equal], return_index=True)
    codes[duplicates] = DUPLICATE
    first[duplicates] = prior.locators[equal][at]
    undecided = codes[prior.rows] == COUNTED
    return PriorClaims(prior.rows[undecided], prior.digests[undecided], prior.locators[undecided])


def _repeated(identities: U64, among: Mask) -> Mask:
    """Which rows of `among` share their hash with another of them."""
    repeated = np.zeros(len(identities), dtype=np.bool_)
    rows = np.flatnonzero(among)
    order = rows[np.argsort(identities[rows])]
    ascending = identities[order]
    equal = np.flatnonzero(ascending[1:] == ascending[:-1])
    repeated[order[equal]] = True
    repeated[order[equal + 1]] = True
    return repeated


class _Units:
    """What stands or falls together: an atomic group, or a row without one."""

    def __init__(self, rows: ReceivedRows) -> None:
        self._is_member = rows.atomic & (rows.groups != NO_GROUP)
        self._members = np.flatnonzero(self._is_member)
        _, first, unit = np.unique(rows.groups[self._members], return_index=True, return_inverse=True)
        self._unit_of_row = np.full(len(rows.groups), -1, dtype=np.int64)
        self._unit_of_row[self._members] = unit
        self._first_row = self._members[first]
        self.refused: Mask = np.zeros(len(first), dtype=np.bool_)

    def refuse(self, not_counted: Mask) -> None:
        """Refuse every group with a row in the mask."""
        self.refused[self._unit_of_row[not_counted & self._is_member]] = True

    def members_of_refused(self) -> Mask:
        mask = np.zeros(len(self._is_member), dtype=np.bool_)
        mask[self._members] = self.refused[self._unit_of_row[self._members]]
        return mask

    def in_order(self, suspects: Mask) -> Iterator[tuple[int | None, list[int]]]:
        """The suspects by unit (None: a row for itself), in the order in which the units stand."""
        rows = np.flatnonzero(suspects)
        unit = self._unit_of_row[rows]
        place = rows.copy()
        place[unit >= 0] = self._first_row[unit[unit >= 0]]
        order = np.lexsort((rows, place))
        ordered = zip(place[order].tolist(), unit[order].tolist(), rows[order].tolist(), strict=True)
        for (_, number), members in groupby(ordered, key=lambda member: member[:2]):
            yield (None if number < 0 else number), [row for _, _, row in members]


class _Claims:
    """The claims that suspects meet: stored ones, and those of suspects before them."""

    def __init__(
        self, rows: ReceivedRows, stored: PriorClaims, same_identity: SameIdentity, same_identity_here: SameIdentity
    ) -> None:
        self._rows = rows
        self._stored = stored
        self._same_identity = same_identity
        self._same_identity_here = same_identity_here
        self._standing: dict[int, list[int]] = {}  # identity hash -> the rows here that claimed under it
        self._of_unit: dict[int, list[int]] = {}

    def judge(self, row: int) -> tuple[int, int]:
        """(code, locator of the first claim or 0); a row that may be counted claims for its unit."""
        identity, content = int(self._rows.identities[row]), int(self._rows.contents[row])
        here = self._standing.get(identity, []) + self._of_unit.get(identity, [])
        for other in here:
            if int(self._rows.contents[other]) == content:
                return DUPLICATE, int(self._rows.locators[other])
        for _, locator in self._stored.of_row(row):
            if self._same_identity(row, locator):
                return CONFLICT, locator
        for other in here:
            if self._same_identity_here(row, other):
                return CONFLICT, int(self._rows.locators[other])
        self._of_unit.setdefault(identity, []).append(row)
        return COUNTED, 0

    def close_unit(self, stands: bool) -> None:
        """Let the claims of the unit stand, or forget them."""
        if stands:
            for identity, claimants in self._of_unit.items():
                self._standing.setdefault(identity, []).extend(claimants)
        self._of_unit = {}
