"""Meters through the API."""

from __future__ import annotations

from typing import Final

from tests.engine_fixtures import Api, JsonObject

#: What a meter shows that has nothing but a value.
PLAIN: Final[JsonObject] = {
    "operation_property": None,
    "recurring": False,
    "rounding": None,
    "expression": None,
    "filters": [],
}


def without_position(view: JsonObject) -> JsonObject:
    return {name: value for name, value in view.items() if name not in ("position", "now")}


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
        **PLAIN,
        "built_in": False,
        "created_at": "2026-03-10T12:00:00.000000Z",
        "updated_at": "2026-03-10T12:00:00.000000Z",
    }
    assert api.patch("/v1/meters/gb", {"name": None, "description": "Gigabytes"})["description"] == "Gigabytes"
    assert api.refused("PATCH", "/v1/meters/gb", 422, {"aggregation": "max"})["field"] == "aggregation"
    api.delete("/v1/meters/gb")
    assert api.refused("GET", "/v1/meters/gb", 404)["status"] == 404


def test_a_meter_shows_how_its_value_is_made(api: Api) -> None:
    given: JsonObject = {
        "code": "seats",
        "event_type": "seat.changed",
        "aggregation": "unique_count",
        "operation_property": "operation",
        "recurring": True,
        "expression": "CONCAT(event.properties.team, event.properties.user)",
        "filters": [{"key": "region", "values": ["eu", "us"]}, {"key": "tier"}],
        "rounding": {"function": "ceil", "precision": -1},
    }
    shown = {**given, "value_property": None, "filters": [given["filters"][0], {"key": "tier", "values": []}]}
    created = api.post("/v1/meters", given)
    assert {name: created[name] for name in shown} == shown

    changed = api.patch("/v1/meters/seats", {"filters": None, "rounding": {"function": "round"}})
    assert (changed["filters"], changed["rounding"]) == ([], {"function": "round", "precision": 0})
    refused = api.refused("PATCH", "/v1/meters/seats", 422, {"expression": None})
    assert (refused["field"], refused["detail"][:28]) == ("value_property", "value_property is required f")
    assert api.refused("PATCH", "/v1/meters/seats", 422, {"recurring": False})["field"] == "recurring"
    api.delete("/v1/meters/seats")


def test_a_unit_is_a_built_in_meter_until_a_meter_of_its_name_is_made(api: Api) -> None:
    shown = api.get("/v1/meters/audio_seconds")
    assert (shown["built_in"], shown["aggregation"], shown["value_property"]) == (True, "sum", "audio_seconds")
    api.post(
        "/v1/meters",
        {"code": "audio_seconds", "event_type": "call", "aggregation": "max", "value_property": "seconds"},
    )
    shown = api.get("/v1/meters/audio_seconds")
    assert (shown["built_in"], shown["aggregation"], shown["value_property"]) == (False, "max", "seconds")
    api.delete("/v1/meters/audio_seconds")
    assert api.get("/v1/meters/audio_seconds")["built_in"] is True
    assert api.refused("GET", "/v1/meters/gpu_seconds", 404)["status"] == 404


def test_built_in_meters_are_listed_and_cannot_be_changed(api: Api) -> None:
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
