"""Plans through the API."""

from __future__ import annotations

from typing import Any, Final

import pytest

from consumers.embedded.engine import EmbeddedEngine
from domain.scope import DEFAULT_SCOPE, Scope
from tests.api.native.routes.test_customers import without_position
from tests.engine_fixtures import Api, JsonObject, key_for

CREATED: Final = "2026-03-10T12:00:00.000000Z"
STANDARD: Final = {"model": "standard", "amount": "0.00002"}
TOKENS: Final = {"code": "tokens", "meter": "total_tokens", "price": STANDARD}


def plan(code: str, **more: Any) -> JsonObject:
    return {"code": code, "interval": "monthly", "currency": "USD", **more}


def shown(code: str, **more: Any) -> JsonObject:
    """A plan as it is answered, without position and time."""
    rest: JsonObject = {
        "name": None,
        "description": None,
        "amount": None,
        "charges": [],
        "created_at": CREATED,
        "updated_at": CREATED,
    }
    return {**plan(code), **rest, **more}


def shown_charge(**more: Any) -> JsonObject:
    return {**TOKENS, "name": None, "group_by": [], "minimum_amount": None, "filters": [], **more}


def test_a_plan_is_shown_as_it_was_created(api: Api) -> None:
    ranges = [
        {"from_value": 0, "to_value": 1000, "per_unit_amount": "0.020", "flat_amount": None},
        {"from_value": 1000, "to_value": None, "per_unit_amount": 0.01, "flat_amount": "1"},
    ]
    disk = {
        "code": "disk",
        "name": "Storage",
        "meter": "gb",
        "price": {"model": "graduated", "ranges": ranges},
        "group_by": ["region", "tier"],
        "minimum_amount": "5.00",
    }
    created = api.post("/v1/plans", plan("whole", name="Whole", description="All of it", charges=[TOKENS, disk]))
    stored = [
        {"from_value": "0", "to_value": "1000", "per_unit_amount": "0.02", "flat_amount": "0"},
        {"from_value": "1000", "to_value": None, "per_unit_amount": "0.01", "flat_amount": "1"},
    ]
    charges = [
        shown_charge(),
        {**disk, "price": {"model": "graduated", "ranges": stored}, "minimum_amount": "5", "filters": []},
    ]
    assert without_position(created) == shown("whole", name="Whole", description="All of it", charges=charges)
    assert without_position(api.get("/v1/plans/whole")) == without_position(created)


def test_a_plan_shows_its_fee_and_the_filters_of_its_charges(api: Api) -> None:
    west = {"values": {"region": ["eu", "us"], "tier": []}, "price": {"model": "standard", "amount": 1}}
    named = {"values": {"tier": ["gold"]}, "price": STANDARD, "name": "Gold"}
    created = api.post("/v1/plans", plan("filtered", amount="29.90", charges=[{**TOKENS, "filters": [west, named]}]))
    filters = [{**west, "price": {"model": "standard", "amount": "1"}, "name": None}, named]
    assert without_position(created) == shown("filtered", amount="29.9", charges=[shown_charge(filters=filters)])
    assert api.patch("/v1/plans/filtered", {"amount": None})["amount"] is None


def test_a_currency_is_shown_in_upper_case(api: Api) -> None:
    assert without_position(api.post("/v1/plans", plan("lower", currency="jpy"))) == shown("lower", currency="JPY")


def test_a_code_that_is_in_use_is_refused_and_one_of_a_deleted_plan_is_free(api: Api) -> None:
    api.post("/v1/plans", plan("taken"))
    refused = api.refused("POST", "/v1/plans", 409, plan("taken", currency="EUR"))
    assert (refused["type"], refused["detail"]) == ("/problems/already_exists", "plan 'taken' exists already")
    api.delete("/v1/plans/taken")
    assert without_position(api.post("/v1/plans", plan("taken", currency="EUR"))) == shown("taken", currency="EUR")


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_a_plan_that_does_not_exist_is_not_found(api: Api, method: str) -> None:
    refused = api.refused(method, "/v1/plans/nothing", 404, None if method != "PATCH" else {"name": "x"})
    assert (refused["type"], refused["detail"]) == ("/problems/not_found", "plan 'nothing' does not exist")


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("code", {"code": ""}),
        ("interval", {"interval": "daily"}),
        ("interval", {"interval": None}),
        ("currency", {"currency": "XXX"}),
        ("plan", {"plan": "x"}),
        ("charges.1.code", {"charges": [TOKENS, TOKENS]}),
        ("charges.0.meter", {"charges": [{"code": "a", "price": STANDARD}]}),
        ("charges.0.prices", {"charges": [{**TOKENS, "prices": []}]}),
        ("charges.0.price.model", {"charges": [{**TOKENS, "price": {"model": "flat"}}]}),
        ("charges.0.price.amount", {"charges": [{**TOKENS, "price": {"model": "standard"}}]}),
        ("charges.0.price.rate", {"charges": [{**TOKENS, "price": {**STANDARD, "rate": "1"}}]}),
        ("charges.0.price.amount", {"charges": [{**TOKENS, "price": {"model": "standard", "amount": "-1"}}]}),
        ("charges.0.minimum_amount", {"charges": [{**TOKENS, "minimum_amount": "-1"}]}),
        ("charges.0.group_by.0", {"charges": [{**TOKENS, "group_by": [""]}]}),
        ("charges.0.filters.0.values", {"charges": [{**TOKENS, "filters": [{"values": {}, "price": STANDARD}]}]}),
        ("charges.0.filters.0.price", {"charges": [{**TOKENS, "filters": [{"values": {"a": []}}]}]}),
        ("amount", {"amount": -1}),
        ("effective_at", {"effective_at": "soon"}),
    ],
)
def test_what_breaks_a_rule_is_named(api: Api, field: str, given: JsonObject) -> None:
    assert api.refused("POST", "/v1/plans", 422, {**plan("refused"), **given})["field"] == field
    assert api.refused("GET", "/v1/plans/refused", 404)["status"] == 404


