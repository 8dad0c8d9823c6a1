"""Coupons as Lago's clients define them."""

from __future__ import annotations

from typing import Any

import pytest

from consumers.embedded.engine import EmbeddedEngine
from domain.scope import Scope
from tests.api.dialects.lago.conftest import BASE, refusal_of
from tests.api.dialects.lago.test_billable_metrics import create as create_metric
from tests.api.dialects.lago.test_plans import created as create_plan
from tests.engine_fixtures import Api, JsonObject, key_for

PATH = f"{BASE}/coupons"
MANDATORY, INVALID, OUT_OF_RANGE = ["value_is_mandatory"], ["value_is_invalid"], ["value_is_out_of_range"]


def fixed(code: str, **more: Any) -> JsonObject:
    return {
        "name": code.title(),
        "code": code,
        "coupon_type": "fixed_amount",
        "amount_cents": 5000,
        "amount_currency": "USD",
        "frequency": "once",
        "expiration": "no_expiration",
        **more,
    }


def percentage(code: str, **more: Any) -> JsonObject:
    more = {"coupon_type": "percentage", "percentage_rate": "12.50", **more}
    return fixed(code, amount_cents=None, amount_currency=None, **more)


def create(api: Api, coupon: JsonObject) -> JsonObject:
    made: JsonObject = api.post(PATH, {"coupon": coupon}, 200)["coupon"]
    return made


def shown(made: JsonObject, **more: Any) -> JsonObject:
    """A coupon of a fixed amount as it is answered."""
    return {
        "lago_id": made["lago_id"],
        **fixed(made["code"]),
        "description": None,
        "percentage_rate": None,
        "reusable": True,
        "frequency_duration": None,
        "limited_plans": False,
        "plan_codes": [],
        "limited_billable_metrics": False,
        "billable_metric_codes": [],
        "expiration_at": None,
        "created_at": "2026-04-29T08:59:51Z",
        "terminated_at": None,
        **more,
    }


def invalid(api: Api, coupon: JsonObject, method: str = "POST", path: str = "/coupons") -> Any:
    status, body = refusal_of(api, method, path, json={"coupon": coupon})
    assert (status, body["code"]) == (422, "validation_errors")
    return body["error_details"]


def test_a_coupon_is_answered_as_it_was_given(api: Api) -> None:
    ends = {"expiration": "time_limit", "expiration_at": "2026-08-08T23:59:59Z"}
    made = create(api, fixed("whole", description="For you", reusable=False, **ends))
    assert made == shown(made, description="For you", reusable=False, **ends)
    assert api.get(f"{PATH}/whole") == {"coupon": made}
    native = api.get("/v1/coupons/whole")
    assert [native[name] for name in ("amount", "currency", "percentage", "frequency", "expires_at")] == [
        "50",
        "USD",
        None,
        "once",
        "2026-08-08T23:59:59.000000Z",
    ]


@pytest.mark.parametrize(("rate", "answered"), [("12.50", "12.5"), (10, "10.0"), (33.3333349, "33.33333")])
def test_a_percentage_is_text(api: Api, rate: object, answered: str) -> None:
    made = create(api, percentage(f"rate {rate}", percentage_rate=rate, frequency="recurring", frequency_duration="3"))
    none = {"amount_cents": None, "amount_currency": None}
    more = {"coupon_type": "percentage", "percentage_rate": answered, "frequency": "recurring", "frequency_duration": 3}
    assert made == shown(made, **none, **more)


def test_an_amount_is_in_minor_units_of_its_currency(api: Api) -> None:
    create(api, fixed("yen", amount_cents=700, amount_currency="JPY"))
    assert api.get("/v1/coupons/yen")["amount"] == "700"
    assert api.get(f"{PATH}/yen")["coupon"]["amount_cents"] == 700


def test_a_coupon_is_limited_to_plans_or_to_metrics_that_exist(api: Api) -> None:
    create_metric(api, "couponed")
    create_plan(api, "couponed")
    of_plans = create(api, fixed("of plans", applies_to={"plan_codes": ["couponed", "couponed"]}))
    assert of_plans == shown(of_plans, limited_plans=True, plan_codes=["couponed"])
    of_metrics = create(api, fixed("of metrics", applies_to={"billable_metric_codes": ["couponed"], "plan_codes": []}))
    assert of_metrics == shown(of_metrics, limited_billable_metrics=True, billable_metric_codes=["couponed"])
    refused = [
        refusal_of(api, "POST", "/coupons", json={"coupon": fixed("bad", applies_to=limits)})
        for limits in (
            {"plan_codes": ["couponed"], "billable_metric_codes": ["couponed"]},
            {"plan_codes": ["none"]},
            {"billable_metric_codes": ["none"]},
        )
    ]
    assert [(status, body["code"]) for status, body in refused] == [
        (405, "only_one_limitation_type_per_coupon_allowed"),
        (404, "plans_not_found"),
        (404, "billable_metrics_not_found"),
    ]


