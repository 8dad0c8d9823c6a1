"""Which events the fold has not counted lately, kept in memory, so that the receipt of those that were needs no query.

The fold tells the refused ones of a step before it commits it. So whoever knows that a position is folded finds them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

import msgspec

from domain.usage.locators import position_of, row_of
from projections.arrow_columns import Ints
from projections.queries.events import RowSpan

#: Beyond so many everything is forgotten; of records before that nothing is known then.
REFUSED_MAX: Final = 100_000
#: Of a step that refuses more, nothing is known here: it is no step of single events.
REFUSED_OF_STEP_MAX: Final = 1_000


class _Kept(msgspec.Struct, frozen=True):
    """The refused rows, ascending, of records after position `since`; `rows` grows."""

    since: int
    rows: dict[int, list[int]]


class RecentRefusals:
    """One thread calls what the fold calls, any may ask."""

    def __init__(self, refused_max: int = REFUSED_MAX) -> None:
        self._refused_max = refused_max
        self.restart(0)

    def restart(self, position: int) -> None:
        """Know nothing of what is folded up to here."""
        self._kept = _Kept(position, {})
        self._count = 0

    def add(self, locators: Ints) -> None:
        """These, ascending, are refused by the step at hand; a step that is undone refuses them again."""
        self._count += len(locators) if len(locators) <= REFUSED_OF_STEP_MAX else self._refused_max + 1
        if self._count > self._refused_max:
            return
        rows: dict[int, list[int]] = {}
        for locator in locators.tolist():
            rows.setdefault(position_of(locator), []).append(row_of(locator))
        self._kept.rows.update(rows)

    def publish(self, position: int) -> None:
        """The step at hand is about to be committed; the store will be at `position`."""
        if self._count > self._refused_max:
            self.restart(position)

    def all_counted(self, spans: Sequence[RowSpan]) -> bool:
        """Whether every event in these rows of folded records was counted; False also when that is not known."""
        kept = self._kept
        return all(span.position > kept.since and not _any_in(span, kept.rows.get(span.position, [])) for span in spans)


def _any_in(span: RowSpan, rows: Sequence[int]) -> bool:
    at = bisect_left(rows, span.start)
    return at < len(rows) and rows[at] < span.end
