"""Periods as a pure function of (policy, instant): the bounds of the period that contains the instant.

Every boundary is computed from the anchor (or from 1970), never from the previous boundary: 31 January,
28 February, 31 March. Wall times are converted to instants by one rule everywhere: a wall time that a clock
change skipped is the instant of the change; of a wall time that occurs twice the first is meant.

Boundaries of calendar periods:

- A day and longer: local midnight, at multiples counted from 1970-01-01 (weeks: from the Monday before).
- Shorter, and a divisor of 24 hours: counted anew from every local midnight. On a day that is not 24 hours long,
  divisors of an hour are exact elapsed time from midnight; the others follow the wall clock (12h: midnight and
  noon, 24h: the day).
- Elapsed time that does not divide 24 hours: exact multiples from 1970-01-01T00:00Z.
"""

from __future__ import annotations

from bisect import bisect_right
from calendar import monthrange
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Final, Literal
from zoneinfo import ZoneInfo

import msgspec

from domain.errors import InvalidInput
from domain.values.durations import Duration, parse_duration
from domain.values.instants import EPOCH

Alignment = Literal["calendar", "anchored"]

MICROSECOND: Final = timedelta(microseconds=1)
#: The earliest time of a usage event; a period that ended before contains no usage.
USAGE_TIME_MIN: Final = datetime(1980, 1, 1, tzinfo=UTC)
#: Later than any event; the end of what is open.
USAGE_TIME_LIMIT: Final = datetime(9999, 1, 1, tzinfo=UTC)
ANCHOR_MIN: Final = EPOCH
ANCHOR_LIMIT: Final = datetime(2200, 1, 1, tzinfo=UTC)

_FIRST_DAY: Final = EPOCH.replace(tzinfo=None)  # wall time
_FIRST_MONDAY: Final = _FIRST_DAY - timedelta(days=_FIRST_DAY.weekday())
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
_NOTHING: Final = timedelta(0)


