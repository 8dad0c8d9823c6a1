"""Unknown cost is never shown as 0: sums tell how many events they lack, budgets and access that they are bounds."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.engine_fixtures import Api, JsonObject, SettableClock, customer_path, llm_request

#: A model that nobody prices.
UNPRICED = "nobody-prices-this"
BOUND = {"cost_unknown_events": 1, "spend_is_lower_bound": True}
ALL_KNOWN = {"cost_unknown_events": 0, "spend_is_lower_bound": False}
AT_LEAST = "The cost of 1 event is unknown: at least the sum shown is spent."


@pytest.fixture(scope="module", autouse=True)
def usage(api: Api, clock: SettableClock) -> None:
    """`mixed` has one event of known and one of unknown cost, `unknown` one of unknown cost alone, `known` of none."""
    limits = {"period_limit_usd": "10", "duration": "1mo"}
    for customer in ("mixed", "unknown", "known"):
        api.post("/v1/customers", {"id": customer, "budget": limits})
    api.deliver(
        [
            llm_request("mixed 1", "mixed", clock(), cost_usd="1.5"),
            llm_request("mixed 2", "mixed", clock(), model=UNPRICED),
            llm_request("unknown 1", "unknown", clock(), model=UNPRICED),
            llm_request("known 1", "known", clock(), cost_usd="1.5"),
        ]
    )
    clock.advance(minutes=1)


def sums(measures: JsonObject) -> tuple[str, str, int]:
    return measures["cost_usd"], measures["reported_cost_usd"], measures["cost_unknown_events"]


@pytest.mark.parametrize(
    ("customer", "shown"), [("mixed", ("1.5", "1.5", 1)), ("unknown", ("0", "0", 1)), ("known", ("1.5", "1.5", 0))]
)
def test_every_sum_of_usage_counts_the_events_that_it_lacks(
    api: Api, customer: str, shown: tuple[str, str, int]
) -> None:
    current = api.get(customer_path(customer, "/current-usage"))
    assert sums(current["usage"]) == shown
    assert sum(one["cost_unknown_events"] for one in current["by_model"]) == shown[2]
    of_budget = api.get(customer_path(customer, "/current-usage"), period="budget")
    assert sums(of_budget["usage"]) == shown
    (by_day,) = api.get(customer_path(customer, "/usage"), window="day")["data"]
    assert sums(by_day) == shown
    grouped = api.get("/v1/usage", group_by="customer")["data"]
    assert [sums(row) for row in grouped if row["group"] == {"customer": customer}] == [shown]


@pytest.mark.parametrize(
    ("customer", "value", "unknown"), [("mixed", "1.5", 1), ("unknown", "0", 1), ("known", "1.5", 0)]
)
def test_the_meter_of_cost_counts_the_events_that_it_lacks(api: Api, customer: str, value: str, unknown: int) -> None:
    (row,) = api.get(customer_path(customer, "/usage"), meter="cost_usd")["data"]
    assert (row["value"], row["cost_unknown_events"]) == (value, unknown)
    (tokens,) = api.get(customer_path(customer, "/usage"), meter="total_tokens")["data"]
    assert tokens["cost_unknown_events"] is None


def test_an_event_of_unknown_cost_has_no_cost(api: Api) -> None:
    (event,) = api.get("/v1/events", customer="unknown")["data"]
    assert (event["cost_usd"], event["cost_origin"]) == (None, "unknown")
    explained = api.get("/v1/events/one", source="gateway", id="unknown 1")
    assert (explained["event"]["cost_usd"], explained["event"]["cost_origin"]) == (None, "unknown")
    assert (explained["cost"]["cost_usd"], explained["cost"]["reported_cost_usd"]) == (None, None)


@pytest.mark.parametrize(
    ("customer", "spent", "bound"), [("mixed", "1.5", BOUND), ("unknown", "0", BOUND), ("known", "1.5", ALL_KNOWN)]
)
def test_a_budget_and_access_tell_that_spending_is_a_lower_bound(
    api: Api, customer: str, spent: str, bound: JsonObject
) -> None:
    budget = api.get(customer_path(customer, "/budget"))
    assert (budget["period_spent_usd"], budget["total_spent_usd"]) == (spent, spent)
    assert {name: budget[name] for name in BOUND} == bound
    assert budget["period_cost_unknown_events"] == bound["cost_unknown_events"]
    access = api.get(customer_path(customer, "/access"))
    assert (access["allowed"], access["reason"]) == (True, "ok")
    told = f"{AT_LEAST} The cost that is known reaches no limit that refuses."
    assert access["reason_text"] == (told if bound is BOUND else None)
    assert {name: access[name] for name in BOUND} == bound
    (limit,) = access["limits"]
    assert (limit["spent"], {name: limit[name] for name in BOUND}) == (spent, bound)


def test_events_of_unknown_cost_count_against_the_limits_whose_time_and_model_they_have(
    api: Api, clock: SettableClock
) -> None:
    limits = {
        "period_limit_usd": "10",
        "duration": "1mo",
        "total_limit_usd": "20",
        "model_limits": {UNPRICED: {"limit_usd": "5", "duration": "1d"}, "swift": {"limit_usd": "5"}},
    }
    last_month, yesterday = clock() - timedelta(days=20), clock() - timedelta(days=1)
    api.post("/v1/customers", {"id": "split", "budget": limits, "effective_at": last_month.isoformat()})
    api.deliver(
        [
            llm_request("split 1", "split", last_month, model=UNPRICED),
            llm_request("split 2", "split", yesterday, model=UNPRICED),
            llm_request("split 3", "split", clock(), model=UNPRICED),
            llm_request("split 4", "split", clock(), model="unpriced-too"),
        ]
    )
    budget = api.get(customer_path("split", "/budget"))
    assert (budget["cost_unknown_events"], budget["period_cost_unknown_events"]) == (4, 3)
    by_model = {
        one["model"]: (one["cost_unknown_events"], one["spend_is_lower_bound"]) for one in budget["model_limits"]
    }
    assert by_model == {UNPRICED: (1, True), "swift": (0, False)}
    access = api.get(customer_path("split", "/access"), model=UNPRICED)
    counts = {limit["name"]: limit["cost_unknown_events"] for limit in access["limits"]}
    assert counts == {"period": 3, "total": 4, f"model:{UNPRICED}": 1}
    assert access["cost_unknown_events"] == 4


def test_known_spending_that_reaches_a_limit_refuses_whatever_is_unknown(api: Api, clock: SettableClock) -> None:
    api.post("/v1/customers", {"id": "over", "budget": {"total_limit_usd": "1"}})
    api.deliver([llm_request("over 1", "over", clock(), model=UNPRICED)])
    assert api.get(customer_path("over", "/access"))["allowed"] is True
    api.deliver([llm_request("over 2", "over", clock(), cost_usd="1")])
    access = api.get(customer_path("over", "/access"))
    assert (access["allowed"], access["reason"]) == (False, "total_limit")
    assert access["reason_text"] == f"{AT_LEAST} The cost that is known reaches the limit by itself."
    api.post(customer_path("over", "/block"), status=200)
    assert api.get(customer_path("over", "/access"))["reason_text"] == AT_LEAST


def test_access_that_no_limit_decides_rests_on_no_bound(api: Api, clock: SettableClock) -> None:
    api.deliver([llm_request("free 1", "free", clock(), model=UNPRICED)])
    access = api.get(customer_path("free", "/access"))
    assert (access["reason"], access["reason_text"], access["limits"]) == ("ok", None, [])
    assert {name: access[name] for name in BOUND} == ALL_KNOWN
    assert api.get(customer_path("free", "/budget"))["spend_is_lower_bound"] is True


def test_an_ended_period_tells_what_was_unknown_when_it_closed_and_became_known_since(
    api: Api, clock: SettableClock
) -> None:
    api.deliver([llm_request("late", "ended", clock(), model="priced-late", input_tokens=1_000_000, output_tokens=0)])
    clock.advance(days=40)
    api.post("/v1/prices", {"provider": "acme", "model": "priced-late", "unit_prices": {"input": "2", "output": "2"}})
    (past,) = api.get(customer_path("ended", "/past-usage"), periods=1)["periods"]
    assert (sums(past["at_closing"]), sums(past["now"])) == (("0", "0", 1), ("2", "2", 0))
    assert sums(past["difference"]) == ("2", "2", -1)


def test_a_request_that_named_its_tier_of_service_gets_a_cost_once_there_is_a_price(api: Api) -> None:
    flex = llm_request("tiered", "tiered", model="priced-later", input_tokens=1_000_000, service_tier="flex")
    plain = llm_request("plain", "tiered", model="priced-later", input_tokens=1_000_000)
    api.deliver([flex, plain])
    api.post("/v1/prices", {"provider": "acme", "model": "priced-later", "unit_prices": {"input": "2", "output": "0"}})
    events = [api.get("/v1/events/one", source="gateway", id=one)["event"] for one in ("tiered", "plain")]
    assert [(event["cost_usd"], event["cost_origin"]) for event in events] == [("2", "price")] * 2
