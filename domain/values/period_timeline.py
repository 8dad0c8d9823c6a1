"""The periods of a customer whose period policy changes: closed periods keep their bounds, the open one is redrawn."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

import msgspec

from domain.values.durations import duration_text
from domain.values.periods import MICROSECOND, USAGE_TIME_MIN, Interval, PeriodPolicy, period_containing


class PolicySegment(msgspec.Struct, frozen=True):
    """A period policy in force from `effective_from` on, until the next segment.

    `moved_to`: where its periods were moved to by hand; they begin there, be it before `effective_from` or after it.
    """

    effective_from: datetime
    policy: PeriodPolicy
    moved_to: datetime | None = None


class _Piece(msgspec.Struct, frozen=True):
    """A stretch of time with the periods of one policy, cut off at both ends; `start` None: unbounded.

    `policy` None: one period, until the next piece. It has a start, and there is a next piece. `first_end`: where the
    first period ends, which the start may have made longer than the others.
    """

    start: datetime | None
    policy: PeriodPolicy | None
    first_end: datetime | None = None


class PeriodTimeline:
    """A partition of all time into periods, built from one or more segments in any order.

    1. The policy of the first segment also applies to all time before it.
    2. A later segment takes effect at its `effective_from` c. The first period of the new policy is the one that
       contains c. It starts at its own start, but not before the end of the last period that closed between the first
       segment and c.
    3. What remains of the old open period before that start becomes a closed period of its own; with `without_rests`
       it is part of the first period of the new policy.
    4. A later segment with `moved_to` m is an exception to 2. Its periods begin at m; where that is before c, closed
       periods that it reaches into end there. Where it is after c, the period that is open at c runs until m.
    5. Of segments with an equal `effective_from` the last one given wins.
    """

    def __init__(self, segments: Sequence[PolicySegment], *, without_rests: bool = False) -> None:
        if not segments:
            raise ValueError("a period timeline needs at least one segment")
        by_start = {segment.effective_from: segment for segment in segments}
        first, *later = (by_start[instant] for instant in sorted(by_start))
        self._without_rests = without_rests
        self._first_effective = first.effective_from
        self._pieces = [_Piece(None, first.policy)]
        self._starts: list[datetime] = []  # of every piece but the first
        for segment in later:
            self._apply_segment(segment)

    def containing(self, instant: datetime) -> Interval:
        """Return the period that contains `instant`."""
        index = bisect_right(self._starts, instant)
        piece = self._pieces[index]
        if piece.policy is None:
            return Interval(self._starts[index - 1], self._starts[index])
        period = period_containing(piece.policy, instant)
        start, end = period.start, period.end
        if piece.start is not None and piece.first_end is not None and instant < piece.first_end:
            start, end = piece.start, piece.first_end
        if piece.start is not None and start < piece.start:
            start = piece.start
        if index < len(self._starts) and self._starts[index] < end:
            end = self._starts[index]
        return Interval(start, end)

    def before(self, period: Interval) -> Interval:
        """Return the period that ends where `period` starts."""
        return self.containing(period.start - MICROSECOND)

    def after(self, period: Interval) -> Interval:
        """Return the period that starts where `period` ends."""
        return self.containing(period.end)

    def last(self, count: int, until: datetime) -> list[Interval]:
        """Return up to `count` periods that ended at or before `until`, newest first; none that ended before 1980."""
        return [period for period, _ in zip(self._ended(until), range(count), strict=False)]

    def within(self, span: Interval) -> Iterator[Interval]:
        """Yield every period that overlaps `span`, oldest first, with its full bounds."""
        period = self.containing(span.start)
        while period.start < span.end:
            yield period
            period = self.after(period)

    def _ended(self, until: datetime) -> Iterator[Interval]:
        period = self.containing(until)
        while period.start > USAGE_TIME_MIN:
            period = self.before(period)
            yield period

    def _apply_segment(self, segment: PolicySegment) -> None:
        """Redraw the open period and all later ones by the segment's policy; earlier periods keep their bounds."""
        at, moved_to = segment.effective_from, segment.moved_to
        open_start = self.containing(at).start
        if moved_to is not None:
            if moved_to > at:
                self._begin_piece(open_start, None)
            self._begin_piece(moved_to, segment.policy)
            return
        first = period_containing(segment.policy, at)
        if self._without_rests and first.start > open_start:
            self._begin_piece(open_start, segment.policy, first.end)
            return
        start = first.start
        if open_start > self._first_effective:  # a period closed since the first segment took effect
            start = max(start, open_start)
        self._begin_piece(start, segment.policy)

    def _begin_piece(self, start: datetime, policy: PeriodPolicy | None, first_end: datetime | None = None) -> None:
        """End what there is at `start`, where the periods of `policy` begin."""
        while self._starts and self._starts[-1] >= start:
            self._starts.pop()
            self._pieces.pop()
        self._starts.append(start)
        self._pieces.append(_Piece(start, policy, first_end))


def timeline_of(policies: Iterable[PolicySegment], *, without_rests: bool = False) -> PeriodTimeline:
    """The periods of policies, in order of time; equal neighbours are merged. See `PeriodTimeline`."""
    segments: list[PolicySegment] = []
    for one in policies:
        if not segments or not _same_periods(segments[-1].policy, one.policy):
            segments.append(one)
    return PeriodTimeline(segments, without_rests=without_rests)


def _same_periods(one: PeriodPolicy, other: PeriodPolicy) -> bool:
    """Whether both policies give the same periods: anchors only matter to anchored ones, zones are equal by key."""

    def essence(policy: PeriodPolicy) -> tuple[object, ...]:
        anchored = policy.alignment == "anchored"
        anchors = (policy.anchor, policy.first_end) if anchored else ()
        return duration_text(policy.duration), policy.alignment, policy.zone.key, anchors

    return essence(one) == essence(other)
