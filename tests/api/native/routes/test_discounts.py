"""Prices of customers and discounts through the API: set, listed, explained, refused."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from tests.engine_fixtures import NOON, Api, JsonObject, as_listed, customer_path, llm_request

MODEL: JsonObject = {"provider": "own", "model": "m/1"}
PRICE: JsonObject = {**MODEL, "unit_prices": {"input": "10", "output": "20"}}


def cost_of(api: Api, event_id: str) -> JsonObject:
    explained: JsonObject = api.get("/v1/events/one", source="gateway", id=event_id)["cost"]
    return explained


def deliver(api: Api, event_id: str, customer: str) -> JsonObject:
    """The explained cost of an event with a million input tokens."""
    api.deliver([llm_request(event_id, customer, **MODEL, input_tokens=1_000_000, output_tokens=0)])
    return cost_of(api, event_id)


def set_discount(api: Api, body: JsonObject) -> JsonObject:
    """A discount that was set, as lists show it."""
    return as_listed(api.post("/v1/discounts", body))


def test_a_price_of_a_customer_prices_its_events_alone_and_tells_whose_it_is(api: Api) -> None:
    api.post("/v1/prices", PRICE)
    price = {**PRICE, "unit_prices": {"input": "4", "output": "8"}, "customer": "prices/dora"}
    made = as_listed(api.post("/v1/prices", price))
    assert (made["origin"], made["customer"]) == ("own", "prices/dora")
    hers, theirs = deliver(api, "dora-1", "prices/dora"), deliver(api, "theo-1", "theo")
    assert (hers["cost_usd"], hers["price"], hers["discounts"]) == ("4", made, [])
    assert (theirs["cost_usd"], theirs["price"]["customer"]) == ("10", None)
    assert api.pages("/v1/prices", customer="prices/dora") == [made]
    assert api.pages("/v1/prices", customer="theo") == []


def test_discounts_multiply_and_the_explanation_shows_both_and_what_they_leave(api: Api) -> None:
    model: JsonObject = {"provider": "openai", "model": "gpt-4o"}
    event = llm_request("dan-1", "dan", **model, input_tokens=1_000_000, output_tokens=0)
    api.deliver([event])
    list_price = Decimal(cost_of(api, "dan-1")["cost_usd"])
    of_all = set_discount(api, {"percentage": "20", "provider": "openai", "model": "gpt-4o"})
    of_dan = set_discount(api, {"percentage": 12.5, "customer": "dan", "effective_from": "2025-01-01T00:00:00Z"})
    api.deliver([{**event, "id": "dan-2"}])
    cost = cost_of(api, "dan-2")
    assert cost["discounts"] == [of_dan, of_all]
    assert Decimal(cost["cost_usd"]) == list_price * 7 / 10
    assert Decimal(cost["applied"]["rates"]["input_tokens"]["price"]) == list_price * 7 / 10
    assert Decimal(cost["unit_prices"]["input"]) == list_price * 7 / 10
    assert Decimal(cost["price"]["versions"][-1]["unit_prices"]["input"]) == list_price
    assert of_dan == {
        "position": of_dan["position"],
        "customer": "dan",
        "provider": None,
        "model": None,
        "percentage": "12.5",
        "effective_from": "2025-01-01T00:00:00.000000Z",
        "recorded_at": of_dan["recorded_at"],
        "actor": of_dan["actor"],
    }
    assert Decimal(cost_of(api, "dan-1")["cost_usd"]) == list_price


def test_a_discount_of_0_ends_an_own_price(api: Api) -> None:
    api.post("/v1/prices", {**PRICE, "model": "m/2"})
    api.post("/v1/prices", {**PRICE, "model": "m/2", "unit_prices": {"input": "1", "output": "1"}, "customer": "zoe"})
    ended = set_discount(api, {"provider": "own", "model": "m/2", "customer": "zoe", "percentage": 0})
    api.deliver([llm_request("zoe-1", "zoe", provider="own", model="m/2", input_tokens=1_000_000, output_tokens=0)])
    cost = cost_of(api, "zoe-1")
    assert (cost["cost_usd"], cost["price"]["customer"], cost["discounts"]) == ("10", None, [ended])


def test_the_deletion_of_a_customer_ends_its_prices_and_refuses_what_is_before_it(api: Api) -> None:
    api.post("/v1/prices", {**PRICE, "model": "m/3"})
    api.post("/v1/customers", {"id": "lea", "effective_at": (NOON - timedelta(days=9)).isoformat()})
    own = {**PRICE, "model": "m/3", "unit_prices": {"input": "1", "output": "1"}, "customer": "lea"}
    api.post("/v1/prices", own)
    ended_at = (NOON - timedelta(days=2)).isoformat()
    api.send("DELETE", customer_path("lea"), 204, params={"effective_at": ended_at})
    used: JsonObject = {"provider": "own", "model": "m/3", "input_tokens": 1_000_000, "output_tokens": 0}
    for name, days in (("lea-1", 3), ("lea-2", 1)):
        api.deliver([llm_request(name, "lea", **used) | {"time": (NOON - timedelta(days=days)).isoformat()}])
    assert [cost_of(api, name)["cost_usd"] for name in ("lea-1", "lea-2")] == ["1", "10"]
    too_early = (NOON - timedelta(days=3)).isoformat()
    for path, body in (
        ("/v1/prices", {**own, "effective_from": too_early}),
        ("/v1/discounts", {"customer": "lea", "percentage": "5", "effective_from": too_early}),
    ):
        assert api.refused("POST", path, 422, body)["field"] == "effective_from"
    assert api.post("/v1/prices", own)["versions"][0]["effective_from"] is None
    api.deliver([llm_request("lea-3", "lea", **used) | {"time": (NOON - timedelta(days=1)).isoformat()}])
    assert cost_of(api, "lea-3")["cost_usd"] == "1"


def test_discounts_are_listed_in_pages_and_by_customer(api: Api) -> None:
    made = [
        set_discount(api, {"percentage": percentage, "customer": "pat", "provider": "own", "model": model})
        for percentage, model in (("1", "a"), ("2", "b"), ("3", "a"))
    ]
    assert api.pages("/v1/discounts", limit=2, customer="pat") == made
    assert [one for one in api.pages("/v1/discounts", limit=1) if one["customer"] == "pat"] == made
    again = {"percentage": "3.00", "customer": "pat", "provider": "own", "model": "a"}
    assert set_discount(api, again) == made[2]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"percentage": "101"}, "percentage"),
        ({"percentage": None}, "percentage"),
        ({"percentage": "0.0000001"}, "percentage"),
        ({"customer": ""}, "customer"),
        ({"customer": ".."}, "customer"),
        ({"customer": "a" * 1_001}, "customer"),
        ({"provider": "own"}, "model"),
        ({"model": ""}, "model"),
        ({"effective_from": "today"}, "effective_from"),
        ({"discount": 1}, "discount"),
    ],
)
def test_an_invalid_discount_names_the_field(api: Api, change: JsonObject, field: str) -> None:
    assert api.refused("POST", "/v1/discounts", 422, {"percentage": "5", **change})["field"] == field


def test_a_price_for_an_impossible_customer_names_the_field(api: Api) -> None:
    assert api.refused("POST", "/v1/prices", 422, {**PRICE, "customer": "."})["field"] == "customer"