class Interval(msgspec.Struct, frozen=True):
    """A half-open interval [start, end) of two aware instants in UTC; never empty."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if not self.start < self.end:
            raise InvalidInput("end", "must be after the start")

    @property
    def length(self) -> timedelta:
        """The elapsed time from start to end."""
        return self.end - self.start

    def contains(self, instant: datetime) -> bool:
        """Whether `instant` is in the interval."""
        return self.start <= instant < self.end

    def intersect(self, other: Interval) -> Interval | None:
        """Return the overlap with another interval; None when there is none."""
        start, end = max(self.start, other.start), min(self.end, other.end)
        return Interval(start, end) if start < end else None


class PeriodPolicy(msgspec.Struct, frozen=True):
    """A policy that divides time into periods.

    calendar: `anchor` and `first_end` are not used. anchored: one period starts at `anchor`. With `first_end` that
    period ends there and later ones are counted by `duration` from `first_end`; earlier ones are always counted back
    from `anchor`.
    """

    duration: Duration
    alignment: Alignment
    zone: ZoneInfo
    anchor: datetime | None = None
    first_end: datetime | None = None

    def __post_init__(self) -> None:
        if self.alignment == "calendar":
            return
        if self.anchor is None:
            raise InvalidInput("anchor", "is required when periods are anchored")
        for field, instant in (("anchor", self.anchor), ("first_end", self.first_end)):
            _check_anchor(field, instant)
        if self.first_end is not None and self.first_end <= self.anchor:
            raise InvalidInput("first_end", "must be after the anchor")


def zone_named(name: str, field: str = "time_zone") -> ZoneInfo:
    """Return the IANA time zone with exactly this name; `InvalidInput` for any other text, paths included."""
    if name not in zone_names():
        raise InvalidInput(field, "must be the name of an IANA time zone, such as Europe/Berlin")
    return ZoneInfo(name)


@cache
def zone_names() -> frozenset[str]:
    """Return the names of all IANA time zones, from the tzdata package so that they are the same on every machine."""
    return frozenset(files("tzdata").joinpath("zones").read_text().split())


def period_policy(
    duration: str = "1mo",
    alignment: str = "calendar",
    zone: str = "UTC",
    anchor: datetime | None = None,
    first_end: datetime | None = None,
) -> PeriodPolicy:
    """Return the policy of these stored values; `InvalidInput` for the first one that is wrong."""
    return PeriodPolicy(parse_duration(duration), alignment_named(alignment), zone_named(zone), anchor, first_end)


def alignment_named(name: str, field: str = "alignment") -> Alignment:
    """Return `name` as an alignment; `InvalidInput` naming `field` for any other text."""
    match name:
        case "calendar" | "anchored":
            return name
        case _:
            raise InvalidInput(field, "must be 'calendar' or 'anchored'")


def period_containing(policy: PeriodPolicy, instant: datetime) -> Interval:
    """Return the period of `policy` that contains `instant`, exact to the microsecond, in constant time."""
    if policy.alignment == "anchored" and policy.anchor is not None:  # PeriodPolicy guarantees the anchor
        return _anchored_period(policy, policy.anchor.astimezone(UTC), instant)
    elapsed = policy.duration.elapsed
    if elapsed is None:
        return _wall_period(_calendar_origin(policy.duration), policy.duration, policy.zone, instant)
    if _DAY % elapsed:
        return _elapsed_period(EPOCH, elapsed, instant)
    return _bucket_of_day(policy.zone, elapsed, instant)


def next_period(policy: PeriodPolicy, period: Interval) -> Interval:
    """Return the period that starts where `period` ends."""
    return period_containing(policy, period.end)


def previous_period(policy: PeriodPolicy, period: Interval) -> Interval:
    """Return the period that ends where `period` starts."""
    return period_containing(policy, period.start - MICROSECOND)


def _check_anchor(field: str, instant: datetime | None) -> None:
    if instant is None:
        return
    if instant.tzinfo is None:
        raise InvalidInput(field, "must have a time zone")
    if not ANCHOR_MIN <= instant < ANCHOR_LIMIT:
        raise InvalidInput(field, f"must be between {ANCHOR_MIN.year} and {ANCHOR_LIMIT.year}")


def _anchored_period(policy: PeriodPolicy, anchor: datetime, instant: datetime) -> Interval:
    if policy.first_end is None or instant < anchor:
        return _period_from(anchor, policy, instant)
    first_end = policy.first_end.astimezone(UTC)
    if instant < first_end:
        return Interval(anchor, first_end)
    return _period_from(first_end, policy, instant)


def _period_from(origin: datetime, policy: PeriodPolicy, instant: datetime) -> Interval:
    """Return the period containing `instant` when one period starts at `origin`."""
    elapsed = policy.duration.elapsed
    if elapsed is not None:
        return _elapsed_period(origin, elapsed, instant)
    return _wall_period(_wall_time(origin, policy.zone), policy.duration, policy.zone, instant, origin)


def _elapsed_period(origin: datetime, length: timedelta, instant: datetime) -> Interval:
    start = origin + (instant - origin) // length * length
    return Interval(start, start + length)


def _wall_period(
    origin: datetime, duration: Duration, zone: ZoneInfo, instant: datetime, origin_instant: datetime | None = None
) -> Interval:
    """Return the period containing `instant` among those that start at whole wall-clock steps from `origin`.

    `origin_instant` is the exact start of period 0, which may be the second occurrence of a repeated wall time.
    """

    def boundary(index: int) -> datetime:
        if index == 0 and origin_instant is not None:
            return origin_instant
        return _instant_of_wall(_stepped(origin, duration, index), zone)

    return _period_near(boundary, _steps_between(origin, _wall_time(instant, zone), duration), instant)


def _period_near(boundary: Callable[[int], datetime], guess: int, instant: datetime) -> Interval:
    """Return the period containing `instant`; the index `guess` may be a step or two off.

    Month ends, clock changes and skipped days make the estimate inexact.
    """
    start, end = boundary(guess), boundary(guess + 1)
    while instant < start:
        guess -= 1
        start, end = boundary(guess), start
    while end <= instant:
        guess += 1
        start, end = end, boundary(guess + 1)
    return Interval(start, end)


def _stepped(origin: datetime, duration: Duration, steps: int) -> datetime:
    """Return the wall time `steps` durations after `origin`; in a month that is too short, on its last day."""
    match duration.unit:
        case "mo" | "y":
            months = _months(duration) * steps + origin.year * 12 + origin.month - 1
            year, month = months // 12, months % 12 + 1
            return origin.replace(year=year, month=month, day=min(origin.day, monthrange(year, month)[1]))
        case _:
            return origin + _days(duration) * steps


def _steps_between(origin: datetime, wall: datetime, duration: Duration) -> int:
    match duration.unit:
        case "mo" | "y":
            return ((wall.year - origin.year) * 12 + wall.month - origin.month) // _months(duration)
        case _:
            return (wall - origin) // _days(duration)


def _months(duration: Duration) -> int:
    return duration.count * 12 if duration.unit == "y" else duration.count


def _days(duration: Duration) -> timedelta:
    return timedelta(weeks=duration.count) if duration.unit == "w" else timedelta(days=duration.count)


def _calendar_origin(duration: Duration) -> datetime:
    return _FIRST_MONDAY if duration.unit == "w" else _FIRST_DAY


def _bucket_of_day(zone: ZoneInfo, length: timedelta, instant: datetime) -> Interval:
    """Return the period containing `instant` among those of `length` (a divisor of 24 hours) from local midnight."""
    day = _wall_period(_FIRST_DAY, Duration(1, "d"), zone, instant)
    if day.length == _DAY or _HOUR % length == _NOTHING:
        bucket = _elapsed_period(day.start, length, instant)
        return bucket if bucket.end <= day.end else Interval(bucket.start, day.end)
    midnight = _wall_time(day.start, zone).replace(hour=0, minute=0, second=0, microsecond=0)
    marks = (_instant_of_wall(midnight + index * length, zone) for index in range(_DAY // length))
    cuts = sorted({day.start, day.end, *(mark for mark in marks if day.contains(mark))})
    after = bisect_right(cuts, instant)
    return Interval(cuts[after - 1], cuts[after])


def _wall_time(instant: datetime, zone: ZoneInfo) -> datetime:
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)


def _instant_of_wall(wall: datetime, zone: ZoneInfo) -> datetime:
    """Convert a wall time by the rule of this module: a skipped one to the instant of the change, the first of two."""
    instant = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if _wall_time(instant, zone) == wall:
        return instant
    return _clock_change(wall.replace(tzinfo=zone, fold=1).astimezone(UTC), instant, zone)


def _clock_change(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """Return the instant, after `before` and up to `after`, from which on the clock is as it is at `after`."""
    offset = after.astimezone(zone).utcoffset()
    while after - before > MICROSECOND:
        middle = before + (after - before) // 2
        if middle.astimezone(zone).utcoffset() == offset:
            after = middle
        else:
            before = middle
    return after
