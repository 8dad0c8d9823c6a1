"""Usage of a model without a price is counted with unknown cost, never as free, until a price is set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine_fixtures import NOON, Api, JsonObject, SettableClock, customer_path, engine_on, http, llm_request

PRICE = {"provider": "acme", "model": "swift", "unit_prices": {"input": "2", "output": "10"}}
DEARER = {"provider": "acme", "model": "swift", "unit_prices": {"input": "200", "output": "1000"}}


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with engine_on(tmp_path, SettableClock()) as engine, http(engine) as api:
        yield api


def usage(api: Api) -> JsonObject:
    answer: JsonObject = api.get(customer_path("ann", "/current-usage"))["usage"]
    return {name: answer[name] for name in ("requests", "cost_usd", "reported_cost_usd", "cost_unknown_events")}


def event(api: Api, event_id: str) -> JsonObject:
    answer: JsonObject = api.get("/v1/events/one", source="gateway", id=event_id)["event"]
    return answer


def test_an_unknown_model_counts_with_its_cost_unknown_until_a_price_is_given(api: Api) -> None:
    api.deliver([llm_request("one"), llm_request("given", cost_usd="0.5")])
    assert usage(api) == {"requests": 2, "cost_usd": "0.5", "reported_cost_usd": "0.5", "cost_unknown_events": 1}
    assert (event(api, "one")["cost_usd"], event(api, "one")["cost_origin"]) == (None, "unknown")
    api.post("/v1/prices", PRICE)
    filled = {"requests": 2, "cost_usd": "0.5003", "reported_cost_usd": "0.5003", "cost_unknown_events": 0}
    assert usage(api) == filled
    assert (event(api, "one")["cost_usd"], event(api, "one")["cost_origin"]) == ("0.0003", "price")


def test_a_known_cost_is_not_changed_by_a_later_price(api: Api) -> None:
    api.deliver([llm_request("before any")])
    api.post("/v1/prices", PRICE)
    api.post("/v1/prices", DEARER)
    api.deliver([llm_request("after both")])
    assert event(api, "before any")["cost_usd"] == "0.0003"
    assert event(api, "after both")["cost_usd"] == "0.03"
    assert usage(api)["cost_usd"] == "0.0303"


def test_a_price_that_starts_later_leaves_earlier_usage_unknown(api: Api) -> None:
    api.deliver([llm_request("one")])
    api.post("/v1/prices", {**PRICE, "effective_from": NOON.replace(minute=1).isoformat()})
    assert usage(api) == {"requests": 1, "cost_usd": "0", "reported_cost_usd": "0", "cost_unknown_events": 1}
    api.post("/v1/prices", {**PRICE, "effective_from": NOON.isoformat()})
    assert usage(api) == {"requests": 1, "cost_usd": "0.0003", "reported_cost_usd": "0.0003", "cost_unknown_events": 0}


def test_as_of_a_position_before_the_price_the_cost_is_unknown(api: Api) -> None:
    position = api.deliver([llm_request("one")])["position"]
    api.post("/v1/prices", PRICE)
    asked = {"from": "2025-06-01", "to": "2025-06-02"}
    (before,) = api.get("/v1/usage", **asked, as_of=str(position))["data"]
    (now,) = api.get("/v1/usage", **asked)["data"]
    assert (before["cost_usd"], before["cost_unknown_events"]) == ("0", 1)
    assert (now["cost_usd"], now["cost_unknown_events"]) == ("0.0003", 0)


def test_an_event_without_model_and_cost_has_no_cost_which_is_not_unknown(api: Api) -> None:
    plain = llm_request("one")
    plain["data"] = {"input_tokens": 5}
    api.deliver([plain])
    assert usage(api) == {"requests": 1, "cost_usd": "0", "reported_cost_usd": "0", "cost_unknown_events": 0}
    assert event(api, "one")["cost_origin"] == "none"


def test_a_model_of_the_price_library_costs_its_list_price(api: Api) -> None:
    api.deliver([llm_request("one", provider="openai", model="gpt-4", input_tokens=1_000, output_tokens=100)])
    assert usage(api)["cost_usd"] == "0.036"  # 30 and 60 USD per million
    (listed,) = api.get("/v1/prices", provider="openai", model="gpt-4")["data"]
    assert listed["library"].startswith("genai-prices")
