"""Coupons through the API."""

from __future__ import annotations

from typing import Any, Final

import pytest

from consumers.embedded.engine import EmbeddedEngine
from domain.scope import Scope
from tests.api.native.routes.test_customers import without_position
from tests.engine_fixtures import Api, JsonObject, key_for

CREATED: Final = "2026-03-10T12:00:00.000000Z"


def coupon(code: str, **more: Any) -> JsonObject:
    return {"code": code, "percentage": "10", "frequency": "forever", **more}


def shown(code: str, **more: Any) -> JsonObject:
    """A coupon as it is answered, without position and time."""
    rest: JsonObject = {
        "name": None,
        "description": None,
        "amount": None,
        "currency": None,
        "periods": None,
        "plans": [],
        "meters": [],
        "expires_at": None,
        "reusable": True,
        "created_at": CREATED,
        "updated_at": CREATED,
    }
    return {**coupon(code), **rest, **more}


def test_a_coupon_is_shown_as_it_was_created(api: Api) -> None:
    whole = {
        "name": "Welcome",
        "description": "For new customers",
        "percentage": None,
        "amount": "20.50",
        "currency": "eur",
        "frequency": "recurring",
        "periods": 3,
        "plans": ["pro", "team"],
        "expires_at": "2027-01-01T00:00:00+01:00",
        "reusable": False,
    }
    created = api.post("/v1/coupons", coupon("whole", **whole))
    stored = {**whole, "amount": "20.5", "currency": "EUR", "expires_at": "2026-12-31T23:00:00.000000Z"}
    assert without_position(created) == shown("whole", **stored)
    assert without_position(api.get("/v1/coupons/whole")) == without_position(created)


def test_a_code_that_is_in_use_is_refused_and_one_of_a_deleted_coupon_is_free(api: Api) -> None:
    api.post("/v1/coupons", coupon("taken"))
    refused = api.refused("POST", "/v1/coupons", 409, coupon("taken"))
    assert (refused["type"], refused["detail"]) == ("/problems/already_exists", "coupon 'taken' exists already")
    api.delete("/v1/coupons/taken")
    assert without_position(api.post("/v1/coupons", coupon("taken"))) == shown("taken")


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_a_coupon_that_does_not_exist_is_not_found(api: Api, method: str) -> None:
    refused = api.refused(method, "/v1/coupons/nothing", 404, None if method != "PATCH" else {"name": "x"})
    assert (refused["type"], refused["detail"]) == ("/problems/not_found", "coupon 'nothing' does not exist")


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("code", {"code": ""}),
        ("frequency", {"frequency": None}),
        ("frequency", {"frequency": "weekly"}),
        ("periods", {"frequency": "recurring"}),
        ("amount", {"percentage": None}),
        ("percentage", {"amount": "5", "currency": "USD"}),
        ("meters", {"plans": ["pro"], "meters": ["tokens"]}),
        ("coupon", {"coupon": "x"}),
        ("effective_at", {"effective_at": "soon"}),
    ],
)
def test_what_breaks_a_rule_is_named(api: Api, field: str, given: JsonObject) -> None:
    assert api.refused("POST", "/v1/coupons", 422, {**coupon("refused"), **given})["field"] == field
    assert api.refused("GET", "/v1/coupons/refused", 404)["status"] == 404


def test_a_change_is_a_merge_patch(api: Api) -> None:
    api.post("/v1/coupons", coupon("patched", name="Patched", plans=["pro"]))
    changed = api.patch("/v1/coupons/patched", {"name": None, "plans": None, "percentage": 12.5})
    assert without_position(changed) == shown("patched", percentage="12.5")
    assert api.refused("PATCH", "/v1/coupons/patched", 422, {"code": "other"})["field"] == "code"


def test_a_coupon_and_its_changes_hold_from_their_effective_instants_on(api: Api) -> None:
    api.post("/v1/coupons", coupon("dated", name="First", effective_at="2026-02-01T00:00:00Z"))
    api.patch("/v1/coupons/dated", {"name": "Second", "effective_at": "2026-03-01T00:00:00Z"})
    api.patch("/v1/coupons/dated", {"name": "Third", "effective_at": "2026-04-01T00:00:00Z"})
    since = {"created_at": "2026-02-01T00:00:00.000000Z", "updated_at": "2026-03-01T00:00:00.000000Z"}
    assert without_position(api.get("/v1/coupons/dated")) == shown("dated", name="Second", **since)
    assert api.get("/v1/coupons/dated", at="2026-02-15T00:00:00Z")["name"] == "First"
    api.send("DELETE", "/v1/coupons/dated", 204, params={"effective_at": "2026-03-05T00:00:00Z"})
    assert api.refused("GET", "/v1/coupons/dated", 404)["status"] == 404


def test_coupons_are_listed_by_code_page_by_page(engine: EmbeddedEngine, api: Api) -> None:
    other = Api(api.client, key_for(engine, Scope("coupon lister", "prod")))
    for code in ("c", "a", "d", "b"):
        other.post("/v1/coupons", coupon(code))
    other.delete("/v1/coupons/b")
    for limit in (1, 2, 100):
        assert [without_position(one) for one in other.pages("/v1/coupons", limit=limit)] == [
            shown("a"),
            shown("c"),
            shown("d"),
        ]