def test_a_change_is_a_merge_patch(api: Api) -> None:
    api.post("/v1/plans", plan("patched", name="Patched", description="Once", charges=[TOKENS]))
    requests = {"code": "requests", "meter": "requests", "price": {"model": "package", "amount": 1, "package_size": 10}}
    changed = api.patch("/v1/plans/patched", {"name": None, "charges": [requests]})
    stored = {"model": "package", "amount": "1", "package_size": 10, "free_units": "0"}
    expected = shown("patched", description="Once", charges=[shown_charge(**{**requests, "price": stored})])
    assert without_position(changed) == expected
    assert without_position(api.patch("/v1/plans/patched", {})) == expected
    assert without_position(api.patch("/v1/plans/patched", {"charges": None})) == {**expected, "charges": []}


@pytest.mark.parametrize("field", ["interval", "currency", "code"])
def test_what_makes_the_periods_and_the_money_of_subscriptions_cannot_be_changed(api: Api, field: str) -> None:
    api.post("/v1/plans", plan(f"fixed {field}"))
    given = {"interval": "weekly", "currency": "EUR", "code": "other"}
    refused = api.refused("PATCH", f"/v1/plans/fixed {field}", 422, {field: given[field]})
    assert refused["field"] == field


def test_a_plan_and_its_changes_hold_from_their_effective_instants_on(api: Api) -> None:
    api.post("/v1/plans", plan("dated", name="First", effective_at="2026-02-01T00:00:00Z"))
    api.patch("/v1/plans/dated", {"name": "Second", "effective_at": "2026-03-01T00:00:00Z"})
    api.patch("/v1/plans/dated", {"name": "Third", "effective_at": "2026-04-01T00:00:00Z"})
    since = {"created_at": "2026-02-01T00:00:00.000000Z", "updated_at": "2026-03-01T00:00:00.000000Z"}
    assert without_position(api.get("/v1/plans/dated")) == shown("dated", name="Second", **since)
    assert api.get("/v1/plans/dated", at="2026-02-15T00:00:00Z")["name"] == "First"
    assert api.send("GET", "/v1/plans/dated", 404, params={"at": "2026-01-15T00:00:00Z"}).json()["status"] == 404


def test_a_plan_of_the_future_is_shown_when_it_is_created(api: Api) -> None:
    ahead = "2026-05-01T00:00:00.000000Z"
    created = api.post("/v1/plans", plan("ahead", effective_at=ahead))
    assert without_position(created) == shown("ahead", created_at=ahead, updated_at=ahead)
    assert api.refused("GET", "/v1/plans/ahead", 404)["status"] == 404


def test_a_plan_is_deleted_at_an_instant(api: Api) -> None:
    api.post("/v1/plans", plan("gone", effective_at="2026-02-01T00:00:00Z"))
    api.send("DELETE", "/v1/plans/gone", 204, params={"effective_at": "2026-03-01T00:00:00Z"})
    assert api.refused("GET", "/v1/plans/gone", 404)["status"] == 404
    assert api.get("/v1/plans/gone", at="2026-02-28T00:00:00Z")["code"] == "gone"


def test_plans_are_listed_by_code_page_by_page(engine: EmbeddedEngine, api: Api) -> None:
    other = Api(api.client, key_for(engine, Scope("lister", "prod")))
    for code in ("c", "a", "d", "b"):
        other.post("/v1/plans", plan(code))
    other.delete("/v1/plans/b")
    for limit in (1, 2, 100):
        listed = other.pages("/v1/plans", limit=limit)
        assert [without_position(one) for one in listed] == [shown("a"), shown("c"), shown("d")]
    assert other.refused("GET", "/v1/plans?cursor=nonsense", 422)["field"] == "cursor"


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/v1/plans"), ("PATCH", "/v1/plans/x"), ("DELETE", "/v1/plans/x")]
)
def test_a_key_that_only_reads_changes_no_plan(engine: EmbeddedEngine, api: Api, method: str, path: str) -> None:
    reader = Api(api.client, key_for(engine, DEFAULT_SCOPE, "read"))
    assert reader.refused(method, path, 403, plan("x"))["type"] == "/problems/forbidden"


@pytest.mark.parametrize("path", ["/v1/plans", "/v1/plans/x"])
def test_a_key_that_only_ingests_reads_no_plan(engine: EmbeddedEngine, api: Api, path: str) -> None:
    assert Api(api.client, key_for(engine, DEFAULT_SCOPE, "ingest")).refused("GET", path, 403)["status"] == 403
