"""Billable metrics, which are meters."""

from __future__ import annotations

from typing import Any

import pytest

from consumers.embedded.engine import EmbeddedEngine
from domain.scope import Scope
from tests.api.dialects.lago.conftest import BASE, refusal_of
from tests.engine_fixtures import Api, JsonObject, key_for

PATH = f"{BASE}/billable_metrics"
UNUSED = {"plans_count": 0, "active_subscriptions_count": 0, "draft_invoices_count": 0}


def create(api: Api, code: str, **more: Any) -> JsonObject:
    given = {"name": code.title(), "code": code, "aggregation_type": "sum_agg", "field_name": "gb", **more}
    made: JsonObject = api.post(PATH, {"billable_metric": given}, 200)["billable_metric"]
    return made


def invalid(**details: list[str]) -> tuple[int, JsonObject]:
    named = {name.replace("__", "."): codes for name, codes in details.items()}
    shape = {"status": 422, "error": "Unprocessable Entity", "code": "validation_errors"}
    return 422, {**shape, "error_details": named}


def test_a_metric_is_answered_as_it_was_given_with_an_id(api: Api) -> None:
    made = create(
        api,
        "storage",
        description="GB stored",
        recurring=True,
        rounding_function="ceil",
        rounding_precision=2,
        expression="event.properties.gb * 2",
        filters=[{"key": "region", "values": ["eu", "us"]}],
    )
    assert made == {
        "lago_id": made["lago_id"],
        "name": "Storage",
        "code": "storage",
        "description": "GB stored",
        "aggregation_type": "sum_agg",
        "field_name": "gb",
        "weighted_interval": None,
        "recurring": True,
        "rounding_function": "ceil",
        "rounding_precision": 2,
        "expression": "event.properties.gb * 2",
        "created_at": "2026-04-29T08:59:51Z",
        "filters": [{"key": "region", "values": ["eu", "us"]}],
        **UNUSED,
    }
    assert api.get(f"{PATH}/storage") == {"billable_metric": made}
    meter = api.get("/v1/meters/storage")
    assert (meter["event_type"], meter["aggregation"], meter["value_property"]) == ("storage", "sum", "gb")


@pytest.mark.parametrize(
    ("aggregation", "native"),
    [
        ("count_agg", ("count", None)),
        ("max_agg", ("max", "gb")),
        ("latest_agg", ("latest", "gb")),
        ("unique_count_agg", ("unique_count", "gb")),
        ("weighted_sum_agg", ("weighted_sum", "gb")),
    ],
)
def test_each_aggregation_is_a_native_one(api: Api, aggregation: str, native: tuple[str, str | None]) -> None:
    made = create(api, aggregation, aggregation_type=aggregation)
    meter = api.get(f"/v1/meters/{aggregation}")
    assert (meter["aggregation"], meter["value_property"]) == native
    assert made["aggregation_type"] == aggregation
    assert made["weighted_interval"] == ("seconds" if aggregation == "weighted_sum_agg" else None)
    assert meter["operation_property"] == ("operation_type" if aggregation == "unique_count_agg" else None)


def test_all_that_is_wrong_is_told_at_once(api: Api) -> None:
    given = {"aggregation_type": "sum_agg", "rounding_function": "up", "weighted_interval": "days", "name": ""}
    assert refusal_of(api, "POST", "/billable_metrics", json={"billable_metric": given}) == invalid(
        name=["value_is_mandatory"],
        code=["value_is_mandatory"],
        field_name=["value_is_mandatory"],
        rounding_function=["value_is_invalid"],
        weighted_interval=["value_is_invalid"],
    )


@pytest.mark.parametrize(
    ("wrong", "details"),
    [
        ({"aggregation_type": "custom_agg"}, {"aggregation_type": ["value_is_invalid"]}),
        ({"aggregation_type": "max_agg", "recurring": True}, {"recurring": ["not_compatible_with_aggregation_type"]}),
        ({"field_name": "a.b"}, {"field_name": ["value_is_invalid"]}),
        ({"field_name": "subscription"}, {"field_name": ["value_is_invalid"]}),
        ({"expression": "event.properties.subscription"}, {"expression": ["value_is_invalid"]}),
        ({"filters": [{"key": "subscription", "values": ["x"]}]}, {"filters__0__key": ["value_is_invalid"]}),
        ({"code": "two words"}, {"code": ["value_is_invalid"]}),
        ({"code": "total_tokens"}, {"code": ["value_already_exist"]}),
        ({"description": "long" * 64}, {"description": ["value_is_invalid"]}),
        ({"expression": "event.properties.gb *"}, {"expression": ["invalid_expression"]}),
        ({"filters": [{"key": "a", "values": []}]}, {"filters__0__values": ["value_is_invalid"]}),
    ],
)
def test_what_breaks_a_rule_has_a_code(api: Api, wrong: JsonObject, details: dict[str, list[str]]) -> None:
    given = {"name": "N", "code": "fresh", "aggregation_type": "sum_agg", "field_name": "gb", **wrong}
    assert refusal_of(api, "POST", "/billable_metrics", json={"billable_metric": given}) == invalid(**details)


