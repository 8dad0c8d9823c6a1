"""Period arithmetic of the oracle: steps from boundary to boundary with dateutil, as on paper."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta

WALK_FROM = datetime(2022, 1, 1, tzinfo=UTC)
WALK_UNTIL = datetime(2029, 1, 1, tzinfo=UTC)
WORDS = {"hourly": "1h", "daily": "1d", "weekly": "1w", "monthly": "1mo", "yearly": "1y"}
ELAPSED_SECONDS = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True)
class Policy:
    duration: str
    alignment: str = "calendar"
    zone: str = "UTC"
    anchor: datetime | None = None
    first_end: datetime | None = None


@dataclass(frozen=True)
class Period:
    start: datetime
    end: datetime


def utc_of_wall(wall: datetime, zone: str) -> datetime:
    """The first instant whose wall time is not before this one, to the minute where a gap skips it."""
    instant = wall.replace(tzinfo=ZoneInfo(zone), fold=0).astimezone(UTC)
    if wall_of_utc(instant, zone) == wall:
        return instant
    instant = instant.replace(second=0, microsecond=0)
    while wall_of_utc(instant - timedelta(minutes=1), zone) > wall:
        instant -= timedelta(minutes=1)
    return instant


def wall_of_utc(instant: datetime, zone: str) -> datetime:
    return instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def split_duration(text: str) -> tuple[int, str]:
    text = WORDS.get(text, text)
    digits = text.rstrip("smhdwoy")
    return int(digits), text[len(digits) :]


def wall_step(count: int, unit: str, times: int) -> relativedelta:
    amount = count * times
    match unit:
        case "d":
            return relativedelta(days=amount)
        case "w":
            return relativedelta(weeks=amount)
        case "mo":
            return relativedelta(months=amount)
        case "y":
            return relativedelta(years=amount)
    raise ValueError(unit)


def stepped(origin: datetime, zone: str, duration: str, times: int) -> datetime:
    """`times` durations after `origin`: elapsed time for s, m and h, the wall clock of `zone` for the rest."""
    count, unit = split_duration(duration)
    if unit in ELAPSED_SECONDS:
        return origin + timedelta(seconds=count * ELAPSED_SECONDS[unit] * times)
    return utc_of_wall(wall_of_utc(origin, zone) + wall_step(count, unit, times), zone)


def walk_both_ways(origin: datetime, zone: str, duration: str) -> list[datetime]:
    ahead = [origin]
    behind: list[datetime] = []
    while ahead[-1] < WALK_UNTIL:
        ahead.append(stepped(origin, zone, duration, len(ahead)))
    while not behind or behind[-1] > WALK_FROM:
        behind.append(stepped(origin, zone, duration, -len(behind) - 1))
    return behind[::-1] + ahead


def anchored_boundaries(policy: Policy) -> list[datetime]:
    assert policy.anchor is not None
    plain = walk_both_ways(policy.anchor, policy.zone, policy.duration)
    if policy.first_end is None:
        return plain
    before = [instant for instant in plain if instant <= policy.anchor]
    later = walk_both_ways(policy.first_end, policy.zone, policy.duration)
    return before + [instant for instant in later if instant >= policy.first_end]


def calendar_boundaries(policy: Policy) -> list[datetime]:
    _, unit = split_duration(policy.duration)
    if unit in ELAPSED_SECONDS:
        raise NotImplementedError("no trace uses calendar buckets shorter than a day")
    first_midnight = datetime.fromisoformat("1969-12-29" if unit == "w" else "1970-01-01")  # the first is a Monday
    return walk_both_ways(utc_of_wall(first_midnight, policy.zone), policy.zone, policy.duration)


@cache
def boundaries(policy: Policy) -> tuple[datetime, ...]:
    """Where periods of `policy` meet, over all the years that a trace can touch."""
    found = anchored_boundaries(policy) if policy.alignment == "anchored" else calendar_boundaries(policy)
    return tuple(found)


def period_around(cuts: Sequence[datetime], instant: datetime) -> Period:
    after = bisect_right(cuts, instant)
    return Period(cuts[after - 1], cuts[after])


@dataclass(frozen=True)
class PolicyChange:
    at: datetime
    policy: Policy


@cache
def cuts_of(changes: tuple[PolicyChange, ...]) -> tuple[datetime, ...]:
    """The boundaries of a whole history of policies: closed periods stay, the open one is cut again."""
    cuts = list(boundaries(changes[0].policy))
    for change in changes[1:]:
        open_before = period_around(cuts, change.at)
        own_start = period_around(boundaries(change.policy), change.at).start
        any_closed = open_before.start > changes[0].at
        start = max(own_start, open_before.start) if any_closed else own_start
        cuts = [cut for cut in cuts if cut < start] + [start] + [c for c in boundaries(change.policy) if c > start]
    return tuple(cuts)
