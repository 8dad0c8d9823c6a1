"""LiteLLM's durations as periods: aligned, the first one too, and exactly as long as they say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.dialects.litellm.durations import aligned_periods, duration_of
from domain.values.periods import Interval, PeriodPolicy, next_period, period_containing, period_policy

FRIDAY = datetime(2026, 11, 20, 10, 24, 37, 500_000, tzinfo=UTC)
DURATIONS = ("30s", "45s", "7m", "30m", "90m", "1h", "5h", "24h", "25h", "48h", "72h", "1d", "2d", "7d", "1w", "14d",
    "30d", "1mo", "2mo", "12mo", "365d", "hourly", "daily", "Weekly", "MONTHLY", "1hr", "60min")  # fmt: skip


def policy_of(text: str, set_at: datetime = FRIDAY) -> PeriodPolicy:
    duration = duration_of(text)
    assert duration is not None
    periods = aligned_periods(duration, set_at)
    anchor = None if periods.budget_anchor is None else datetime.fromisoformat(periods.budget_anchor)
    return period_policy(periods.budget_duration, periods.budget_alignment, "UTC", anchor)


def period_of(text: str, instant: datetime = FRIDAY) -> Interval:
    return period_containing(policy_of(text), instant)


@pytest.mark.parametrize(
    ("text", "reset_at"),
    [
        ("30s", "2026-11-20T10:25:00"),
        ("45s", "2026-11-20T10:24:45"),
        ("7s", "2026-11-20T10:24:42"),
        ("90s", "2026-11-20T10:25:30"),
        ("100s", "2026-11-20T10:25:40"),
        ("3600s", "2026-11-20T11:24:00"),
        ("7m", "2026-11-20T10:28:00"),
        ("30m", "2026-11-20T10:30:00"),
        ("45m", "2026-11-20T10:45:00"),
        ("90m", "2026-11-20T11:30:00"),
        ("100m", "2026-11-20T11:40:00"),
        ("120m", "2026-11-20T12:00:00"),
        ("1440m", "2026-11-21T10:00:00"),
        ("1h", "2026-11-20T11:00:00"),
        ("1hr", "2026-11-20T11:00:00"),
        ("60min", "2026-11-20T11:00:00"),
        ("5h", "2026-11-20T15:00:00"),
        ("24h", "2026-11-21T00:00:00"),
        ("1d", "2026-11-21T00:00:00"),
        ("30h", "2026-11-21T06:00:00"),
        ("48h", "2026-11-22T00:00:00"),
        ("72h", "2026-11-23T00:00:00"),
        ("2d", "2026-11-22T00:00:00"),
        ("7d", "2026-11-23T00:00:00"),
        ("1w", "2026-11-23T00:00:00"),
        ("14d", "2026-12-04T00:00:00"),
        ("2w", "2026-12-04T00:00:00"),
        ("28d", "2026-12-18T00:00:00"),
        ("30d", "2026-12-01T00:00:00"),
        ("1mo", "2026-12-01T00:00:00"),
        ("31d", "2026-12-21T00:00:00"),
        ("2mo", "2027-01-01T00:00:00"),
        ("365d", "2027-11-20T00:00:00"),
    ],
)
def test_the_open_period_ends_where_litellm_resets(text: str, reset_at: str) -> None:
    assert period_of(text).end == datetime.fromisoformat(reset_at).replace(tzinfo=UTC)


@pytest.mark.parametrize(("text", "hours"), [("25h", 25), ("30h", 30), ("48h", 48), ("72h", 72), ("100h", 100)])
def test_so_many_hours_are_so_many_hours_for_ever(text: str, hours: int) -> None:
    policy = policy_of(text)
    period = period_containing(policy, FRIDAY)
    for _ in range(50):
        assert period.length == timedelta(hours=hours)
        period = next_period(policy, period)


@pytest.mark.parametrize(("text", "minutes"), [("90m", 90), ("45m", 45), ("100s", 100 / 60), ("1440m", 1_440)])
def test_so_many_minutes_are_so_many_minutes_for_ever(text: str, minutes: float) -> None:
    policy = policy_of(text)
    period = period_containing(policy, FRIDAY)
    for _ in range(50):
        assert period.length == timedelta(minutes=minutes)
        period = next_period(policy, period)


@pytest.mark.parametrize("text", ["", "5", "1y", "1.5d", " 1d", "1D", "-1d", "0d", "banana", "1hbanana", "9999999d"])
def test_anything_else_is_no_duration(text: str) -> None:
    assert duration_of(text) is None


@given(
    text=st.sampled_from(DURATIONS),
    set_at=st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    later=st.timedeltas(timedelta(), timedelta(days=800)),
)
def test_every_instant_lies_in_one_period_that_begins_on_a_whole_second(
    text: str, set_at: datetime, later: timedelta
) -> None:
    policy = policy_of(text, set_at)
    period = period_containing(policy, set_at + later)
    assert period.contains(set_at + later)
    assert period.start.microsecond == 0
    assert next_period(policy, period).start == period.end
