"""Ten thousand customers of one shared budget begin a new period at the same instant, each with an exact history."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from domain.budgets.budgeted_customers import BudgetedChange, CreateBudgetedCustomer
from domain.event import Provenance
from domain.scope import DEFAULT_SCOPE
from tests.api.dialects.litellm.conftest import FRIDAY
from tests.engine_fixtures import Api, SettableClock, engine_on, http, llm_request

CUSTOMERS = 5_000
#: Of so many customers one is also asked for its closed periods by itself.
SAMPLED_EVERY = 50
MIDNIGHT = FRIDAY.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
MICROSECOND = timedelta(microseconds=1)
TIER = "five-thousand"


def name(number: int) -> str:
    return f"tiered-{number:05d}"


def before(number: int) -> Decimal:
    return Decimal(number) / 1_000


def after(number: int) -> Decimal:
    return Decimal(number % 7 + 1) / 1_000_000


def spends(api: Api) -> list[float]:
    return [one["spend"] for one in api.get("/customer/list")]


def on_tier(customer: object, budget_of: object) -> BudgetedChange:
    return BudgetedChange({"budget_id": TIER}, budget_id=TIER)


def deliver(api: Api, label: str, at: datetime, amount: Any) -> None:
    for start in range(0, CUSTOMERS, 2_500):
        numbers = range(start, start + 2_500)
        events = [llm_request(f"{label}-{n}", name(n), at, cost_usd=str(amount(n))) for n in numbers]
        assert api.deliver(events)["counts"]["counted"] == len(events)


def test_all_roll_over_at_once_with_exact_history(tmp_path: Path) -> None:
    clock = SettableClock(FRIDAY)
    with engine_on(tmp_path, clock) as engine, http(engine) as api:
        api.post("/budget/new", {"budget_id": TIER, "max_budget": 5, "budget_duration": "1d"}, 200)
        for number in range(CUSTOMERS):
            engine.commands.handle(CreateBudgetedCustomer(DEFAULT_SCOPE, Provenance("test"), name(number), on_tier))
        deliver(api, "before", MIDNIGHT - MICROSECOND, before)

        clock.set(MIDNIGHT - MICROSECOND)
        assert spends(api) == [float(before(n)) for n in range(CUSTOMERS)]
        clock.set(MIDNIGHT)
        assert spends(api) == [0.0] * CUSTOMERS
        deliver(api, "after", MIDNIGHT, after)
        assert spends(api) == [float(after(n)) for n in range(CUSTOMERS)]

        days = {"from": (MIDNIGHT - timedelta(days=1)).isoformat(), "to": (MIDNIGHT + timedelta(days=1)).isoformat()}
        history = api.get("/v1/usage", group_by="customer", window="day", **days)["data"]
        by_day: dict[str, dict[str, Decimal]] = {}
        for row in history:
            by_day.setdefault(row["window_start"][:10], {})[row["group"]["customer"]] = Decimal(
                row["reported_cost_usd"]
            )
        assert by_day == {
            "2026-11-20": {name(n): before(n) for n in range(CUSTOMERS)},
            "2026-11-21": {name(n): after(n) for n in range(CUSTOMERS)},
        }
        for number in range(0, CUSTOMERS, SAMPLED_EVERY):
            (past,) = api.get(f"/v1/customers/{name(number)}/past-usage", period="budget")["periods"]
            assert (past["start"], past["end"]) == ("2026-11-20T00:00:00.000000Z", "2026-11-21T00:00:00.000000Z")
            assert Decimal(past["now"]["reported_cost_usd"]) == before(number)
