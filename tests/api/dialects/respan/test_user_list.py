"""Lists of customers through Respan's routes: filters, orders, pages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from consumers.embedded.engine import EmbeddedEngine
from domain.scope import DEFAULT_SCOPE, Scope
from tests.api.dialects.conftest import Spend
from tests.api.dialects.respan.conftest import MARCH_25, USERS, updated
from tests.engine_fixtures import Api, customer_path, key_for, llm_request

LIST = f"{USERS}/list/"
BEFORE = MARCH_25 - timedelta(hours=1)


@pytest.fixture(scope="module", autouse=True)
def customers(api: Api, spend: Spend) -> None:
    """Three customers: ann and bob with budgets, the third is known by its usage alone."""
    spend("ann", "10", datetime(2026, 1, 31, 9, tzinfo=UTC), input_tokens=7, output_tokens=3, latency_ms=1500)
    spend("ann", "2", datetime(2026, 3, 1, tzinfo=UTC), input_tokens=7, output_tokens=3, latency_ms=500, ttft_ms=40)
    spend("bob", "1", datetime(2026, 3, 2, tzinfo=UTC), input_tokens=100, output_tokens=0)
    spend("list", "0.5", datetime(2026, 3, 3, tzinfo=UTC), input_tokens=1, output_tokens=1)
    updated(api, "ann", name="Ann", email="ann@acme.dev", metadata={"plan": "pro"}, period_budget=5, total_budget=50)
    updated(api, "bob", name="Bob", budget_duration="weekly", markup_percentage=100)


def listed(api: Api, filters: Any = None, **params: str | int) -> list[str]:
    answer = api.send("POST", LIST, 200, params=params, json={"filters": filters or {}}).json()
    return [one["customer_identifier"] for one in answer["results"]]


def test_a_customer_is_listed_with_its_usage_and_budgets(api: Api) -> None:
    answer = api.send("POST", LIST, 200, json={"filters": {"customer_identifier": {"value": ["ann"]}}}).json()
    (shown,) = answer["results"]
    assert (answer["count"], answer["next"], answer["previous"]) == (1, None, None)
    organization = shown["unique_organization_id"]
    assert shown == {
        "id": f"annprod{organization}",
        "customer_identifier": "ann",
        "unique_organization_id": organization,
        "environment": "prod",
        "name": "Ann",
        "email": "ann@acme.dev",
        "first_seen": "2026-01-31T09:00:00Z",
        "last_active_timeframe": "2026-03-01T00:00:00Z",
        "active_days": 2,
        "number_of_requests": 2,
        "total_requests": 2,
        "total_tokens": 20,
        "tokens": 20,
        "total_cost": 12.0,
        "cost": 12.0,
        "average_latency": 1.0,
        "average_ttft": 0.04,
        "average_monthly_cost": 4.0,
        "period_budget": 5.0,
        "budget_duration": "monthly",
        "total_budget": 50.0,
    }


def test_a_customer_of_usage_alone_has_nulls_where_nothing_is_known(api: Api) -> None:
    (shown,) = api.send("POST", LIST, 200, json={"filters": {"name": {"operator": "isnull", "value": [True]}}}).json()[
        "results"
    ]
    names = ("name", "email", "average_latency", "average_ttft", "period_budget", "total_budget", "budget_duration")
    assert [shown[name] for name in names] == [None, None, None, None, None, None, "monthly"]


def test_without_an_order_the_newest_customer_comes_first(api: Api) -> None:
    assert listed(api) == ["list", "bob", "ann"]
    assert [one["customer_identifier"] for one in api.get(LIST)["results"]] == ["list", "bob", "ann"]
    assert [one["customer_identifier"] for one in api.get(LIST[:-1])["results"]] == ["list", "bob", "ann"]
    assert api.send("POST", LIST[:-1], 200).json()["count"] == 3


@pytest.mark.parametrize(
    ("sort_by", "expected"),
    [
        ("customer_identifier", ["ann", "bob", "list"]),
        ("email", ["ann", "bob", "list"]),
        ("name", ["ann", "bob", "list"]),
        ("first_seen", ["ann", "bob", "list"]),
        ("last_active_timeframe", ["ann", "bob", "list"]),
        ("number_of_requests", ["bob", "list", "ann"]),
        ("total_cost", ["list", "bob", "ann"]),
        ("total_tokens", ["list", "ann", "bob"]),
        ("active_days", ["bob", "list", "ann"]),
        ("average_latency", ["ann", "bob", "list"]),
        ("average_ttft", ["ann", "bob", "list"]),
        ("-customer_identifier", ["list", "bob", "ann"]),
        ("-email", ["ann", "bob", "list"]),
        ("-name", ["bob", "ann", "list"]),
        ("-first_seen", ["list", "bob", "ann"]),
        ("-last_active_timeframe", ["list", "bob", "ann"]),
        ("-number_of_requests", ["ann", "bob", "list"]),
        ("-total_cost", ["ann", "bob", "list"]),
        ("-total_tokens", ["bob", "ann", "list"]),
        ("-active_days", ["ann", "bob", "list"]),
        ("-average_latency", ["ann", "bob", "list"]),
        ("-average_ttft", ["ann", "bob", "list"]),
    ],
)
def test_every_sort_key_sorts_both_ways(api: Api, sort_by: str, expected: list[str]) -> None:
    assert listed(api, sort_by=sort_by) == expected


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"customer_identifier": {"operator": "", "value": ["ann", "bob"]}}, ["ann", "bob"]),
        ({"customer_identifier": {"operator": "in", "value": ["ann", "nobody"]}}, ["ann"]),
        ({"customer_identifier": {"operator": "not", "value": ["ann"]}}, ["bob", "list"]),
        ({"customer_identifier": {"operator": "not_in", "value": ["ann", "bob"]}}, ["list"]),
        ({"customer_identifier": {"operator": "iexact", "value": "ANN"}}, ["ann"]),
        ({"customer_identifier": {"operator": "lt", "value": ["b"]}}, ["ann"]),
        ({"name": {"operator": "contains", "value": ["n"]}}, ["ann"]),
        ({"name": {"operator": "icontains", "value": ["B"]}}, ["bob"]),
        ({"name": {"operator": "not_contains", "value": ["n"]}}, ["bob", "list"]),
        ({"email": {"operator": "endswith", "value": ["@acme.dev"]}}, ["ann"]),
        ({"email": {"operator": "not_endswith", "value": ["@acme.dev"]}}, ["bob", "list"]),
        ({"email": {"operator": "startswith", "value": ["ann"]}}, ["ann"]),
        ({"email": {"operator": "not_startswith", "value": ["ann"]}}, ["bob", "list"]),
        ({"email": {"operator": "isnull", "value": [True]}}, ["bob", "list"]),
        ({"email": {"operator": "isnull", "value": [False]}}, ["ann"]),
        ({"email": {"operator": "empty", "value": [""]}}, ["bob", "list"]),
        ({"email": {"operator": "not_empty", "value": [""]}}, ["ann"]),
        ({"total_cost": {"operator": "gte", "value": [12]}}, ["ann"]),
        ({"total_cost": {"operator": "gt", "value": ["12"]}}, []),
        ({"cost": {"operator": "lte", "value": [1.0]}}, ["bob", "list"]),
        ({"total_cost": [{"operator": "gt", "value": [0.5]}, {"operator": "lt", "value": [12]}]}, ["bob"]),
        ({"number_of_requests": {"value": [2]}}, ["ann"]),
        ({"total_tokens": {"operator": "gte", "value": [20]}}, ["ann", "bob"]),
        ({"total_prompt_tokens": {"operator": "lt", "value": [14]}}, ["list"]),
        ({"total_completion_tokens": {"value": [0]}}, ["bob"]),
        ({"active_days": {"operator": "not", "value": [1]}}, ["ann"]),
        ({"average_latency": {"operator": "lte", "value": [1]}}, ["ann"]),
        ({"average_ttft": {"operator": "isnull", "value": ["false"]}}, ["ann"]),
        ({"first_seen": {"operator": "gte", "value": ["2026-03-02"]}}, ["bob", "list"]),
        ({"last_active_timeframe": {"operator": "lt", "value": ["2026-03-02T00:00:00Z"]}}, ["ann"]),
        ({"metadata__plan": {"value": ["pro"]}}, ["ann"]),
        ({"metadata__plan": {"operator": "isnull", "value": [True]}}, ["bob", "list"]),
        ({"environment": {"value": ["prod"]}, "name": {"value": ["Bob"]}}, ["bob"]),
        ({"environment": {"operator": "not", "value": ["prod"]}}, []),
        ({"name": {"operator": None, "value": ["Bob"]}}, ["bob"]),
    ],
    ids=str,
)
def test_every_filter_lists_who_fulfils_it(api: Api, filters: Any, expected: list[str]) -> None:
    assert listed(api, filters, sort_by="customer_identifier") == expected


@pytest.mark.parametrize(
    ("filters", "field", "rule"),
    [
        ({"nothing": {"value": [1]}}, "nothing", "is none of the fields customer_identifier, "),
        ({"metadata__": {"value": [1]}}, "metadata__", "is none of the fields"),
        ({"name": {"operator": "like", "value": ["a"]}}, "name", "has an operator that is none of"),
        ({"name": {"operator": "lt", "value": ["a", "b"]}}, "name", "must have one value with the operator 'lt'"),
        ({"name": {"operator": "lt", "value": []}}, "name", "must have 1 to 1000 values"),
        ({"name": "Ann"}, "name", 'must be {"operator": ..., "value": [...]}'),
        ({"name": {"value": [{}]}}, "name", "must be compared with text"),
        ({"total_cost": {"value": ["much"]}}, "total_cost", "must be compared with a number"),
        ({"total_cost": {"value": [True]}}, "total_cost", "must be compared with a number"),
        ({"total_cost": {"operator": "contains", "value": [1]}}, "total_cost", "which is one of text"),
        ({"first_seen": {"value": ["yesterday"]}}, "first_seen", "must be compared with a date"),
        ({"email": {"operator": "isnull", "value": [1]}}, "email", "must have the value true or false"),
        ({"environment": {"value": ["staging"]}}, "environment", "must be 'prod' or 'test'"),
        ({"environment": {"operator": "lt", "value": ["prod"]}}, "environment", "can be compared only with"),
        ({f"metadata__{number}": {"value": [1]} for number in range(51)}, "", "must have at most 50 conditions"),
    ],
)
def test_a_filter_that_makes_no_sense_is_refused_by_name(api: Api, filters: Any, field: str, rule: str) -> None:
    refused = api.refused("POST", LIST, 400, {"filters": filters})
    (found,) = refused["filters"]
    assert found.startswith(f"{field} {rule}".strip()) or (found.startswith(field) and rule in found)
    assert refused["detail"] == f"filters {found}"


@pytest.mark.parametrize(
    ("query", "field"),
    [("sort_by=size", "sort_by"), ("page=0", "page"), ("page_size=1001", "page_size"), ("page=one", "page")],
)
def test_a_query_that_makes_no_sense_is_refused_by_name(api: Api, query: str, field: str) -> None:
    assert set(api.refused("POST", f"{LIST}?{query}", 400)) == {field, "detail"}


def test_pages_link_to_each_other_and_the_one_after_the_last_is_empty(api: Api) -> None:
    first = api.send("POST", LIST, 200, params={"page_size": 2, "sort_by": "customer_identifier"}).json()
    assert (first["count"], len(first["results"]), first["previous"]) == (2, 2, None)
    assert first["next"] == f"http://testserver{LIST}?page_size=2&sort_by=customer_identifier&page=2"
    last = api.send("GET", first["next"], 200).json()
    assert [one["customer_identifier"] for one in last["results"]] == ["list"]
    assert (last["count"], last["next"]) == (1, None)
    assert last["previous"] == f"http://testserver{LIST}?page_size=2&sort_by=customer_identifier&page=1"
    beyond = api.get(LIST, page=3, page_size=2)
    assert (beyond["count"], beyond["next"], beyond["results"]) == (0, None, [])
    assert api.get(LIST, page_size=3)["next"] is None


def test_a_list_is_of_one_environment_of_one_organization(api: Api, engine: EmbeddedEngine) -> None:
    for scope in (Scope("default", "test"), Scope("acme", "prod")):
        assert listed(Api(api.client, key_for(engine, scope))) == []
    assert listed(Api(api.client, key_for(engine, DEFAULT_SCOPE, "read"))) != []
    api.send("POST", f"{LIST}?environment=test", 404)


def test_a_page_of_a_thousand_is_followed_by_the_rest(api: Api, engine: EmbeddedEngine) -> None:
    many = Api(api.client, key_for(engine, Scope("many", "prod")))
    many.deliver([llm_request(f"of-{number}", f"c{number:04}", BEFORE) for number in range(1_001)], as_lines=True)
    asked: dict[str, str | int] = {"page_size": 1_000, "sort_by": "customer_identifier"}
    first, last = (many.get(LIST, page=page, **asked) for page in (1, 2))
    assert (first["count"], first["next"] is not None) == (1_000, True)
    assert first["results"][-1]["customer_identifier"] == "c0999"
    assert (last["count"], last["next"], last["results"][0]["customer_identifier"]) == (1, None, "c1000")
    below = {"filters": {"customer_identifier": {"operator": "lt", "value": ["c1000"]}}}
    exact = many.send("POST", LIST, 200, params=asked, json=below).json()
    assert (exact["count"], exact["next"]) == (1_000, None)


def test_a_list_and_its_count_have_nobody_whose_life_is_still_ahead(api: Api, engine: EmbeddedEngine) -> None:
    others = Api(api.client, key_for(engine, Scope("to come", "prod")))
    ahead, tomorrow = MARCH_25 + timedelta(hours=3), (MARCH_25 + timedelta(days=1)).isoformat()
    for name in ("ended", "created again", "used again"):
        others.deliver([llm_request(f"{name} 1", name, BEFORE), llm_request(f"{name} 2", name, ahead)])
        others.delete(customer_path(name))
    others.deliver([llm_request("used again 3", "used again", MARCH_25), llm_request("first", "used ahead", ahead)])
    for name in ("created again", "created"):
        others.post("/v1/customers", {"id": name, "effective_at": tomorrow})
    answer = others.get(LIST, sort_by="customer_identifier")
    assert [one["customer_identifier"] for one in answer["results"]] == ["used again", "used ahead"]
    assert answer["count"] == 2
    assert [one["user_id"] for one in others.get("/customer/list", page=1)] == ["used again", "used ahead"]
    assert [one["id"] for one in others.pages("/v1/customers")] == ["used again", "used ahead"]
