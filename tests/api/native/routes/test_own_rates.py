"""A tenant's own price in any unit, and by the context of a request."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine_fixtures import Api, JsonObject, as_listed, llm_request

TOKENS = {"input": "2", "output": "10"}


def used(api: Api, event_id: str, model: str, **data: Any) -> None:
    receipt = api.deliver([llm_request(event_id, "rita", provider="own", model=model, **data)])
    assert receipt["counts"]["counted"] == 1, receipt


def explained(api: Api, event_id: str) -> JsonObject:
    found: JsonObject = api.get("/v1/events/one", source="gateway", id=event_id)
    return found


def cost_of(api: Api, event_id: str) -> str | None:
    cost: str | None = explained(api, event_id)["event"]["cost_usd"]
    return cost


def test_searches_of_unknown_cost_get_one_by_an_own_rate(api: Api) -> None:
    used(api, "searched", "seeker", input_tokens=1_000_000, output_tokens=0, web_searches=3)
    used(api, "searched at a cost", "seeker", input_tokens=1_000_000, output_tokens=0, web_searches=3, cost_usd="7")
    api.post("/v1/prices", {"provider": "own", "model": "seeker", "unit_prices": TOKENS})
    assert cost_of(api, "searched") is None
    rates = {"web_searches": {"price": "0.01", "per": 1}}
    priced = {"provider": "own", "model": "seeker", "unit_prices": TOKENS, "rates": rates}
    made = as_listed(api.post("/v1/prices", priced))
    shown = {
        "input_tokens": {"price": "2", "per": 1_000_000, "tiers": []},
        "output_tokens": {"price": "10", "per": 1_000_000, "tiers": []},
        "web_searches": {"price": "0.01", "per": 1, "tiers": []},
    }
    assert (made["versions"][0]["rates"], made["variants"]) == (shown, [])
    assert api.pages("/v1/prices", provider="own", model="seeker")[-1] == made
    assert (cost_of(api, "searched"), cost_of(api, "searched at a cost")) == ("2.03", "7")
    applied = explained(api, "searched")["cost"]["applied"]
    assert applied["rates"] == {unit: {"price": rate["price"], "per": rate["per"]} for unit, rate in shown.items()}
    assert explained(api, "searched")["cost"]["price"] == made


def test_cache_writes_for_an_hour_cost_more(api: Api) -> None:
    rates = {
        "input_tokens": {"price": "1"},
        "output_tokens": {"price": "4"},
        "cache_write_tokens": {"price": "1.25"},
        "cache_write_1h_tokens": {"price": "2"},
    }
    api.post("/v1/prices", {"provider": "own", "model": "keeper", "rates": rates})
    written = {"input_tokens": 3_000_000, "cache_write_tokens": 2_000_000, "cache_write_1h_tokens": 1_000_000}
    used(api, "kept", "keeper", **written, output_tokens=0)
    assert cost_of(api, "kept") == "4.25"


def test_a_tier_of_service_has_its_own_prices(api: Api) -> None:
    flex = {"when": {"service_tier": "flex"}, "rates": {"input_tokens": {"price": "0.0005", "per": 1_000}}}
    made = api.post("/v1/prices", {"provider": "own", "model": "bender", "unit_prices": TOKENS, "variants": [flex]})
    rate = {"price": "0.0005", "per": 1_000, "tiers": []}
    assert made["variants"] == [
        {"when": {"service_tier": "flex"}, "effective_from": None, "hours": None, "rates": {"input_tokens": rate}}
    ]
    used(api, "plain", "bender", input_tokens=1_000_000, output_tokens=100_000)
    used(api, "flex", "bender", input_tokens=1_000_000, output_tokens=100_000, service_tier="flex")
    assert (cost_of(api, "plain"), cost_of(api, "flex")) == ("3", "1.5")
    cost = explained(api, "flex")["cost"]
    assert cost["applied"]["when"] == [{"service_tier": "flex"}]
    assert cost["applied"]["rates"] == {
        "input_tokens": {"price": "0.0005", "per": 1_000},
        "output_tokens": {"price": "10", "per": 1_000_000},
    }
    assert (cost["unit_prices"]["input"], cost["unit_prices"]["output"]) == ("0.5", "10")


def test_a_tier_of_service_of_unknown_cost_gets_the_cost_of_its_variant(api: Api) -> None:
    used(api, "early", "late bender", input_tokens=1_000_000, output_tokens=0, service_tier="flex")
    used(api, "early plain", "late bender", input_tokens=1_000_000, output_tokens=0)
    flex = {"when": {"service_tier": "flex"}, "rates": {"input_tokens": {"price": "0.5"}}}
    api.post("/v1/prices", {"provider": "own", "model": "late bender", "unit_prices": TOKENS, "variants": [flex]})
    assert (cost_of(api, "early"), cost_of(api, "early plain")) == ("0.5", "2")


def test_a_unit_of_ones_own_has_a_price_and_tiers(api: Api) -> None:
    tiers = [{"input_tokens_above": 1_000, "price": "0.5"}]
    rates = {"stamps": {"price": "0.25", "tiers": tiers}, "requests": {"price": "1", "per": 100}}
    made = api.post("/v1/prices", {"provider": "own", "model": "postman", "unit_prices": TOKENS, "rates": rates})
    assert made["versions"][0]["rates"]["stamps"] == {"price": "0.25", "per": 1, "tiers": tiers}
    assert made["versions"][0]["unit_prices"]["request"] == "0.01"
    used(api, "few", "postman", input_tokens=0, output_tokens=0, units={"stamps": 2.5})
    used(api, "many", "postman", input_tokens=1_001, output_tokens=0, units={"stamps": 2.5})
    assert (cost_of(api, "few"), cost_of(api, "many")) == ("0.635", "1.262002")


STAMPS: JsonObject = {"price": "1"}


@pytest.mark.parametrize(
    ("body", "field", "rule"),
    [
        ({}, "unit_prices", "must be given, or rates"),
        ({"unit_prices": TOKENS, "rates": {"input_tokens": STAMPS}}, "rates.input_tokens", "unit_prices has one"),
        ({"rates": {"stamps": {"price": "a"}}}, "rates.stamps.price", "must be a decimal number"),
        ({"rates": {"stamps": {"per": 1}}}, "rates.stamps.price", ""),
        ({"rates": {"stamps": {"price": "1", "per": 0}}}, "rates.stamps.per", "1"),
        (
            {"rates": {"stamps": {"price": "1", "tiers": [{"input_tokens_above": 1, "price": "-1"}]}}},
            "rates.stamps.tiers.0.price",
            "must not be negative",
        ),
        (
            {"unit_prices": TOKENS, "rates": {"cache_write_1h_tokens": STAMPS}},
            "rates.cache_write_1h_tokens",
            "price cache_write_tokens too",
        ),
        (
            {"unit_prices": TOKENS, "variants": [{"when": {"mood": "good"}, "rates": {"stamps": STAMPS}}]},
            "variants.0.when",
            "service_tier",
        ),
        (
            {"unit_prices": TOKENS, "variants": [{"when": {"speed": "fast"}, "rates": {"stamps": {"price": "-1"}}}]},
            "variants.0.rates.stamps.price",
            "must not be negative",
        ),
    ],
)
def test_an_invalid_rate_names_the_field_and_the_rule(api: Api, body: JsonObject, field: str, rule: str) -> None:
    refused = api.refused("POST", "/v1/prices", 422, {"model": "x", **body})
    assert refused["field"] == field
    assert rule in refused["detail"]
