"""Recently folded events that were not counted, kept in memory, so that most receipts need no query.

A refused event here is any that is not counted: a duplicate, a conflict or a rejected one. The fold adds those of a
step before it commits the step, so that whoever knows a position to be folded finds its refused events.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

import msgspec

from domain.usage.locators import position_of, row_of
from projections.arrow_columns import Ints
from projections.queries.events import RowSpan

#: Beyond this many everything is forgotten; nothing is known of the records before.
REFUSED_MAX: Final = 100_000
#: A step that refuses more is not kept: it is no step of single events.
REFUSED_OF_STEP_MAX: Final = 1_000


class _KeptRefusals(msgspec.Struct, frozen=True):
    """The refused rows, ascending, of the records after position `since`, by position. `rows` is changed in place."""

    since: int
    rows: dict[int, list[int]]


class RecentRefusals:
    """Recent refusals of one store. One thread at a time writes; any may read."""

    def __init__(self, refused_max: int = REFUSED_MAX) -> None:
        self._refused_max = refused_max
        self.restart(0)

    def restart(self, position: int) -> None:
        """Forget everything; keep the refusals after `position` from now on."""
        self._kept = _KeptRefusals(position, {})
        self._count = 0

    def add(self, locators: Ints) -> None:
        """Add refused events of the current step, ascending. A step that is rolled back adds the same ones again."""
        self._count += len(locators) if len(locators) <= REFUSED_OF_STEP_MAX else self._refused_max + 1
        if self._count > self._refused_max:
            return
        rows: dict[int, list[int]] = {}
        for locator in locators.tolist():
            rows.setdefault(position_of(locator), []).append(row_of(locator))
        self._kept.rows.update(rows)

    def publish(self, position: int) -> None:
        """Publish the current step, which is about to be committed and takes the store to `position`."""
        if self._count > self._refused_max:
            self.restart(position)

    def all_counted(self, spans: Sequence[RowSpan]) -> bool:
        """Return true only if every event in these rows of folded records is known to be counted."""
        kept = self._kept
        return all(span.position > kept.since and not _any_in(span, kept.rows.get(span.position, [])) for span in spans)


def _any_in(span: RowSpan, rows: Sequence[int]) -> bool:
    at = bisect_left(rows, span.start)
    return at < len(rows) and rows[at] < span.end
