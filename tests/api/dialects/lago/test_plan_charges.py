"""Charges of a plan and filters of a charge, one by one."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.api.dialects.lago.conftest import BASE, refusal_of
from tests.api.dialects.lago.test_billable_metrics import create, invalid
from tests.api.dialects.lago.test_plans import charge, created
from tests.engine_fixtures import Api, JsonObject

CHARGES = "/plans/parts/charges"
EU = {"properties": {"amount": "1"}, "values": {"region": ["eu"]}}
US = {"properties": {"amount": "2"}, "values": {"region": ["us"]}}


def missing(resource: str) -> tuple[int, JsonObject]:
    return 404, {"status": 404, "error": "Not Found", "code": f"{resource}_not_found"}


@pytest.fixture(scope="module")
def metric(api: Api) -> str:
    made = create(api, "storage", filters=[{"key": "region", "values": ["eu", "us", "asia"]}])
    return str(made["lago_id"])


@pytest.fixture
def plan(api: Api, metric: str) -> Any:
    """A plan with two charges, of which the second one has a filter."""
    made = created(api, "parts", charges=[charge(metric, code="a"), charge(metric, code="b", filters=[EU])])
    yield made
    api.send("DELETE", f"{BASE}/plans/parts", 200)


def sent(api: Api, method: str, path: str, **body: Any) -> JsonObject:
    answer: JsonObject = api.send(method, BASE + path, 200, **({"json": body} if body else {})).json()
    return answer


def test_of_many_parts_that_are_changed_at_once_none_is_lost(api: Api, plan: JsonObject, metric: str) -> None:
    def at_once(change: Callable[[int], object]) -> None:
        with ThreadPoolExecutor(8) as crowd:
            list(crowd.map(change, range(8)))

    at_once(lambda number: sent(api, "POST", CHARGES, charge=charge(metric, code=f"c{number}")))
    prices = {"properties": {"amount": "5"}}
    at_once(lambda number: sent(api, "PUT", f"{CHARGES}/c{number}", charge=prices))
    at_once(lambda number: sent(api, "PATCH", "/plans/parts/metadata", metadata={f"k{number}": "v"}))

    changed = sent(api, "GET", "/plans/parts")["plan"]
    added = {one["code"]: one["properties"]["amount"] for one in changed["charges"][2:]}
    assert added == {f"c{number}": "5" for number in range(8)}
    assert changed["metadata"] == {f"k{number}": "v" for number in range(8)}


def test_charges_are_listed_and_found(api: Api, plan: JsonObject) -> None:
    first, second = plan["charges"]
    meta = {"current_page": 2, "next_page": None, "prev_page": 1, "total_pages": 2, "total_count": 2}
    assert api.get(BASE + CHARGES, page=2, per_page=1) == {"charges": [second], "meta": meta}
    assert api.get(f"{BASE}{CHARGES}/a") == {"charge": first}
    assert refusal_of(api, "GET", f"{CHARGES}/none") == missing("charge")
    assert refusal_of(api, "GET", "/plans/none/charges") == missing("plan")


def test_a_charge_is_added_changed_and_removed(api: Api, plan: JsonObject, metric: str) -> None:
    added = sent(api, "POST", CHARGES, charge=charge(metric))["charge"]
    assert added["code"] == "storage"
    changed = sent(api, "PUT", f"{CHARGES}/storage", charge={"properties": {"amount": "7"}, "code": "renamed"})[
        "charge"
    ]
    assert (changed["code"], changed["properties"]) == ("renamed", {"amount": "7"})
    removed = sent(api, "DELETE", f"{CHARGES}/a")
    assert removed == {"charge": plan["charges"][0]}
    assert sent(api, "GET", "/plans/parts") == {"plan": {**plan, "charges": [plan["charges"][1], changed]}}


def test_what_is_wrong_with_a_charge_is_named_within_it(api: Api, plan: JsonObject, metric: str) -> None:
    given = {"charge": charge(metric, properties={})}
    assert refusal_of(api, "POST", CHARGES, json=given) == invalid(properties=["invalid_amount"])
    model = {"charge": {"charge_model": "free"}}
    assert refusal_of(api, "PUT", f"{CHARGES}/b", json=model) == invalid(charge_model=["value_is_invalid"])
    unknown = {"charge": charge("1a901a90-1a90-1a90-1a90-1a901a901a90")}
    assert refusal_of(api, "POST", CHARGES, json=unknown) == missing("billable_metrics")


def test_filters_are_listed_found_added_changed_and_removed(api: Api, plan: JsonObject) -> None:
    path = f"{CHARGES}/b/filters"
    (before,) = api.get(BASE + path)["filters"]
    assert before == {**EU, "lago_id": before["lago_id"], "invoice_display_name": None, "charge_code": "b"}
    added = sent(api, "POST", path, filter={**US, "invoice_display_name": "West"})["filter"]
    assert api.get(f"{BASE}{path}/{added['lago_id']}") == {"filter": added}
    dearer = sent(api, "PUT", f"{path}/{added['lago_id']}", filter={"properties": {"amount": "9"}})["filter"]
    assert dearer == {**added, "properties": {"amount": "9"}}
    removed = sent(api, "DELETE", f"{path}/{before['lago_id']}")
    assert removed == {"filter": before}
    meta = {"current_page": 1, "next_page": None, "prev_page": None, "total_pages": 1, "total_count": 1}
    assert api.get(BASE + path) == {"filters": [dearer], "meta": meta}
    moved = sent(api, "PUT", f"{path}/{added['lago_id']}", filter={"values": {"region": ["asia"]}})["filter"]
    assert moved["values"] == {"region": ["asia"]}
    assert refusal_of(api, "GET", f"{path}/{before['lago_id']}") == missing("charge_filter")


def test_what_is_wrong_with_a_filter_is_named_within_it(api: Api, plan: JsonObject) -> None:
    given = {"filter": {"properties": {"amount": "1"}, "values": {"region": ["moon"]}}}
    assert refusal_of(api, "POST", f"{CHARGES}/b/filters", json=given) == invalid(values=["value_is_invalid"])


def test_the_charges_of_a_deleted_metric_are_gone_also_when_its_code_is_used_again(api: Api, metric: str) -> None:
    other = str(create(api, "brief")["lago_id"])
    created(api, "both", charges=[charge(metric, code="stays"), charge(other, code="goes")])

    sent(api, "DELETE", "/billable_metrics/brief")
    create(api, "brief", aggregation_type="count_agg")

    assert [one["code"] for one in sent(api, "GET", "/plans/both")["plan"]["charges"]] == ["stays"]
    assert [one["code"] for one in api.get("/v1/plans/both")["charges"]] == ["stays"]


def test_the_id_of_the_subscription_is_no_property_to_price_by(api: Api, plan: JsonObject, metric: str) -> None:
    wrong = charge(metric, properties={"amount": "1", "pricing_group_keys": ["subscription"]})
    refused = refusal_of(api, "POST", CHARGES, json={"charge": wrong})
    assert refused == invalid(properties=["invalid_pricing_group_keys"])
