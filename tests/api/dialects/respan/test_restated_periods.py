"""A closed period that a moved `period_start` or a back-dated change redraws is marked as restated."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.api.dialects.conftest import Spend
from tests.api.dialects.respan.conftest import updated, user
from tests.engine_fixtures import Api, SettableClock


@pytest.fixture(scope="module")
def clock() -> SettableClock:
    return SettableClock(datetime(2026, 3, 2, tzinfo=UTC))


def on(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def past(api: Api, customer: str, **params: str) -> list[Any]:
    """Closed periods, newest first: bounds, cost at closing and now, the mark, and the bounds known at closing."""
    shown = api.get(f"/v1/customers/{customer}/past-usage", **params)["periods"]
    costs = ("at_closing", "now")
    return [
        (
            bounds(one),
            *(one[name]["reported_cost_usd"] for name in costs),
            one["restated"],
            bounds(one["period_at_closing"]),
        )
        for one in shown
    ]


def bounds(period: Any) -> tuple[str, str] | None:
    return None if period is None else (period["start"][5:16], period["end"][5:16])


MARCH = ("03-01T00:00", "04-01T00:00")
APRIL = ("04-01T00:00", "05-01T00:00")


def test_redrawn_periods_are_restated(api: Api, spend: Spend, clock: SettableClock) -> None:
    for name in ("moved", "tiered"):
        spend(name, "1", on("2026-03-02"))
    updated(api, "moved", budget_duration="monthly", period_start="2026-03-01", period_budget=9)
    api.post("/v1/budgets", {"id": "tier", "duration": "1mo", "period_limit_usd": "9"})
    api.patch("/v1/customers/tiered", {"budget": {"budget_id": "tier"}})
    api.post("/v1/customers", {"id": "zoned"})

    clock.set(on("2026-03-20"))
    spend("moved", "2", on("2026-03-20"))
    clock.set(on("2026-05-04T12:00"))
    budget = {"period": "budget"}
    assert past(api, "moved", **budget) == [(APRIL, "0", "0", False, APRIL), (MARCH, "3", "3", False, MARCH)]
    assert past(api, "tiered", **budget) == [(APRIL, "0", "0", False, APRIL), (MARCH, "1", "1", False, MARCH)]
    assert past(api, "zoned") == [(APRIL, "0", "0", False, APRIL), (MARCH, "0", "0", False, MARCH)]

    assert updated(api, "moved", period_start="2026-03-15")["period_start"] == "2026-04-15T00:00:00Z"
    first, second = ("03-01T00:00", "03-15T00:00"), ("03-15T00:00", "04-15T00:00")
    assert past(api, "moved", **budget) == [(second, "2", "2", True, MARCH), (first, "1", "1", True, MARCH)]
    assert user(api, "moved")["total_period_usage"] == 0.0

    back_dated = {"effective_at": "2026-04-08T00:00:00Z"}
    api.patch("/v1/budgets/tier", {"duration": "1w", **back_dated})
    assert past(api, "tiered", **budget, periods="6")[3:] == [
        (("04-06T00:00", "04-13T00:00"), "0", "0", True, APRIL),
        (("04-01T00:00", "04-06T00:00"), "0", "0", True, APRIL),
        (MARCH, "1", "1", False, MARCH),
    ]

    api.patch("/v1/customers/zoned", {"time_zone": "America/New_York", "effective_at": "2026-03-20T00:00:00Z"})
    assert past(api, "zoned") == [
        (("04-01T04:00", "05-01T04:00"), "0", "0", True, APRIL),
        (("03-01T05:00", "04-01T04:00"), "0", "0", True, MARCH),
    ]


def test_a_period_that_closed_before_the_customer_was_known_is_restated_by_its_numbers(
    api: Api, spend: Spend, clock: SettableClock
) -> None:
    clock.set(on("2026-05-05"))
    spend("imported", "4", on("2026-04-07"))
    assert past(api, "imported") == [(APRIL, "0", "4", True, None)]
