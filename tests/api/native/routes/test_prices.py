"""Prices through the API."""

from __future__ import annotations

from tests.engine_fixtures import Api, JsonObject, as_listed, llm_request


def test_a_price_gives_unpriced_events_a_cost_and_is_listed(api: Api) -> None:
    api.deliver([llm_request("p1", "pia", provider="own", model="m/1", input_tokens=2_000_000, output_tokens=0)])
    price = {
        "provider": "own",
        "model": "m/1",
        "unit_prices": {"input": "0.5", "output": 2},
        "tiers": [{"input_tokens_above": 3_000_000, "unit_prices": {"input": 1, "output": 4}}],
        "effective_from": "2025-01-01T00:00:00Z",
    }
    made = as_listed(api.post("/v1/prices", price))
    tiers = [[{"input_tokens_above": 3_000_000, "price": dear}] for dear in ("1", "4")]
    nothing = dict.fromkeys(("cached_input", "cache_write", "reasoning", "request"))
    assert (made["origin"], made["versions"]) == (
        "own",
        [
            {
                "effective_from": "2025-01-01T00:00:00.000000Z",
                "unit_prices": {"input": "0.5", "output": "2", **nothing},
                "tiers": [{"input_tokens_above": 3_000_000, "unit_prices": {"input": "1", "output": "4", **nothing}}],
                "hours": None,
                "rates": {
                    "input_tokens": {"price": "0.5", "per": 1_000_000, "tiers": tiers[0]},
                    "output_tokens": {"price": "2", "per": 1_000_000, "tiers": tiers[1]},
                },
            }
        ],
    )
    assert api.pages("/v1/prices", provider="own", model="m/1") == [made]
    assert as_listed(api.post("/v1/prices", price)) == made
    assert api.get("/v1/events/one", source="gateway", id="p1")["event"]["cost_usd"] == "1"


def test_an_invalid_price_names_the_field(api: Api) -> None:
    price: JsonObject = {"model": "x", "unit_prices": {"input": "1", "output": "1"}}
    for change, field in (
        ({"unit_prices": {"input": "-1", "output": "1"}}, "unit_prices.input"),
        ({"unit_prices": {"input": "1"}}, "unit_prices.output"),
        ({"unit_prices": {"input": None, "output": "1"}}, "unit_prices.input"),
        ({"effective_from": "today"}, "effective_from"),
        (
            {"tiers": [{"input_tokens_above": 1, "unit_prices": {"input": "a", "output": 1}}]},
            "tiers.0.unit_prices.input",
        ),
    ):
        assert api.refused("POST", "/v1/prices", 422, {**price, **change})["field"] == field
