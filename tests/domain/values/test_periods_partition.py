"""Laws of periods: each instant is in exactly one, and consecutive ones touch."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from hypothesis import example, given
from hypothesis import strategies as st

from domain.values.durations import Duration
from domain.values.periods import (
    MICROSECOND,
    Interval,
    PeriodPolicy,
    next_period,
    period_containing,
    previous_period,
    zone_named,
)
from tests.domain.values.period_strategies import ZONES, durations, instants, policies, zones


@given(policies, instants())
@example(
    PeriodPolicy(Duration(90, "m"), "calendar", zone_named("Antarctica/Troll")), datetime(2026, 3, 29, 1, tzinfo=UTC)
)
@example(
    PeriodPolicy(Duration(12, "h"), "calendar", zone_named("Pacific/Apia")), datetime(2011, 12, 30, 10, tzinfo=UTC)
)
@example(
    PeriodPolicy(Duration(1, "d"), "calendar", zone_named("America/St_Johns")), datetime(2008, 11, 2, 3, tzinfo=UTC)
)
def test_a_period_holds_its_instant_and_every_instant_in_it_has_the_same_period(
    policy: PeriodPolicy, instant: datetime
) -> None:
    period = period_containing(policy, instant)
    middle = period.start + period.length / 2
    assert period.contains(instant)
    assert [period_containing(policy, each) for each in (period.start, middle, period.end - MICROSECOND)] == [
        period
    ] * 3


@given(policies, instants())
def test_consecutive_periods_touch(policy: PeriodPolicy, instant: datetime) -> None:
    period = period_containing(policy, instant)
    after, before = next_period(policy, period), previous_period(policy, period)
    assert (before.end, period.end) == (period.start, after.start)
    assert previous_period(policy, after) == period
    assert next_period(policy, before) == period


@given(zones, zones, durations, instants())
def test_bounds_are_in_utc_whatever_zone_the_anchor_and_the_instant_are_written_in(
    zone: ZoneInfo, written_in: ZoneInfo, duration: Duration, instant: datetime
) -> None:
    local = instant.astimezone(written_in)
    period = period_containing(PeriodPolicy(duration, "anchored", zone, local), local)
    assert (period.start, period.start.tzinfo, period.end.tzinfo) == (instant, UTC, UTC)


@given(instants(), st.sampled_from(ZONES))
def test_a_local_day_is_cut_at_midnight_by_every_bucket_that_divides_it(instant: datetime, zone: str) -> None:
    day = period_containing(PeriodPolicy(Duration(1, "d"), "calendar", zone_named(zone)), instant)
    for bucket in (Duration(1, "h"), Duration(90, "m"), Duration(6, "h"), Duration(12, "h"), Duration(45, "s")):
        policy = PeriodPolicy(bucket, "calendar", zone_named(zone))
        assert period_containing(policy, day.start).start == day.start
        assert period_containing(policy, day.end - MICROSECOND).end == day.end


@given(instants(), st.sampled_from(ZONES))
def test_a_calendar_period_of_24_hours_is_the_local_day(instant: datetime, zone: str) -> None:
    days = [
        period_containing(PeriodPolicy(duration, "calendar", zone_named(zone)), instant)
        for duration in (Duration(1, "d"), Duration(24, "h"), Duration(1_440, "m"), Duration(86_400, "s"))
    ]
    assert days == [days[0]] * 4


@given(instants(), instants(), instants(), instants())
def test_an_intersection_contains_exactly_the_instants_of_both(
    a: datetime, b: datetime, c: datetime, instant: datetime
) -> None:
    first = Interval(min(a, b), max(a, b) + MICROSECOND)
    second = Interval(min(b, c), max(b, c) + MICROSECOND)
    shared = first.intersect(second)
    assert shared == second.intersect(first)
    for each in (a, b, c, instant):
        assert (shared is not None and shared.contains(each)) == (first.contains(each) and second.contains(each))
