"""Budget periods through Respan's routes: anchored, rolling by themselves, moved, and ended where the client says."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.api.dialects.conftest import Spend
from tests.api.dialects.respan.conftest import updated, user
from tests.engine_fixtures import Api, SettableClock


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def period(shown: Any) -> tuple[str, str]:
    """The bounds of the shown period, as days where they are midnights."""
    start, end = (shown[name].removesuffix("T00:00:00Z") for name in ("period_start", "period_end"))
    return start, end


def same_as_native(api: Api, customer: str) -> Any:
    """What the customer used in its period, as both APIs tell it."""
    used = user(api, customer)["total_period_usage"]
    native = api.get(f"/v1/customers/{customer}/budget")
    assert (native["period"] is not None, float(native["period_spent_usd"])) == (True, used)
    return used


def test_a_customer_without_a_policy_shows_the_month_in_utc(api: Api, spend: Spend) -> None:
    spend("plain", "1", day("2026-02-28"))
    spend("plain", "2", day("2026-03-01"))
    shown = user(api, "plain")
    assert (period(shown), shown["total_period_usage"]) == (("2026-03-01", "2026-04-01"), 2.0)
    assert (shown["budget_duration"], shown["period_budget"], shown["total_budget"]) == ("monthly", None, None)


def test_a_budget_without_a_duration_keeps_the_month_in_utc(api: Api, spend: Spend) -> None:
    """Reading: without a duration, start or end the period is the customer's usage period."""
    spend("undated", "2", day("2026-03-09"))
    assert period(updated(api, "undated", period_budget=5)) == ("2026-03-01", "2026-04-01")
    assert same_as_native(api, "undated") == 2.0


@pytest.mark.parametrize(
    ("duration", "expected"),
    [
        ("daily", ("2026-03-25", "2026-03-26")),
        ("weekly", ("2026-03-23", "2026-03-30")),
        ("monthly", ("2026-03-09", "2026-04-09")),
        ("yearly", ("2026-03-09", "2027-03-09")),
    ],
)
def test_a_duration_counts_from_the_date_first_seen(
    api: Api, spend: Spend, duration: str, expected: tuple[str, str]
) -> None:
    """Reading: the date first seen becomes the anchor when a command sets a policy."""
    customer = f"seen-{duration}"
    spend(customer, "1", datetime(2026, 3, 9, 17, 30, tzinfo=UTC))
    spend(customer, "2")
    shown = updated(api, customer, budget_duration=duration, period_budget=10)
    assert (period(shown), shown["budget_duration"]) == (expected, duration)
    assert same_as_native(api, customer) == (3.0 if duration in ("monthly", "yearly") else 2.0)


def test_a_late_event_does_not_move_a_period_that_is_set(api: Api, spend: Spend) -> None:
    """Reading: an anchor that was set stays."""
    spend("late", "1", day("2026-03-09"))
    updated(api, "late", budget_duration="monthly")
    spend("late", "4", day("2026-03-02"))
    shown = user(api, "late")
    assert (period(shown), shown["total_period_usage"]) == (("2026-03-09", "2026-04-09"), 1.0)
    assert period(updated(api, "late", budget_duration="weekly")) == ("2026-03-23", "2026-03-30")


def test_a_start_alone_is_the_start_of_monthly_periods(api: Api, spend: Spend) -> None:
    """Reading: the duration is monthly where none is set."""
    spend("started", "1", day("2026-03-11"))
    spend("started", "2", day("2026-03-12"))
    shown = updated(api, "started", period_start="2026-03-12", period_budget=9)
    assert (period(shown), shown["budget_duration"]) == (("2026-03-12", "2026-04-12"), "monthly")
    assert same_as_native(api, "started") == 2.0


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("2026-03-12", "2026-03-12T00:00:00Z"),
        ("2026-03-12T08:30:00Z", "2026-03-12T08:30:00Z"),
        ("2026-03-12T08:30:00.250+02:00", "2026-03-12T06:30:00.250000Z"),
        ("2026-03-12T08:30:00", "2026-03-12T08:30:00Z"),
        ("2026-03-12 08:30:00", "2026-03-12T08:30:00Z"),
    ],
)
def test_a_date_is_its_midnight_and_a_time_without_an_offset_is_one_in_utc(
    api: Api, spend: Spend, given: str, shown: str
) -> None:
    """Reading: a time without an offset is one in UTC."""
    spend("dated", "1", day("2026-03-01"))
    assert updated(api, "dated", period_start=given)["period_start"] == shown


def test_an_explicit_end_makes_the_first_period_exactly_that(api: Api, spend: Spend) -> None:
    spend("exact", "1", day("2026-03-01"))
    ends = {"period_start": "2026-02-10", "period_end": "2026-03-31T12:00:00Z", "budget_duration": "monthly"}
    assert period(updated(api, "exact", **ends)) == ("2026-02-10", "2026-03-31T12:00:00Z")
    past = {"period_start": "2026-01-05", "period_end": "2026-01-31", "budget_duration": "monthly"}
    spend("over", "1", day("2026-03-01"))
    assert period(updated(api, "over", **past)) == ("2026-02-28", "2026-03-31")


