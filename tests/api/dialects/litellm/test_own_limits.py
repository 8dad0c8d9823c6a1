"""A customer's own limit over a shared budget is per period or in total, depending on the duration in effect."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.api.dialects.conftest import Spend
from tests.api.dialects.litellm.conftest import made, updated
from tests.engine_fixtures import Api, SettableClock


@pytest.fixture(scope="module", autouse=True)
def tiers(api: Api) -> None:
    tier(api, "one-a-day", max_budget=1, budget_duration="1d")
    tier(api, "two-a-day", max_budget=2, budget_duration="1d")
    tier(api, "two-in-all", max_budget=2)


def tier(api: Api, budget_id: str, **members: Any) -> None:
    api.post("/budget/new", {"budget_id": budget_id, **members}, 200)


def shown(api: Api, customer: str) -> tuple[Any, Any]:
    """(max_budget, budget_duration)"""
    table = api.get("/customer/info", end_user_id=customer)["litellm_budget_table"]
    assert (table["budget_reset_at"] is None) == (table["budget_duration"] is None)
    return table["max_budget"], table["budget_duration"]


def held(api: Api, customer: str) -> tuple[Any, Any]:
    """The limits (per period, in total) that decide access."""
    budget = api.get(f"/v1/customers/{customer}/budget")
    return budget["period_limit_usd"], budget["total_limit_usd"]


def is_allowed(api: Api, customer: str) -> bool:
    allowed: bool = api.get(f"/v1/customers/{customer}/access")["allowed"]
    return allowed


def next_day(clock: SettableClock) -> None:
    clock.set((clock() + timedelta(days=1)).replace(hour=1))


def test_a_limit_given_with_another_budget_is_per_period_of_that_budget(
    api: Api, spend: Spend, clock: SettableClock
) -> None:
    made(api, "mover", budget_id="one-a-day")
    moved = updated(api, "mover", budget_id="two-a-day", max_budget=7)
    assert (moved["budget_id"], shown(api, "mover"), held(api, "mover")) == ("two-a-day", (7.0, "1d"), ("7", None))
    assert api.get("/v1/customers/mover")["budget"]["period_limit_usd"] == "7"
    spend("mover", "6.5")
    assert is_allowed(api, "mover")
    spend("mover", "0.5")
    assert not is_allowed(api, "mover")
    next_day(clock)
    assert is_allowed(api, "mover")
    rows = api.post("/budget/info", {"budgets": ["one-a-day", "two-a-day"]}, 200)
    assert [row["max_budget"] for row in rows] == [1.0, 2.0]


def test_a_limit_given_with_a_budget_without_a_duration_is_in_total(
    api: Api, spend: Spend, clock: SettableClock
) -> None:
    made(api, "mover-in-all", budget_id="one-a-day")
    updated(api, "mover-in-all", budget_id="two-in-all", max_budget=7)
    assert (shown(api, "mover-in-all"), held(api, "mover-in-all")) == ((7.0, None), (None, "7"))
    spend("mover-in-all", "7")
    next_day(clock)
    assert not is_allowed(api, "mover-in-all")


def test_a_limit_and_a_duration_given_with_another_budget_are_the_customers_own(api: Api) -> None:
    for budget_id in ("one-a-day", "two-in-all"):
        customer = f"both-{budget_id}"
        made(api, customer)
        updated(api, customer, budget_id=budget_id, max_budget=7, budget_duration="1w")
        assert (shown(api, customer), held(api, customer)) == ((7.0, "1w"), ("7", None))


def test_a_duration_of_its_own_makes_a_limit_in_total_one_per_period(
    api: Api, spend: Spend, clock: SettableClock
) -> None:
    tier(api, "limit-only", max_budget=2)
    made(api, "new-daily", budget_id="limit-only", budget_duration="1d")
    assert (shown(api, "new-daily"), held(api, "new-daily")) == ((2.0, "1d"), ("2", None))
    spend("new-daily", "2")
    assert not is_allowed(api, "new-daily")
    next_day(clock)
    assert is_allowed(api, "new-daily")

    made(api, "moved-daily")
    updated(api, "moved-daily", budget_id="limit-only", budget_duration="1d")
    api.post("/budget/update", {"budget_id": "limit-only", "max_budget": 3}, 200)
    for customer in ("new-daily", "moved-daily"):
        assert (shown(api, customer), held(api, customer)) == ((3.0, "1d"), ("3", None))


def test_a_limit_of_its_own_follows_the_duration_that_its_budget_loses_and_gains(
    api: Api, spend: Spend, clock: SettableClock
) -> None:
    tier(api, "changing", max_budget=2, budget_duration="1d")
    made(api, "follower")
    updated(api, "follower", budget_id="changing", max_budget=7)
    spend("follower", "5")
    next_day(clock)
    spend("follower", "2")
    assert is_allowed(api, "follower")

    api.post("/budget/update", {"budget_id": "changing", "budget_duration": None}, 200)
    assert (shown(api, "follower"), held(api, "follower")) == ((7.0, None), (None, "7"))
    assert not is_allowed(api, "follower")

    api.post("/budget/update", {"budget_id": "changing", "budget_duration": "1d"}, 200)
    assert (shown(api, "follower"), held(api, "follower")) == ((7.0, "1d"), ("7", None))
    assert is_allowed(api, "follower")
    assert updated(api, "follower", max_budget=8)["litellm_budget_table"]["max_budget"] == 8.0
    assert held(api, "follower") == ("8", None)


def test_a_duration_of_its_own_stays_whatever_becomes_of_that_of_its_budget(api: Api) -> None:
    tier(api, "unsteady", max_budget=2, budget_duration="1d")
    made(api, "steady", budget_id="unsteady", budget_duration="1w")
    for duration in (None, "1mo"):
        api.post("/budget/update", {"budget_id": "unsteady", "budget_duration": duration}, 200)
        assert (shown(api, "steady"), held(api, "steady")) == ((2.0, "1w"), ("2", None))


def test_null_leaves_the_duration_alone(api: Api) -> None:
    made(api, "nulled")
    updated(api, "nulled", budget_id="two-a-day", max_budget=7, budget_duration=None)
    updated(api, "nulled", budget_duration=None)
    assert (shown(api, "nulled"), held(api, "nulled")) == ((7.0, "1d"), ("7", None))


def test_a_limit_of_its_own_outlives_its_budget(api: Api) -> None:
    tier(api, "short-lived", max_budget=2, budget_duration="1d")
    for customer in ("leaver", "outliver"):
        made(api, customer)
        updated(api, customer, budget_id="short-lived", max_budget=7)
    updated(api, "leaver", budget_id=None)
    api.post("/budget/delete", {"id": "short-lived"}, 200)
    for customer in ("leaver", "outliver"):
        assert (shown(api, customer), held(api, customer)) == ((7.0, None), (None, "7"))


def test_a_reset_of_its_own_moves_the_periods_of_its_budget_for_one_customer(api: Api) -> None:
    made(api, "early", budget_id="two-a-day", budget_reset_at="2031-01-01T06:00:00Z")
    table = api.get("/customer/info", end_user_id="early")["litellm_budget_table"]
    assert (table["max_budget"], table["budget_duration"], table["budget_reset_at"][11:]) == (2.0, "1d", "06:00:00Z")
    assert held(api, "early") == ("2", None)


def test_limits_that_another_api_sets_stand_each_by_itself(api: Api) -> None:
    made(api, "native-too")
    updated(api, "native-too", budget_id="two-a-day", max_budget=7)
    api.patch("/v1/customers/native-too", {"budget": {"total_limit_usd": "50"}})
    assert held(api, "native-too") == ("7", "50")
    updated(api, "native-too", max_budget=9)
    assert (shown(api, "native-too"), held(api, "native-too")) == ((9.0, "1d"), ("9", None))
