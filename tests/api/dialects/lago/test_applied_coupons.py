"""Coupons as Lago's clients apply them: errors, lists, terminations, and what is left after the bills."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from consumers.embedded.engine import EmbeddedEngine
from domain.scope import Scope
from tests.api.dialects.lago.conftest import BASE, refusal_of
from tests.api.dialects.lago.test_coupons import create, fixed, percentage
from tests.engine_fixtures import Api, JsonObject, SettableClock, key_for

PATH = f"{BASE}/applied_coupons"
CUSTOMER = "acme/eu.7"
MISSING = {"status": 404, "error": "Not Found"}


@pytest.fixture
def own(engine: EmbeddedEngine, api: Api, request: pytest.FixtureRequest) -> Api:
    """The API with a tenant of its own, a customer, a metric and a plan with a charge of 1 USD a unit."""
    own = Api(api.client, key_for(engine, Scope(f"of {abs(hash(request.node.name))}", "prod")))
    own.post(f"{BASE}/customers", {"customer": {"external_id": CUSTOMER, "currency": "USD"}}, 200)
    own.post("/v1/meters", {"code": "gb", "event_type": "gb", "aggregation": "sum", "value_property": "gb"})
    charges = [{"code": "gb", "meter": "gb", "price": {"model": "standard", "amount": "1"}}]
    own.post("/v1/plans", {"code": "basic", "interval": "monthly", "currency": "USD", "charges": charges})
    return own


def apply(api: Api, coupon: str, customer: str = CUSTOMER, **more: Any) -> JsonObject:
    body = {"applied_coupon": {"external_customer_id": customer, "coupon_code": coupon, **more}}
    made: JsonObject = api.post(PATH, body, 200)["applied_coupon"]
    return made


def refused(api: Api, coupon: str, customer: str = CUSTOMER, **more: Any) -> tuple[int, Any]:
    body = {"applied_coupon": {"external_customer_id": customer, "coupon_code": coupon, **more}}
    return refusal_of(api, "POST", "/applied_coupons", json=body)


def of_customer(customer: str = CUSTOMER, applied_id: str = "") -> str:
    return f"{BASE}/customers/{quote(customer)}/applied_coupons" + (f"/{applied_id}" if applied_id else "")


def terminate(api: Api, applied_id: str) -> JsonObject:
    ended: JsonObject = api.send("DELETE", of_customer(applied_id=applied_id), 200).json()["applied_coupon"]
    return ended


def test_an_applied_coupon_is_answered_with_its_coupon_and_customer(own: Api) -> None:
    coupon = create(own, fixed("welcome", description="For you"))
    customer = own.get(f"{BASE}/customers/{CUSTOMER}")["customer"]
    made = apply(own, "welcome")
    assert made == {
        "lago_id": made["lago_id"],
        "lago_coupon_id": coupon["lago_id"],
        "coupon_code": "welcome",
        "coupon_name": "Welcome",
        "coupon_description": "For you",
        "coupon_status": "active",
        "coupon_deleted_at": None,
        "lago_customer_id": customer["lago_id"],
        "external_customer_id": CUSTOMER,
        "status": "active",
        "amount_cents": 5000,
        "amount_cents_remaining": 5000,
        "amount_currency": "USD",
        "percentage_rate": None,
        "frequency": "once",
        "frequency_duration": None,
        "frequency_duration_remaining": None,
        "expiration_at": None,
        "created_at": "2026-04-29T08:59:51Z",
        "terminated_at": None,
    }
    assert own.get(of_customer())["applied_coupons"] == [{**made, "credits": []}]


def test_own_values_are_in_place_of_those_of_the_coupon(own: Api) -> None:
    create(own, fixed("fixed"))
    create(own, percentage("percentage"))
    yen = apply(own, "fixed", amount_cents=700, amount_currency="JPY", percentage_rate=5)
    assert [yen[name] for name in ("amount_cents", "amount_currency", "percentage_rate")] == [700, "JPY", None]
    often = apply(own, "percentage", percentage_rate=20.5, frequency="recurring", frequency_duration=2, amount_cents=1)
    assert [often[name] for name in ("percentage_rate", "frequency", "frequency_duration", "amount_cents")] == [
        "20.5",
        "recurring",
        2,
        None,
    ]
    assert (often["frequency_duration_remaining"], often["amount_cents_remaining"]) == (2, None)


@pytest.mark.parametrize(("amount", "currency", "own_currency"), [(500, "JPY", "USD"), (1050, "USD", "JPY")])
def test_another_currency_alone_leaves_the_number_of_minor_units(
    own: Api, amount: int, currency: str, own_currency: str
) -> None:
    create(own, fixed("fixed", amount_cents=amount, amount_currency=currency))
    made = apply(own, "fixed", amount_currency=own_currency)
    shown = [made[name] for name in ("amount_cents", "amount_cents_remaining", "amount_currency")]
    assert shown == [amount, amount, own_currency]


def test_a_coupon_or_customer_that_does_not_exist_or_has_expired_is_not_found(own: Api) -> None:
    create(own, fixed("welcome"))
    ended = {"code": "ended", "percentage": "5", "frequency": "once", "expires_at": "2026-04-01T00:00:00Z"}
    own.post("/v1/coupons", ended)
    assert refused(own, "welcome", "nobody") == (404, {**MISSING, "code": "customer_not_found"})
    for code in ("none", "ended"):
        assert refused(own, code) == (404, {**MISSING, "code": "coupon_not_found"})


def test_a_coupon_that_is_not_reusable_is_applied_once_in_a_life(own: Api, clock: SettableClock) -> None:
    create(own, fixed("single", reusable=False))
    terminate(own, apply(own, "single")["lago_id"])
    status, body = refused(own, "single")
    assert (status, body["code"], body["error_details"]) == (
        422,
        "validation_errors",
        {"coupon": ["coupon_is_not_reusable"]},
    )
    clock.advance(milliseconds=1)
    own.send("DELETE", f"{BASE}/customers/{CUSTOMER}", 200)
    own.post(f"{BASE}/customers", {"customer": {"external_id": CUSTOMER}}, 200)
    assert apply(own, "single")["status"] == "active"


def test_limited_coupons_may_not_overlap_while_they_are_active(own: Api) -> None:
    create(own, fixed("of plan", applies_to={"plan_codes": ["basic"]}))
    create(own, percentage("of metric", applies_to={"billable_metric_codes": ["gb"]}))
    create(own, percentage("of all"))
    first = apply(own, "of plan")
    apply(own, "of all")
    overlapping = {"status": 405, "error": "Method Not Allowed", "code": "plan_overlapping"}
    assert [refused(own, code) for code in ("of metric", "of plan")] == [(405, overlapping)] * 2
    terminate(own, first["lago_id"])
    assert apply(own, "of metric")["status"] == "active"


@pytest.mark.parametrize(
    ("given", "details"),
    [
        ({"amount_cents": 0}, {"amount_cents": ["value_is_out_of_range"]}),
        ({"amount_cents": -5}, {"amount_cents": ["value_is_out_of_range"]}),
        ({"frequency": "recurring", "frequency_duration": "-1"}, {"frequency_duration": ["value_is_out_of_range"]}),
        ({"amount_currency": "XXX"}, {"amount_currency": ["value_is_invalid"]}),
        ({"frequency": "recurring"}, {"frequency_duration": ["value_is_mandatory"]}),
        ({"frequency": "daily"}, {"frequency": ["value_is_invalid"]}),
        ({"frequency": "recurring", "frequency_duration": 5000}, {"frequency_duration": ["value_is_invalid"]}),
        ({"external_customer_id": ""}, {"external_customer_id": ["value_is_mandatory"]}),
    ],
)
def test_what_breaks_a_rule_has_the_codes_of_lago(own: Api, given: JsonObject, details: JsonObject) -> None:
    create(own, fixed("welcome"))
    status, body = refused(own, "welcome", **given)
    assert (status, body["error_details"]) == (422, details)


def test_a_termination_is_answered_and_a_repetition_too(own: Api, clock: SettableClock) -> None:
    create(own, fixed("welcome"))
    made = apply(own, "welcome")
    ended = terminate(own, made["lago_id"])
    assert ended == {**made, "status": "terminated", "terminated_at": "2026-04-29T08:59:51Z"}
    assert terminate(own, made["lago_id"]) == ended
    assert terminate(own, made["lago_id"].upper()) == ended


def test_an_applied_coupon_of_another_customer_is_not_found(own: Api) -> None:
    own.post(f"{BASE}/customers", {"customer": {"external_id": "other"}}, 200)
    create(own, fixed("welcome"))
    foreign = apply(own, "welcome", "other")["lago_id"]
    for path, code in (
        (f"/customers/{CUSTOMER}/applied_coupons/{foreign}", "applied_coupon_not_found"),
        (f"/customers/{CUSTOMER}/applied_coupons/1", "applied_coupon_not_found"),
        (f"/customers/nobody/applied_coupons/{foreign}", "customer_not_found"),
    ):
        assert refusal_of(own, "DELETE", path) == (404, {**MISSING, "code": code})
    assert refusal_of(own, "GET", "/customers/nobody/applied_coupons") == (
        404,
        {**MISSING, "code": "customer_not_found"},
    )


def test_the_deletion_of_a_coupon_terminates_what_was_applied(own: Api, clock: SettableClock) -> None:
    coupon = create(own, fixed("welcome"))
    apply(own, "welcome")
    clock.advance(milliseconds=1)
    own.send("DELETE", f"{BASE}/coupons/welcome", 200)
    (deleted,) = own.get(PATH, status="terminated")["applied_coupons"]
    assert (deleted["lago_coupon_id"], deleted["coupon_name"]) == (coupon["lago_id"], "Welcome")
    assert (deleted["coupon_deleted_at"], deleted["terminated_at"]) == ("2026-04-29T08:59:51Z",) * 2
    assert own.get(PATH, status="active")["applied_coupons"] == []


def test_what_a_deleted_customer_has_applied_is_not_listed_nor_that_of_who_had_the_id_before(own: Api) -> None:
    own.post(f"{BASE}/customers", {"customer": {"external_id": "other"}}, 200)
    create(own, fixed("welcome"))
    kept = apply(own, "welcome", "other")
    former = apply(own, "welcome")["lago_id"]

    def listed() -> list[list[str]]:
        found = [own.get(PATH), own.get(PATH, external_customer_id=CUSTOMER)]
        return [sorted(one["lago_id"] for one in answer["applied_coupons"]) for answer in found]

    assert listed() == [sorted([former, kept["lago_id"]]), [former]]
    own.send("DELETE", f"{BASE}/customers/{CUSTOMER}", 200)
    assert listed() == [[kept["lago_id"]], []]
    own.post(f"{BASE}/customers", {"customer": {"external_id": CUSTOMER}}, 200)
    assert listed() == [[kept["lago_id"]], []]
    assert own.get(of_customer())["applied_coupons"] == []
    assert own.get(of_customer())["meta"]["total_count"] == 0
    later = apply(own, "welcome")["lago_id"]
    assert listed() == [sorted([later, kept["lago_id"]]), [later]]
    assert [one["lago_id"] for one in own.get(of_customer())["applied_coupons"]] == [later]


def test_applied_coupons_are_listed_the_last_applied_first_and_filtered(own: Api) -> None:
    own.post(f"{BASE}/customers", {"customer": {"external_id": "other"}}, 200)
    for number, (coupon, customer) in enumerate((("a", CUSTOMER), ("b", "other"), ("a", "other"), ("c", CUSTOMER))):
        if number != 2:
            create(own, percentage(coupon))
        since = {"coupon": coupon, "effective_at": f"2026-04-1{number}T00:00:00Z"}
        own.post(f"/v1/customers/{quote(customer, safe='')}/coupons", since)
    newest = own.get(PATH)["applied_coupons"]
    terminate(own, newest[0]["lago_id"])

    def found(path: str = PATH, *codes: str, **params: Any) -> list[tuple[str, str]]:
        answer = own.send("GET", path, 200, params={**params, "coupon_code[]": codes}).json()
        assert answer["meta"]["total_count"] == len(answer["applied_coupons"]) or "per_page" in params
        return [(one["coupon_code"], one["external_customer_id"]) for one in answer["applied_coupons"]]

    every = [("c", CUSTOMER), ("a", "other"), ("b", "other"), ("a", CUSTOMER)]
    assert found() == every
    assert found(per_page="3", page="2") == every[3:]
    assert found(status="active") == every[1:]
    assert found(status="terminated") == every[:1]
    assert found(external_customer_id="other") == every[1:3]
    assert found(PATH, "a", "c") == [every[0], every[1], every[3]]
    assert found(of_customer()) == [every[0], every[3]]
    assert found(of_customer(), "a", status="active") == [every[3]]
    assert found(external_customer_id="nobody") == []


def test_what_is_left_follows_from_the_periods_that_have_ended(own: Api) -> None:
    subscribed = {"id": "sub", "customer": CUSTOMER, "plan": "basic", "effective_at": "2026-02-01T00:00:00Z"}
    own.post("/v1/subscriptions", subscribed)
    create(own, fixed("fifty"))
    create(own, percentage("twice", frequency="recurring", frequency_duration=3))
    for coupon in ("fifty", "twice"):
        since = {"coupon": coupon, "effective_at": "2026-02-01T00:00:00Z"}
        own.post(f"/v1/customers/{quote(CUSTOMER, safe='')}/coupons", since)
    used = {"code": "gb", "external_subscription_id": "sub", "properties": {"gb": "30"}}
    for number, day in enumerate((1770000000, 1772600000, 1776000000)):  # February, March, April
        own.post(f"{BASE}/events", {"event": {**used, "transaction_id": str(number), "timestamp": day}}, 200)
    twice, fifty = own.get(of_customer())["applied_coupons"]
    assert (fifty["status"], fifty["amount_cents_remaining"], fifty["terminated_at"]) == (
        "terminated",
        0,
        "2026-04-01T00:00:00Z",
    )
    assert (twice["status"], twice["frequency_duration_remaining"]) == ("active", 2)
    assert own.get(PATH, status="active")["meta"]["total_count"] == 1
    assert terminate(own, fifty["lago_id"])["terminated_at"] == "2026-04-01T00:00:00Z"
    usage = own.get(f"{BASE}/customers/{CUSTOMER}/current_usage", external_subscription_id="sub")["customer_usage"]
    assert usage["amount_cents"] == 3000