def test_an_end_alone_ends_the_open_period(api: Api, spend: Spend) -> None:
    """Reading: the start that is shown is kept."""
    spend("ending", "1", day("2026-03-01"))
    assert period(updated(api, "ending", period_end="2026-06-15")) == ("2026-03-01", "2026-06-15")
    assert period(updated(api, "ending", period_end=None)) == ("2026-03-01", "2026-04-01")


def test_a_start_after_the_end_of_an_earlier_period_drops_that_end(api: Api, spend: Spend) -> None:
    """Reading: a client renews a budget by moving its start to now."""
    spend("renewed", "1", day("2026-02-01"))
    updated(api, "renewed", period_start="2026-02-01", period_end="2026-03-20", budget_duration="monthly")
    renewed = updated(api, "renewed", period_budget=50, period_start="2026-03-25", budget_duration="monthly")
    assert period(renewed) == ("2026-03-25", "2026-04-25")


def test_a_start_that_is_moved_back_is_shown_as_set_and_summed_again(
    api: Api, spend: Spend, clock: SettableClock
) -> None:
    """Reading: closed periods that a moved start reaches into end there."""
    for number, when in enumerate(("2026-02-15", "2026-02-25", "2026-03-05", "2026-03-24")):
        spend("moved", 10**number, day(when))
    updated(api, "moved", budget_duration="monthly", period_start="2026-02-01", period_budget=1)
    assert (period(user(api, "moved")), same_as_native(api, "moved")) == (("2026-03-01", "2026-04-01"), 1100.0)
    clock.advance(seconds=1)
    assert period(updated(api, "moved", period_start="2026-02-26")) == ("2026-02-26", "2026-03-26")
    assert same_as_native(api, "moved") == 1100.0
    clock.advance(seconds=1)
    assert period(updated(api, "moved", period_start="2026-02-25")) == ("2026-03-25", "2026-04-25")
    assert same_as_native(api, "moved") == 0.0


def test_a_start_that_lies_ahead_is_the_end_of_the_open_period(api: Api, spend: Spend, clock: SettableClock) -> None:
    """Reading: the open period runs until a start that lies ahead."""
    spend("ahead", "1", day("2026-03-02"))
    updated(api, "ahead", budget_duration="monthly", period_start="2026-03-01", period_budget=1)
    clock.advance(seconds=1)
    assert period(updated(api, "ahead", period_start="2026-05-10")) == ("2026-03-01", "2026-05-10")
    assert same_as_native(api, "ahead") == 1.0


def test_durations_of_other_apis_are_shown_as_respan_names_them(api: Api) -> None:
    """Reading: a duration that Respan has no word for is shown as stored."""
    for stored, shown in (
        ("1d", "daily"), ("24h", "daily"), ("7d", "weekly"), ("1w", "weekly"), ("30d", "monthly"), ("1mo", "monthly"),
        ("1y", "yearly"), ("90d", "90d"), ("hourly", "1h"),
    ):  # fmt: skip
        api.post("/v1/customers", {"id": f"stored-{stored}", "budget": {"duration": stored}})
        assert user(api, f"stored-{stored}")["budget_duration"] == shown


def test_a_duration_set_here_is_anchored_where_another_api_aligned_it(api: Api) -> None:
    api.post("/customer/new", {"user_id": "aligned", "budget_duration": "1mo", "max_budget": 5}, 200)
    aligned = user(api, "aligned")
    assert (period(aligned), aligned["period_budget"]) == (("2026-03-01", "2026-04-01"), 5.0)
    assert period(updated(api, "aligned", budget_duration="monthly"))[0].startswith("2026-03-25T10:24:")


# The clock runs from here on.


def test_periods_roll_by_themselves_clamped_at_month_ends_and_several_at_once(
    api: Api, spend: Spend, clock: SettableClock
) -> None:
    spend("rolling", "1", day("2026-03-25"))
    updated(api, "rolling", period_start="2026-01-31", budget_duration="monthly", period_budget=100)
    assert period(user(api, "rolling")) == ("2026-02-28", "2026-03-31")
    for now, expected in (
        ("2026-03-31", ("2026-03-31", "2026-04-30")),
        ("2026-05-01", ("2026-04-30", "2026-05-31")),
        ("2027-03-01", ("2027-02-28", "2027-03-31")),
        ("2028-02-29", ("2028-02-29", "2028-03-31")),
    ):
        clock.set(day(now))
        shown = user(api, "rolling")
        assert (period(shown), shown["total_period_usage"]) == (expected, 0.0)
        assert same_as_native(api, "rolling") == 0.0
