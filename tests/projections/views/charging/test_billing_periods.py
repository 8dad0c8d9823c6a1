"""Billing periods: whole local days by the interval of the plan, of the calendar or from the start, cut to the term."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.plans.fields import INTERVALS
from domain.subscriptions.lives import SubscriptionLife, Term
from domain.values.periods import USAGE_TIME_MIN, Interval
from projections.views.charging.billing_periods import (
    BillingPeriod,
    Zones,
    billing_period,
    billing_timeline,
)

UTC_ZONE: Zones = ((USAGE_TIME_MIN, "UTC"),)
BERLIN: Zones = ((USAGE_TIME_MIN, "Europe/Berlin"),)


ZONES = ("UTC", "America/Los_Angeles", "Asia/Tokyo", "Pacific/Kiritimati", "Pacific/Pago_Pago")


def moving_often(names: list[str]) -> Zones:
    """Another zone every twenty days, from 2020 on."""
    moves = tuple((instant("2020-01-01") + timedelta(days=20 * n), name) for n, name in enumerate(names * 3))
    return ((USAGE_TIME_MIN, "UTC"), *moves)


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def period(start: str, at: str, interval: str, billing: str, zones: Zones = UTC_ZONE) -> BillingPeriod:
    term = Term("plan", instant(start), None)
    life = SubscriptionLife("sub", "ada", billing, None, term.start, None, (term,))
    return billing_period(billing_timeline(life, interval, zones), term, instant(at))


@pytest.mark.parametrize(
    ("interval", "billing", "start", "end"),
    [
        ("weekly", "calendar", "2026-05-11", "2026-05-18"),
        ("weekly", "anniversary", "2026-05-09", "2026-05-16"),
        ("monthly", "calendar", "2026-05-01", "2026-06-01"),
        ("monthly", "anniversary", "2026-04-30", "2026-05-31"),
        ("quarterly", "calendar", "2026-04-01", "2026-07-01"),
        ("quarterly", "anniversary", "2026-04-30", "2026-07-31"),
        ("semiannual", "calendar", "2026-01-01", "2026-07-01"),
        ("semiannual", "anniversary", "2026-01-31", "2026-07-31"),
        ("yearly", "calendar", "2026-01-01", "2027-01-01"),
        ("yearly", "anniversary", "2026-01-31", "2027-01-31"),
    ],
)
def test_a_period_begins_by_the_calendar_or_on_the_day_of_the_start(
    interval: str, billing: str, start: str, end: str
) -> None:
    found = period("2026-01-31T15:30:00", "2026-05-15T12:00:00", interval, billing)

    assert found.whole == Interval(instant(start), instant(end))


def test_a_month_that_is_too_short_ends_early_and_the_next_one_does_not() -> None:
    starts = [
        period("2026-01-31T15:30:00", at, "monthly", "anniversary").whole.start.date().isoformat()
        for at in ("2026-02-28T00:00:00", "2026-03-30T23:59:59", "2026-03-31T00:00:00", "2026-04-30T00:00:00")
    ]

    assert starts == ["2026-02-28", "2026-02-28", "2026-03-31", "2026-04-30"]


def test_the_first_period_begins_as_the_subscription_starts_and_has_its_share() -> None:
    found = period("2026-04-16T12:00:00", "2026-04-20T00:00:00", "monthly", "calendar")

    assert found.span == Interval(instant("2026-04-16T12:00:00"), instant("2026-05-01"))
    assert round(found.share, 12) == round(Decimal(29) / 60, 12)


def test_periods_are_local_days_also_where_the_clock_changes() -> None:
    found = period("2026-03-05T00:00:00", "2026-03-20T00:00:00", "monthly", "calendar", BERLIN)

    assert found.whole == Interval(instant("2026-02-28T23:00:00"), instant("2026-03-31T22:00:00"))


def test_a_customer_that_moves_has_no_gap_between_periods() -> None:
    moved: Zones = ((USAGE_TIME_MIN, "UTC"), (instant("2026-05-10"), "America/New_York"))
    may = period("2026-03-05T00:00:00", "2026-05-15T00:00:00", "monthly", "calendar", moved).whole
    june = period("2026-03-05T00:00:00", "2026-06-15T00:00:00", "monthly", "calendar", moved).whole

    assert (may.end, june.start) == (instant("2026-06-01T04:00:00"), instant("2026-06-01T04:00:00"))


@pytest.mark.parametrize(
    ("billing", "end"),
    [("calendar", "2026-06-01T04:00:00"), ("anniversary", "2026-05-30T04:00:00")],  # it started on 30 April there
)
@pytest.mark.parametrize("at", ["2026-05-01T00:00:00", "2026-05-01T03:59:59", "2026-05-30T03:59:59"])
def test_the_month_of_a_move_to_the_west_is_longer_and_no_rest_of_it_is_a_period(
    billing: str, end: str, at: str
) -> None:
    moved: Zones = ((USAGE_TIME_MIN, "UTC"), (instant("2026-05-29"), "America/New_York"))

    found = period("2026-05-01T00:00:00", at, "monthly", billing, moved)

    assert found.span == Interval(instant("2026-05-01"), instant(end))
    assert found.share == 1


def test_the_month_of_a_move_to_the_east_is_shorter() -> None:
    moved: Zones = ((USAGE_TIME_MIN, "UTC"), (instant("2026-05-30"), "Europe/Berlin"))

    found = period("2026-04-01T00:00:00", "2026-05-01T00:00:00", "monthly", "calendar", moved)

    assert found.span == Interval(instant("2026-05-01"), instant("2026-05-31T22:00:00"))


@given(
    st.integers(0, 5_000_000),
    st.integers(0, 2_000_000),
    st.sampled_from(sorted(INTERVALS)),
    st.sampled_from(["calendar", "anniversary"]),
    st.one_of(
        st.sampled_from([UTC_ZONE, BERLIN, ((USAGE_TIME_MIN, "America/St_Johns"),)]),
        st.lists(st.sampled_from(ZONES), min_size=1, max_size=3).map(moving_often),
    ),
)
def test_periods_of_a_subscription_follow_one_another_without_gap_or_overlap(
    started: int, minutes: int, interval: str, billing: str, zones: Zones
) -> None:
    term = Term("plan", instant("2020-01-01") + timedelta(minutes=started), None)
    life = SubscriptionLife("sub", "ada", billing, None, term.start, None, (term,))
    timeline = billing_timeline(life, interval, zones)
    at = term.start + timedelta(minutes=minutes)

    found = billing_period(timeline, term, at)
    following = billing_period(timeline, term, found.span.end)

    assert found.span.contains(at)
    assert found.span.start == max(found.whole.start, term.start)
    assert following.span.start == found.span.end
    assert Decimal(0) < found.share <= 1
