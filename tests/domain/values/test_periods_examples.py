"""Period bounds on difficult dates: month ends, clock changes, custom ends."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidInput
from domain.values.periods import (
    Interval,
    PeriodPolicy,
    next_period,
    period_containing,
    period_policy,
    previous_period,
    zone_named,
    zone_names,
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def between(start: str, end: str) -> Interval:
    return Interval(at(start), at(end))


def starts(policy: PeriodPolicy, first: datetime, count: int) -> list[datetime]:
    period = period_containing(policy, first)
    found = []
    for _ in range(count):
        found.append(period.start)
        period = next_period(policy, period)
    return found


@pytest.mark.parametrize(
    ("duration", "zone", "instant", "period"),
    [
        ("1mo", "UTC", "2024-02-29T23:59:59.999999Z", between("2024-02-01T00:00Z", "2024-03-01T00:00Z")),
        ("1mo", "Europe/Berlin", "2026-02-28T23:30Z", between("2026-03-01T00:00+01:00", "2026-04-01T00:00+02:00")),
        ("2mo", "UTC", "2026-02-10T00:00Z", between("2026-01-01T00:00Z", "2026-03-01T00:00Z")),
        ("1y", "Asia/Kolkata", "2025-12-31T19:00Z", between("2026-01-01T00:00+05:30", "2027-01-01T00:00+05:30")),
        ("3y", "UTC", "2026-05-05T00:00Z", between("2024-01-01T00:00Z", "2027-01-01T00:00Z")),
        ("1w", "UTC", "2026-11-22T12:00Z", between("2026-11-16T00:00Z", "2026-11-23T00:00Z")),
        ("1d", "America/New_York", "2026-11-21T02:00Z", between("2026-11-20T00:00-05:00", "2026-11-21T00:00-05:00")),
        ("30d", "UTC", "1970-02-01T00:00Z", between("1970-01-31T00:00Z", "1970-03-02T00:00Z")),
        ("5m", "Asia/Kolkata", "2026-01-01T00:03:07.5Z", between("2026-01-01T00:00Z", "2026-01-01T00:05Z")),
        ("1h", "Asia/Kolkata", "2026-01-01T00:03Z", between("2025-12-31T23:30Z", "2026-01-01T00:30Z")),
        ("7h", "Asia/Kolkata", "1970-01-01T08:00Z", between("1970-01-01T07:00Z", "1970-01-01T14:00Z")),
        ("48h", "Europe/Berlin", "1970-01-02T23:59Z", between("1970-01-01T00:00Z", "1970-01-03T00:00Z")),
    ],
)
def test_calendar_periods_follow_the_local_calendar(duration: str, zone: str, instant: str, period: Interval) -> None:
    assert period_containing(period_policy(duration, "calendar", zone), at(instant)) == period


@pytest.mark.parametrize(
    ("zone", "noon", "hours"),
    [
        ("Europe/Berlin", "2026-03-29T12:00+02:00", 23),
        ("Europe/Berlin", "2026-10-25T12:00+01:00", 25),
        ("America/New_York", "2026-03-08T12:00-04:00", 23),
        ("America/New_York", "2026-11-01T12:00-05:00", 25),
        ("America/Sao_Paulo", "2018-11-04T12:00-02:00", 23),  # midnight did not exist
        ("America/Havana", "2026-11-01T12:00-05:00", 25),  # midnight came twice
        ("Australia/Lord_Howe", "2026-10-04T12:00+11:00", 23.5),
        ("Antarctica/Troll", "2026-03-29T12:00+02:00", 22),
        ("Europe/Berlin", "2026-03-30T12:00+02:00", 24),
    ],
)
def test_a_local_day_is_as_long_as_its_clock_changes_make_it(zone: str, noon: str, hours: float) -> None:
    day = period_containing(period_policy("1d", "calendar", zone), at(noon))
    assert day.length == timedelta(hours=hours)


def test_a_skipped_day_is_in_no_period() -> None:
    daily = period_policy("1d", "calendar", "Pacific/Apia")
    assert starts(daily, at("2011-12-29T12:00-10:00"), 3) == [
        at("2011-12-29T00:00-10:00"),
        at("2011-12-31T00:00+14:00"),
        at("2012-01-01T00:00+14:00"),
    ]


def test_the_minutes_after_a_change_just_past_midnight_belong_to_the_day_that_had_begun() -> None:
    daily = period_policy("1d", "calendar", "America/St_Johns")  # 2008-11-02 00:01 went back to 23:01
    assert period_containing(daily, at("2008-11-01T23:30-03:30")) == between(
        "2008-11-02T00:00-02:30", "2008-11-03T00:00-03:30"
    )


@pytest.mark.parametrize(
    ("duration", "day", "lengths_hours"),
    [
        ("1h", "2026-10-25T00:00+02:00", [1] * 25),
        ("1h", "2026-03-29T00:00+01:00", [1] * 23),
        ("6h", "2026-10-25T00:00+02:00", [7, 6, 6, 6]),
        ("12h", "2026-03-29T00:00+01:00", [11, 12]),
        ("24h", "2026-10-25T00:00+02:00", [25]),
    ],
)
def test_buckets_of_a_day_with_a_clock_change(duration: str, day: str, lengths_hours: list[int]) -> None:
    buckets = starts(period_policy(duration, "calendar", "Europe/Berlin"), at(day), len(lengths_hours) + 1)
    assert [end - start for start, end in pairwise(buckets)] == [timedelta(hours=hours) for hours in lengths_hours]


def test_months_anchored_on_the_31st_do_not_drift() -> None:
    monthly = period_policy("1mo", "anchored", "UTC", at("2026-01-31T10:30Z"))
    assert [f"{start:%m-%d %H:%M}" for start in starts(monthly, at("2026-01-31T10:30Z"), 5)] == [
        "01-31 10:30",
        "02-28 10:30",
        "03-31 10:30",
        "04-30 10:30",
        "05-31 10:30",
    ]


def test_a_year_anchored_on_29_february_comes_back_to_it() -> None:
    yearly = period_policy("1y", "anchored", "UTC", at("2024-02-29T00:00Z"))
    assert [f"{start:%Y-%m-%d}" for start in starts(yearly, at("2024-03-01T00:00Z"), 5)] == [
        "2024-02-29",
        "2025-02-28",
        "2026-02-28",
        "2027-02-28",
        "2028-02-29",
    ]


@given(st.integers(1, 31), st.integers(-600, 1_800), st.sampled_from(["UTC", "Europe/Berlin", "America/New_York"]))
def test_the_nth_anchored_month_starts_on_the_anchors_day_or_the_months_last(day: int, months: int, zone: str) -> None:
    anchor = datetime(2020, 1, day, 12, tzinfo=zone_named(zone))
    year, month = 2020 + months // 12, months % 12 + 1
    expected = anchor.replace(year=year, month=month, day=min(day, monthrange(year, month)[1]))
    period = period_containing(period_policy("1mo", "anchored", zone, anchor), expected.astimezone(UTC))
    assert period.start == expected.astimezone(UTC)


def test_anchored_days_keep_the_wall_clock_over_a_clock_change_and_hours_do_not() -> None:
    anchor = at("2026-03-28T09:15:30.000001+01:00")
    daily = period_policy("1d", "anchored", "Europe/Berlin", anchor)
    hourly = period_policy("24h", "anchored", "Europe/Berlin", anchor)
    assert starts(daily, anchor, 3)[2] == at("2026-03-30T09:15:30.000001+02:00")
    assert starts(hourly, anchor, 3)[2] == at("2026-03-30T10:15:30.000001+02:00")


@pytest.mark.parametrize(
    ("zone", "bounds"),
    [
        ("America/New_York", ["2026-03-07T02:00-05:00", "2026-03-08T03:00-04:00", "2026-03-09T02:00-04:00"]),
        ("America/New_York", ["2026-03-07T02:30-05:00", "2026-03-08T03:00-04:00", "2026-03-09T02:30-04:00"]),
        ("America/New_York", ["2026-03-07T02:59-05:00", "2026-03-08T03:00-04:00", "2026-03-09T02:59-04:00"]),
        ("America/New_York", ["2026-03-07T03:00-05:00", "2026-03-08T03:00-04:00", "2026-03-09T03:00-04:00"]),
        ("Australia/Lord_Howe", ["2026-10-03T02:29+10:30", "2026-10-04T02:30+11:00", "2026-10-05T02:29+11:00"]),
        ("Antarctica/Troll", ["2026-03-28T01:01+00:00", "2026-03-29T03:00+02:00", "2026-03-30T01:01+02:00"]),
        ("America/Sao_Paulo", ["2018-11-03T00:30-03:00", "2018-11-04T01:00-02:00", "2018-11-05T00:30-02:00"]),
        ("Pacific/Apia", ["2011-12-29T05:00-10:00", "2011-12-31T00:00+14:00", "2011-12-31T05:00+14:00"]),
    ],
)
def test_an_anchored_wall_time_that_a_clock_change_skips_is_the_change_on_that_day_only(
    zone: str, bounds: list[str]
) -> None:
    first, *_ = expected = [at(bound) for bound in bounds]
    assert starts(period_policy("1d", "anchored", zone, first), first, len(expected)) == expected


def test_a_month_whose_first_hour_was_skipped_begins_at_the_change() -> None:
    monthly = period_policy("1mo", "anchored", "America/New_York", at("2026-02-08T02:59:59.999999-05:00"))
    assert period_containing(monthly, at("2026-03-08T12:00Z")) == between(
        "2026-03-08T03:00-04:00", "2026-04-08T02:59:59.999999-04:00"
    )


def test_an_anchor_in_the_second_of_two_equal_hours_starts_its_period_there() -> None:
    anchor = at("2026-11-01T01:30-05:00")
    daily = period_policy("1d", "anchored", "America/New_York", anchor)
    assert period_containing(daily, anchor) == Interval(anchor, at("2026-11-02T01:30-05:00"))
    assert period_containing(daily, anchor - timedelta(minutes=1)).end == anchor


def test_a_custom_end_ends_the_first_period_and_starts_the_later_ones() -> None:
    policy = period_policy("1mo", "anchored", "UTC", at("2026-01-10T00:00Z"), at("2026-01-31T00:00Z"))
    first = period_containing(policy, at("2026-01-20T00:00Z"))
    second = next_period(policy, first)
    assert [previous_period(policy, first), first, second, next_period(policy, second)] == [
        between("2025-12-10T00:00Z", "2026-01-10T00:00Z"),
        between("2026-01-10T00:00Z", "2026-01-31T00:00Z"),
        between("2026-01-31T00:00Z", "2026-02-28T00:00Z"),
        between("2026-02-28T00:00Z", "2026-03-31T00:00Z"),
    ]


@pytest.mark.parametrize(
    ("alignment", "anchor", "first_end", "field"),
    [
        ("rolling", None, None, "alignment"),
        ("anchored", None, None, "anchor"),
        ("anchored", datetime(2026, 1, 1), None, "anchor"),  # noqa: DTZ001 - that it has no zone is the case
        ("anchored", datetime(1969, 12, 31, tzinfo=UTC), None, "anchor"),
        ("anchored", datetime(9999, 1, 1, tzinfo=UTC), None, "anchor"),
        ("anchored", datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC), "first_end"),
        ("anchored", datetime(2026, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC), "first_end"),
    ],
)
def test_an_invalid_policy_is_refused(
    alignment: str, anchor: datetime | None, first_end: datetime | None, field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        period_policy("1mo", alignment, "UTC", anchor, first_end)
    assert refused.value.field == field


def test_an_interval_is_never_empty() -> None:
    with pytest.raises(InvalidInput, match="must be after the start"):
        between("2026-01-01T00:00Z", "2026-01-01T00:00Z")


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "Europe", "Mars/Base", "europe/berlin", "Europe/Berlin\x00", "UTC ", "\ud800"),
        *("../../etc/passwd", "/etc/localtime", "localtime", "posix/UTC", "right/UTC", "tzdata.zi"),
    ],
)
def test_an_unknown_time_zone_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        zone_named(name)
    assert refused.value.field == "time_zone"


def test_a_very_long_time_zone_name_is_refused() -> None:
    with pytest.raises(InvalidInput):
        zone_named("a" * 100_000)


def test_every_listed_zone_can_be_used() -> None:
    assert {zone_named(name).key for name in zone_names()} == zone_names()