@pytest.mark.parametrize(
    ("given", "details"),
    [
        ({"name": None, "code": ""}, {"name": MANDATORY, "code": MANDATORY}),
        ({"coupon_type": None, "frequency": None}, {"coupon_type": MANDATORY, "frequency": MANDATORY}),
        ({"coupon_type": "gift"}, {"coupon_type": INVALID}),
        ({"frequency": "weekly"}, {"frequency": INVALID}),
        ({"amount_cents": None, "amount_currency": None}, {"amount_cents": MANDATORY, "amount_currency": MANDATORY}),
        ({"amount_cents": 0}, {"amount_cents": OUT_OF_RANGE}),
        ({"amount_cents": -5}, {"amount_cents": OUT_OF_RANGE}),
        ({"amount_cents": "-"}, {"amount_cents": INVALID}),
        ({"amount_cents": "--5"}, {"amount_cents": INVALID}),
        ({"amount_cents": True}, {"amount_cents": INVALID}),
        ({"frequency": "recurring", "frequency_duration": -1}, {"frequency_duration": OUT_OF_RANGE}),
        ({"amount_currency": "XXX"}, {"amount_currency": INVALID}),
        ({"coupon_type": "percentage"}, {"percentage_rate": MANDATORY}),
        ({"coupon_type": "percentage", "percentage_rate": "0"}, {"percentage_rate": OUT_OF_RANGE}),
        ({"coupon_type": "percentage", "percentage_rate": "many"}, {"percentage_rate": INVALID}),
        ({"coupon_type": "percentage", "percentage_rate": "1e9"}, {"percentage_rate": INVALID}),
        ({"frequency": "recurring"}, {"frequency_duration": MANDATORY}),
        ({"frequency": "recurring", "frequency_duration": 0}, {"frequency_duration": OUT_OF_RANGE}),
        ({"frequency": "recurring", "frequency_duration": 2000}, {"frequency_duration": INVALID}),
        ({"expiration": "time_limit"}, {"expiration_at": ["invalid_date"]}),
        ({"expiration": "time_limit", "expiration_at": "2026-04-01T00:00:00Z"}, {"expiration_at": ["invalid_date"]}),
        ({"expiration": "someday"}, {"expiration": INVALID}),
    ],
)
def test_what_breaks_a_rule_has_the_codes_of_lago(api: Api, given: JsonObject, details: JsonObject) -> None:
    assert invalid(api, {**fixed("refused"), **given}) == details


def test_a_code_in_use_is_refused(api: Api) -> None:
    create(api, fixed("taken"))
    assert invalid(api, fixed("taken")) == {"code": ["value_already_exist"]}


def test_an_update_changes_what_is_given(api: Api) -> None:
    made = create(api, fixed("changed", description="Once"))
    changed = api.send("PUT", f"{PATH}/changed", 200, json={"coupon": {"name": "New", "description": None}}).json()[
        "coupon"
    ]
    assert changed == shown(made, name="New")
    as_percentage = {"coupon_type": "percentage", "percentage_rate": 5.5, "frequency": "forever", "reusable": False}
    changed = api.send("PUT", f"{PATH}/changed", 200, json={"coupon": as_percentage}).json()["coupon"]
    none = {"amount_cents": None, "amount_currency": None, "name": "New"}
    assert changed == shown(made, **none, **{**as_percentage, "percentage_rate": "5.5"})
    nothing = dict.fromkeys(("percentage_rate", "amount_cents", "frequency", "expiration", "applies_to", "code"))
    assert api.send("PUT", f"{PATH}/changed", 200, json={"coupon": nothing}).json()["coupon"] == changed
    assert invalid(api, {"code": "other"}, "PUT", "/coupons/changed") == {"code": INVALID}
    assert invalid(api, {"frequency": "recurring"}, "PUT", "/coupons/changed") == {"frequency_duration": MANDATORY}


def test_a_coupon_that_has_expired_is_shown_as_terminated_and_can_be_changed(api: Api) -> None:
    api.post(
        "/v1/coupons",
        {"code": "expired", "percentage": "5", "frequency": "once", "expires_at": "2026-04-01T00:00:00Z"},
    )
    coupon = api.get(f"{PATH}/expired")["coupon"]
    assert (coupon["expiration_at"], coupon["terminated_at"]) == ("2026-04-01T00:00:00Z", "2026-04-01T00:00:00Z")
    renamed = api.send("PUT", f"{PATH}/expired", 200, json={"coupon": {"name": "Old"}}).json()["coupon"]
    assert (renamed["name"], renamed["expiration_at"]) == ("Old", "2026-04-01T00:00:00Z")
    never = {"expiration": "no_expiration"}
    open_again = api.send("PUT", f"{PATH}/expired", 200, json={"coupon": never}).json()["coupon"]
    assert (open_again["expiration"], open_again["terminated_at"]) == ("no_expiration", None)


def test_a_deleted_coupon_is_answered_and_gone(api: Api) -> None:
    made = create(api, fixed("gone"))
    assert api.send("DELETE", f"{PATH}/gone", 200).json() == {"coupon": made}
    for method, body in (("GET", None), ("DELETE", None), ("PUT", {"coupon": {"name": "x"}})):
        assert refusal_of(api, method, "/coupons/gone", json=body) == (
            404,
            {"status": 404, "error": "Not Found", "code": "coupon_not_found"},
        )


def test_coupons_are_listed_in_pages_the_last_created_first(engine: EmbeddedEngine, api: Api) -> None:
    own = Api(api.client, key_for(engine, Scope("couponed", "prod")))
    for number, code in enumerate(("first", "second", "third")):
        given = {
            "code": code,
            "percentage": "5",
            "frequency": "once",
            "effective_at": f"2026-04-0{number + 1}T00:00:00Z",
        }
        own.post("/v1/coupons", given)
    page = own.get(PATH, page="1", per_page="2")
    assert [one["code"] for one in page["coupons"]] == ["third", "second"]
    assert [one["name"] for one in own.get(PATH, page="2", per_page="2")["coupons"]] == ["first"]
    assert page["meta"] == {
        "current_page": 1,
        "next_page": 2,
        "prev_page": None,
        "total_pages": 2,
        "total_count": 3,
    }
