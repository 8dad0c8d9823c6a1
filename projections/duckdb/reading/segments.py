"""SQL that assigns an instant or a day to its segment: a CASE for few segments, an ASOF join for many."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from typing import Final

import msgspec

from domain.values.instants import naive
from projections.duckdb.reading.bound_query import BoundQuery
from projections.queries.usage import Segment

#: Up to this many segments a CASE is faster to plan and run than a join.
SEGMENTS_BY_CASE_MAX: Final = 32
_ONE_DAY: Final = timedelta(days=1)


class CutSegment(msgspec.Struct, frozen=True):
    """A segment and the whole UTC days in it, [days_start, days_end); both equal when it holds none. Naive UTC."""

    number: int
    start: datetime
    end: datetime
    days_start: date
    days_end: date

    @property
    def has_days(self) -> bool:
        """Whether the segment contains a whole day."""
        return self.days_start < self.days_end

    @property
    def has_edges(self) -> bool:
        """Whether a part of the segment lies outside its whole days."""
        return not self.has_days or self.start.time() != time.min or self.end.time() != time.min


def cut_segments(segments: Sequence[Segment], by_days: bool) -> list[CutSegment]:
    """Return the segments with their whole days, or without any when `by_days` is false."""
    return [_cut(number, naive(segment.start), naive(segment.end), by_days) for number, segment in enumerate(segments)]


def _cut(number: int, start: datetime, end: datetime, by_days: bool) -> CutSegment:
    last = end.date()
    first = start.date() if start.time() == time.min else start.date() + _ONE_DAY
    return (
        CutSegment(number, start, end, first, last)
        if by_days and first < last
        else CutSegment(number, start, end, last, last)
    )


def whole_days_of(start: datetime, end: datetime) -> tuple[date, date]:
    """Return the whole UTC days in a span of naive UTC instants as [first, past); both are equal when it holds none."""
    cut = _cut(0, start, end, by_days=True)
    return cut.days_start, cut.days_end


class SegmentMatch(msgspec.Struct, frozen=True):
    """SQL that assigns an instant or a day to its segment.

    `relations`: named subqueries that `join` refers to. `number`: the segment's number. `in_segment`: the condition
    that there is a segment. `at_edge`: the condition that the instant lies outside the whole days of its segment.
    """

    relations: dict[str, str]
    join: str
    number: str
    in_segment: str
    at_edge: str


def match_rows(query: BoundQuery, segments: Sequence[CutSegment], instant: str) -> SegmentMatch:
    """Return the match of row times, which must lie between the first start and the last end."""
    if len(segments) > SEGMENTS_BY_CASE_MAX:
        relation = f"""SELECT unnest({query.bind([s.number for s in segments])}::INTEGER[]) AS number,
            unnest({query.bind([s.start for s in segments])}::TIMESTAMP[]) AS first,
            unnest({query.bind([s.end for s in segments])}::TIMESTAMP[]) AS past,
            unnest({query.bind([s.days_start for s in segments])}::DATE[]) AS days_first,
            unnest({query.bind([s.days_end for s in segments])}::DATE[]) AS days_past"""
        at_edge = f"({instant} < s.days_first::TIMESTAMP OR {instant} >= s.days_past::TIMESTAMP)"
        join = f"ASOF JOIN segments s ON {instant} >= s.first"
        return SegmentMatch({"segments": relation}, join, "s.number", f"{instant} < s.past", at_edge)
    number = _number(query, [(s.number, s.start, s.end) for s in segments], instant)
    days = [(limit, value) for s in segments for limit, value in ((s.days_start, "true"), (s.days_end, "false"))]
    at_edge = _case(query, instant, ((_midnight(limit), value) for limit, value in days), "true")
    return SegmentMatch({}, "", number, _in_segment(number), at_edge)


def match_days(query: BoundQuery, segments: Sequence[CutSegment], day: str) -> SegmentMatch:
    """Return the match of days, which must lie between the first and the last whole day."""
    with_days = [segment for segment in segments if segment.has_days]
    if len(segments) > SEGMENTS_BY_CASE_MAX:
        relation = f"""SELECT unnest({query.bind([s.number for s in with_days])}::INTEGER[]) AS number,
            unnest({query.bind([s.days_start for s in with_days])}::DATE[]) AS first,
            unnest({query.bind([s.days_end for s in with_days])}::DATE[]) AS past"""
        join = f"ASOF JOIN day_segments s ON {day} >= s.first"
        return SegmentMatch({"day_segments": relation}, join, "s.number", f"{day} < s.past", "false")
    number = _number(query, [(s.number, s.days_start, s.days_end) for s in with_days], day)
    return SegmentMatch({}, "", number, _in_segment(number), "false")


def _in_segment(number: str) -> str:
    return "true" if number.isdigit() else f"({number}) IS NOT NULL"


def _number(query: BoundQuery, spans: Sequence[tuple[int, date, date]], instant: str) -> str:
    """The number of the span of `instant`, which lies between the first start and the last end; null in a gap."""
    if len(spans) == 1:
        return str(spans[0][0])
    limits: list[tuple[date, str]] = []
    for number, start, end in spans:
        if limits and limits[-1][0] < start:
            limits.append((start, "NULL"))
        limits.append((end, str(number)))
    return _case(query, instant, limits, "NULL")


def _case(query: BoundQuery, instant: str, limits: Iterable[tuple[date, str]], otherwise: str) -> str:
    whens = " ".join(f"WHEN {instant} < {query.bind(limit)} THEN {value}" for limit, value in limits)
    return f"CASE {whens} ELSE {otherwise} END"


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min)
