"""Shared budgets through the API."""

from __future__ import annotations

from tests.engine_fixtures import Api, JsonObject


def without_position(view: JsonObject) -> JsonObject:
    return {name: value for name, value in view.items() if name not in ("position", "now")}


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