def test_a_code_is_taken_until_its_metric_is_deleted_and_the_next_one_has_another_id(api: Api, clock: Any) -> None:
    first = create(api, "reused")
    given = {"name": "N", "code": "reused", "aggregation_type": "count_agg"}
    taken = invalid(code=["value_already_exist"])
    assert refusal_of(api, "POST", "/billable_metrics", json={"billable_metric": given}) == taken
    clock.advance(seconds=1)
    assert api.send("DELETE", f"{PATH}/reused", 200).json() == {"billable_metric": first}
    missing = 404, {"status": 404, "error": "Not Found", "code": "billable_metric_not_found"}
    assert refusal_of(api, "GET", "/billable_metrics/reused") == missing
    assert refusal_of(api, "DELETE", "/billable_metrics/reused") == missing
    clock.advance(seconds=1)
    assert create(api, "reused", aggregation_type="count_agg")["lago_id"] != first["lago_id"]


def test_an_update_changes_what_it_names_and_never_what_is_counted(api: Api) -> None:
    before = create(api, "changed", description="old", rounding_function="round", rounding_precision=1)
    changes = {
        "name": "New",
        "description": None,
        "rounding_function": None,
        "filters": [{"key": "k", "values": ["v"]}],
    }
    answer = api.send("PUT", f"{PATH}/changed", 200, json={"billable_metric": changes}).json()
    after = {**before, **changes, "rounding_precision": None}
    assert answer == {"billable_metric": after} == api.get(f"{PATH}/changed")
    same = {"code": "changed", "aggregation_type": "sum_agg", "field_name": "gb", "recurring": False}
    assert api.send("PUT", f"{PATH}/changed", 200, json={"billable_metric": same}).json() == answer
    nothing = {"name": None, "aggregation_type": None, "field_name": None, "recurring": None, "weighted_interval": None}
    assert api.send("PUT", f"{PATH}/changed", 200, json={"billable_metric": nothing}).json() == answer
    other = {"code": "else", "aggregation_type": "max_agg", "field_name": "tb"}
    assert refusal_of(api, "PUT", "/billable_metrics/changed", json={"billable_metric": other}) == invalid(
        aggregation_type=["value_is_invalid"], code=["value_is_invalid"], field_name=["value_is_invalid"]
    )


def test_built_in_metrics_are_shown_and_cannot_be_changed(api: Api) -> None:
    shown = api.get(f"{PATH}/cost_usd")["billable_metric"]
    assert shown == {
        "lago_id": shown["lago_id"],
        "name": "cost_usd",
        "code": "cost_usd",
        "description": None,
        "aggregation_type": "sum_agg",
        "field_name": "cost_usd",
        "weighted_interval": None,
        "recurring": False,
        "rounding_function": None,
        "rounding_precision": None,
        "created_at": "1970-01-01T00:00:00Z",
        "filters": [],
        **UNUSED,
    }
    assert api.get(f"{PATH}/requests")["billable_metric"]["aggregation_type"] == "count_agg"
    refused = 405, {"status": 405, "error": "Method Not Allowed", "code": "built_in_billable_metric"}
    change = {"billable_metric": {"name": "Cost"}}
    assert refusal_of(api, "PUT", "/billable_metrics/cost_usd", json=change) == refused
    assert refusal_of(api, "DELETE", "/billable_metrics/cost_usd") == refused


def test_the_list_has_the_last_created_first_and_the_built_in_ones_last(
    api: Api, engine: EmbeddedEngine, clock: Any
) -> None:
    own = Api(api.client, key_for(engine, Scope("lister", "prod")))
    for code in ("one", "three", "two"):
        create(own, code)
    clock.advance(seconds=1)
    create(own, "last")
    first = own.get(PATH, per_page=3)
    assert [one["code"] for one in first["billable_metrics"]] == ["last", "one", "three"]
    total = first["meta"]["total_count"]
    assert first["meta"] == {
        "current_page": 1,
        "next_page": 2,
        "prev_page": None,
        "total_pages": -(-total // 3),
        "total_count": total,
    }
    rest = own.get(PATH)["billable_metrics"]
    assert [one["code"] for one in rest[3:5]] == ["two", "cache_write_tokens"]
    assert own.get(f"{PATH}/last") == {"billable_metric": rest[0]}
    assert len(rest) == total


def test_native_meters_are_metrics_too(api: Api) -> None:
    api.post("/v1/meters", {"code": "smallest", "event_type": "probe", "aggregation": "min", "value_property": "ms"})
    shown = api.get(f"{PATH}/smallest")["billable_metric"]
    assert (shown["name"], shown["aggregation_type"], shown["field_name"]) == ("smallest", "custom_agg", "ms")


def test_an_expression_is_tried_on_an_event(api: Api) -> None:
    def tried(expression: str, **event: Any) -> Any:
        body = {"expression": expression, "event": {"code": "storage", **event}}
        return refusal_of(api, "POST", "/billable_metrics/evaluate_expression", json=body)

    def value(shown: str) -> tuple[int, JsonObject]:
        return 200, {"expression_result": {"value": shown}}

    assert tried("ROUND(event.properties.gb * 2, 1)", properties={"gb": "1.26"}) == value("2.5")
    assert tried("event.timestamp", timestamp="1651240791.5") == value("1651240791.5")
    assert tried("CONCAT(event.code, '-', event.properties.gb)", properties={"gb": 1}) == value("storage-1")
    status, refused = tried("event.properties.gb / 0", properties={"gb": 1})
    assert (status, refused["code"]) == (422, "validation_errors")
    assert tried("1 +") == invalid(expression=["invalid_expression"])
    assert tried("1", timestamp="soon") == invalid(event__timestamp=["invalid_format"])
