"""Claims that a backfill took from events: which entries of the identity index still hold.

The index keeps every claim that ever was. A claim that was taken away is one of two kinds:

- *Withdrawn*: a replacement took the event out of its range. The identity stays taken, for all but that replacement.
- *Reverted*: the backfill that loaded the event was reverted. It is as if the event had never claimed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from projections.arrow_columns import Bools
from projections.identity.entries import NO_U64, U64, PriorClaims


class TakenClaims:
    """The events of one fold whose claims were taken, by locator."""

    def __init__(self, withdrawn: U64 = NO_U64, reverted: U64 = NO_U64) -> None:
        self._withdrawn: U64 = _with(NO_U64, withdrawn)
        self._reverted: U64 = _with(NO_U64, reverted)

    def withdraw(self, locators: U64) -> None:
        """Withdraw the claims of these events."""
        self._withdrawn = _with(self._withdrawn, locators)

    def reinstate(self, locators: U64) -> None:
        """Give these events the claims back that were withdrawn."""
        self._withdrawn = self._withdrawn[~are_among(np.sort(locators), self._withdrawn)]

    def revert(self, locators: U64) -> None:
        """Take the claims of these events as if they had never been."""
        self._reverted = _with(self._reverted, locators)

    def is_withdrawn(self, locator: int) -> bool:
        """Whether a replacement took the claim of this event."""
        return bool(are_among(self._withdrawn, np.array([locator], dtype=np.uint64))[0])

    def holder(self, locators: Sequence[int]) -> int | None:
        """Of the events that claimed an identity, in their order, the one that holds it.

        Where replacements withdrew all of them it is the last one; None where there is none.
        """
        found = np.array(locators, dtype=np.uint64)
        kept = found[~are_among(self._reverted, found)]
        if not len(kept):
            return None
        holding = kept[~are_among(self._withdrawn, kept)]
        return int(holding[0] if len(holding) else kept[-1])

    def standing(self, prior: PriorClaims, replaced: U64 = NO_U64) -> PriorClaims:
        """Return the claims that new events are compared with: of each row those that hold before withdrawn ones.

        `replaced`: events whose identities the new ones may take, because they replace them.
        """
        if not len(prior.rows) or not (len(self._withdrawn) or len(self._reverted) or len(replaced)):
            return prior
        kept = ~are_among(self._reverted, prior.locators) & ~are_among(np.sort(replaced), prior.locators)
        rows, digests, locators = prior.rows[kept], prior.digests[kept], prior.locators[kept]
        order: Final = np.lexsort((locators, are_among(self._withdrawn, locators), rows))
        return PriorClaims(rows[order], digests[order], locators[order])


def _with(ascending: U64, others: U64) -> U64:
    """These numbers, which ascend, and others, in ascending order. NumPy's `union1d` takes ten times as long."""
    if not len(others):
        return ascending
    both: U64 = np.sort(np.concatenate((ascending, others)), kind="stable")
    distinct: U64 = both[np.append(True, both[1:] != both[:-1])]
    return distinct


def are_among(ascending: U64, asked: U64) -> Bools:
    """Return which of the numbers asked for are among these, which ascend."""
    if not len(ascending):
        return np.zeros(len(asked), dtype=np.bool_)
    nearest = np.minimum(np.searchsorted(ascending, asked), len(ascending) - 1)
    found: Bools = ascending[nearest] == asked
    return found
