"""Shared budgets, meters, prices and keys."""

from __future__ import annotations

from tests.engine_fixtures import Api, JsonObject, llm_request


def without_position(view: JsonObject) -> JsonObject:
    return {name: value for name, value in view.items() if name != "position"}


def test_a_shared_budget_is_created_changed_listed_and_deleted(api: Api) -> None:
    created = api.post("/v1/budgets", {"id": "gold/1", "name": "Gold", "period_limit_usd": 100, "duration": "1mo"})
    assert without_position(created) == {
        "id": "gold/1",
        "created_at": "2026-03-10T12:00:00.000000Z",
        "updated_at": "2026-03-10T12:00:00.000000Z",
        "name": "Gold",
        "period_limit_usd": "100",
        "total_limit_usd": None,
        "soft_limit_usd": None,
        "model_limits": {},
        "duration": "1mo",
        "alignment": None,
        "anchor": None,
        "requests_per_minute": None,
        "tokens_per_minute": None,
        "parallel_requests_max": None,
    }
    assert api.refused("POST", "/v1/budgets", 409, {"id": "gold/1"})["type"] == "/problems/already_exists"
    changed = api.patch("/v1/budgets/gold%2F1", {"name": None, "duration": "1w", "tokens_per_minute": 5})
    assert (changed["name"], changed["duration"], changed["tokens_per_minute"]) == (None, "1w", 5)
    assert api.get("/v1/budgets/gold%2F1") == changed
    assert api.refused("PATCH", "/v1/budgets/gold%2F1", 422, {"duration": "soon"})["field"] == "duration"
    assert [one["id"] for one in api.pages("/v1/budgets")] == ["gold/1"]
    api.delete("/v1/budgets/gold%2F1")
    assert api.refused("GET", "/v1/budgets/gold%2F1", 404)["status"] == 404
    assert api.refused("DELETE", "/v1/budgets/gold%2F1", 404)["status"] == 404
    assert api.pages("/v1/budgets") == []


def test_shared_budgets_are_paged(api: Api) -> None:
    for name in "cab":
        api.post("/v1/budgets", {"id": f"tier {name}"})
    assert [one["id"] for one in api.pages("/v1/budgets", limit=1)] == ["tier a", "tier b", "tier c"]


def test_a_meter_is_created_changed_and_deleted(api: Api) -> None:
    body = {
        "code": "gb",
        "event_type": "disk",
        "aggregation": "sum",
        "value_property": "gb",
        "group_by": ["zone"],
        "name": "GB",
    }
    created = api.post("/v1/meters", body)
    assert without_position(created) == {
        **body,
        "group_by": {"zone": "zone"},
        "description": None,
        "built_in": False,
        "created_at": "2026-03-10T12:00:00.000000Z",
        "updated_at": "2026-03-10T12:00:00.000000Z",
    }
    assert api.patch("/v1/meters/gb", {"name": None, "description": "Gigabytes"})["description"] == "Gigabytes"
    assert api.refused("PATCH", "/v1/meters/gb", 422, {"aggregation": "max"})["field"] == "aggregation"
    api.delete("/v1/meters/gb")
    assert api.refused("GET", "/v1/meters/gb", 404)["status"] == 404


def test_built_in_meters_are_listed_and_cannot_be_touched(api: Api) -> None:
    api.post("/v1/meters", {"code": "mine", "event_type": "x", "aggregation": "count"})
    built_in = ["cache_write_tokens", "cached_input_tokens", "cost_usd", "input_tokens"]
    rest = ["mine", "output_tokens", "reasoning_tokens", "requests", "total_tokens"]
    for limit in (1, 4, 100):
        assert [one["code"] for one in api.pages("/v1/meters", limit=limit)] == [*built_in, *rest]
    assert api.get("/v1/meters/requests")["built_in"] is True
    assert api.refused("DELETE", "/v1/meters/requests", 409)["type"] == "/problems/conflict"
    assert api.refused("PATCH", "/v1/meters/requests", 409, {"name": "x"})["type"] == "/problems/conflict"
    assert (
        api.refused("POST", "/v1/meters", 422, {"code": "requests", "event_type": "x", "aggregation": "count"})["field"]
        == "code"
    )


def test_a_price_prices_what_had_none_and_is_listed(api: Api) -> None:
    api.deliver([llm_request("p1", "pia", provider="own", model="m/1", input_tokens=2_000_000, output_tokens=0)])
    price = {
        "provider": "own",
        "model": "m/1",
        "unit_prices": {"input": "0.5", "output": 2},
        "tiers": [{"input_tokens_above": 3_000_000, "unit_prices": {"input": 1, "output": 4}}],
        "effective_from": "2025-01-01T00:00:00Z",
    }
    made = api.post("/v1/prices", price)
    nothing = dict.fromkeys(("cached_input", "cache_write", "reasoning", "request"))
    assert (made["origin"], made["versions"]) == (
        "own",
        [
            {
                "effective_from": "2025-01-01T00:00:00.000000Z",
                "unit_prices": {"input": "0.5", "output": "2", **nothing},
                "tiers": [{"input_tokens_above": 3_000_000, "unit_prices": {"input": "1", "output": "4", **nothing}}],
            }
        ],
    )
    assert api.pages("/v1/prices", provider="own", model="m/1") == [made]
    assert api.post("/v1/prices", price) == made
    assert api.get("/v1/events/one", source="gateway", id="p1")["event"]["cost_usd"] == "1"


def test_a_price_that_cannot_be_names_the_field(api: Api) -> None:
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


def test_a_key_is_shown_once_listed_by_prefix_and_last_use_and_revoked(api: Api) -> None:
    answer = api.send("POST", "/v1/keys", 201, json={"scopes": ["read", "ingest"], "name": "gateway"})
    made = answer.json()
    assert answer.headers["Cache-Control"] == "no-store"
    assert made["secret"].startswith("sk-")
    assert made["secret"].removeprefix("sk-").startswith(made["prefix"])
    listed = {one["id"]: one for one in api.pages("/v1/keys", limit=1)}
    assert listed[made["id"]] == {
        "id": made["id"],
        "prefix": made["prefix"],
        "name": "gateway",
        "tenant": "default",
        "environment": "prod",
        "scopes": ["ingest", "read"],
        "created_at": "2026-03-10T12:00:00.000000Z",
        "last_used_at": None,
        "revoked_at": None,
    }
    assert made["secret"] not in api.send("GET", "/v1/keys", 200).text
    Api(api.client, made["secret"]).get("/v1/customers")
    assert {one["id"]: one["last_used_at"] for one in api.pages("/v1/keys")}[
        made["id"]
    ] == "2026-03-10T12:00:00.000000Z"
    api.delete(f"/v1/keys/{made['id']}")
    assert made["id"] not in {one["id"] for one in api.pages("/v1/keys")}
    assert made["id"] in {one["id"] for one in api.pages("/v1/keys", revoked="true")}


def test_a_key_that_does_not_exist_cannot_be_revoked(api: Api) -> None:
    assert api.refused("DELETE", "/v1/keys/key_nothing", 404)["type"] == "/problems/not_found"
    assert api.refused("POST", "/v1/keys", 422, {"scopes": ["root"]})["field"] == "scopes"
