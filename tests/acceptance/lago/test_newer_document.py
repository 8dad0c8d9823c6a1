"""Every answer is one of Lago's newer OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.acceptance.lago.documents import breaches
from tests.engine_fixtures import NOON, Api, SettableClock, engine_on, http
from tests.fakes.stripe_server import SECRET_KEY, stripe_server

BASE = "/lago/api/v1"
#: Properties are text: by the document a whole number would be two of its alternatives, of which one must hold.
USED = {"code": "storage", "external_subscription_id": "s", "properties": {"gb": "3", "region": "eu"}}
CUSTOMER = {
    "external_id": "acme", "name": "Acme", "email": "a@acme.example", "currency": "EUR", "timezone": "Europe/Paris",
    "country": "FR", "customer_type": "company", "shipping_address": {"city": "Paris", "country": "FR"},
    "billing_configuration": {"payment_provider": "stripe", "invoice_grace_period": 3},
    "integration_customers": [{"integration_type": "xero", "integration_code": "x", "sync_with_provider": True}],
    "metadata": [{"key": "plan", "value": "pro", "display_in_invoice": True}],
}  # fmt: skip


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    clock = SettableClock(NOON)
    with (
        stripe_server() as stripe,
        engine_on(
            tmp_path_factory.mktemp("data"), clock, stripe_secret_key=SECRET_KEY, stripe_api_base=stripe.url
        ) as engine,
        http(engine) as api,
    ):
        yield api


def asked(api: Api, method: str, path: str, body: Any = None, **query: Any) -> Any:
    """The body of an answer, which has to fit the document."""
    target = f"{BASE}{path}?{urlencode(query)}"
    answer = api.send(method, target, None, **({} if body is None else {"json": body}))
    assert breaches(method, path, answer.status_code, answer.json()) == [], answer.text
    return answer.json()


def test_answers_about_customers_fit(api: Api) -> None:
    asked(api, "POST", "/customers", {"customer": CUSTOMER})
    asked(api, "POST", "/customers", {"customer": {"external_id": "plain"}})
    assert len(asked(api, "GET", "/customers")["customers"]) == 2
    assert asked(api, "GET", "/customers", search_term="nobody")["customers"] == []
    asked(api, "GET", "/customers/plain")
    asked(api, "POST", "/customers/plain/checkout_url")
    linked = {"payment_provider": "stripe", "payment_provider_code": "stripe-eu-1", "provider_customer_id": "cus_9"}
    asked(api, "POST", "/customers", {"customer": {"external_id": "plain", "billing_configuration": linked}})
    assert asked(api, "POST", "/customers/plain/checkout_url")["customer"]["payment_provider_code"] == "stripe-eu-1"
    asked(api, "POST", "/customers/nobody/checkout_url")
    asked(api, "GET", "/customers/plain/portal_url")
    asked(api, "DELETE", "/customers/plain")
    asked(api, "GET", "/customers/plain/portal_url")
    asked(api, "GET", "/customers/plain")
    asked(api, "POST", "/customers", {"customer": {"currency": "X"}})
    asked(api, "POST", "/customers", {})
    api.client.headers["Authorization"] = "Bearer sk-unknown"
    stranger = Api(api.client, "sk-unknown")
    asked(stranger, "GET", "/customers/acme")


def test_answers_about_metrics_plans_events_and_usage_fit(api: Api) -> None:
    asked(api, "POST", "/customers", {"customer": CUSTOMER})
    given = {"name": "Storage", "code": "storage", "aggregation_type": "sum_agg", "field_name": "gb",
             "filters": [{"key": "region", "values": ["eu", "us"]}]}  # fmt: skip
    metric = asked(api, "POST", "/billable_metrics", {"billable_metric": given})["billable_metric"]
    asked(api, "GET", "/billable_metrics")
    asked(api, "GET", "/billable_metrics/storage")
    asked(api, "PUT", "/billable_metrics/storage", {"billable_metric": {"name": "Stored"}})
    ranges = [
        {"from_value": 0, "to_value": 10, "flat_amount": "1", "per_unit_amount": "0.1"},
        {"from_value": 11, "to_value": None, "flat_amount": "0", "per_unit_amount": "0.05"},
    ]
    charges = [
        {"billable_metric_id": metric["lago_id"], "charge_model": "standard", "properties": {"amount": "0.5"},
         "filters": [{"values": {"region": ["eu"]}, "properties": {"amount": "2"}}]},
        {"billable_metric_id": metric["lago_id"], "charge_model": "graduated", "code": "graduated",
         "properties": {"graduated_ranges": ranges}},
    ]  # fmt: skip
    plan = {"name": "Startup", "code": "startup", "interval": "monthly", "amount_cents": 1000, "amount_currency": "EUR",
            "pay_in_advance": False, "charges": charges}  # fmt: skip
    asked(api, "POST", "/plans", {"plan": plan})
    asked(api, "GET", "/plans")
    asked(api, "GET", "/plans/startup")
    subscribed = {"external_customer_id": "acme", "plan_code": "startup", "external_id": "s",
                  "subscription_at": (NOON - timedelta(days=70)).isoformat()}  # fmt: skip
    asked(api, "POST", "/subscriptions", {"subscription": subscribed})
    asked(api, "GET", "/subscriptions")
    asked(api, "GET", "/subscriptions/s")
    before = (NOON - timedelta(days=40)).timestamp()
    asked(api, "POST", "/events", {"event": {**USED, "transaction_id": "1", "timestamp": before}})
    asked(api, "POST", "/events", {"event": {**USED, "transaction_id": "1"}})
    asked(api, "POST", "/events/batch", {"events": [{**USED, "transaction_id": "2"}]})
    asked(api, "POST", "/events/batch", {"events": []})
    asked(api, "GET", "/events/1")
    asked(api, "GET", "/events/none")
    assert len(asked(api, "GET", "/events", code="storage")["events"]) == 2
    current = asked(api, "GET", "/customers/acme/current_usage", external_subscription_id="s")
    assert [one["units"] for one in current["customer_usage"]["charges_usage"]] == ["3.0", "3.0"]
    past = asked(api, "GET", "/customers/acme/past_usage", external_subscription_id="s")
    assert len(past["usage_periods"]) == 3
    asked(api, "GET", "/customers/acme/past_usage", external_subscription_id="none")
    asked(api, "GET", "/customers/nobody/current_usage", external_subscription_id="s")
    asked(api, "DELETE", "/subscriptions/s")
    asked(api, "DELETE", "/plans/startup")
    asked(api, "DELETE", "/billable_metrics/storage")


def test_answers_about_coupons_fit(api: Api) -> None:
    asked(api, "POST", "/customers", {"customer": {"external_id": "couponed", "currency": "EUR"}})
    fixed = {"name": "Welcome", "code": "welcome", "coupon_type": "fixed_amount", "amount_cents": 5000,
             "amount_currency": "EUR", "frequency": "once", "expiration": "time_limit", "reusable": False,
             "expiration_at": (NOON + timedelta(days=70)).isoformat()}  # fmt: skip
    rate = {"name": "Tenth", "code": "tenth", "coupon_type": "percentage", "percentage_rate": "10",
            "frequency": "recurring", "frequency_duration": 3, "expiration": "no_expiration"}  # fmt: skip
    for coupon in (fixed, rate):
        asked(api, "POST", "/coupons", {"coupon": coupon})
        asked(api, "GET", f"/coupons/{coupon['code']}")
    asked(api, "POST", "/coupons", {"coupon": {"name": "None"}})
    asked(api, "PUT", "/coupons/tenth", {"coupon": {"description": "A tenth"}})
    asked(api, "GET", "/coupons/none")
    assert len(asked(api, "GET", "/coupons")["coupons"]) == 2
    for code in ("welcome", "tenth"):
        given = {"external_customer_id": "couponed", "coupon_code": code}
        applied = asked(api, "POST", "/applied_coupons", {"applied_coupon": given})["applied_coupon"]
    asked(api, "POST", "/applied_coupons", {"applied_coupon": {**given, "coupon_code": "none"}})
    asked(api, "POST", "/applied_coupons", {"applied_coupon": {**given, "coupon_code": "welcome"}})
    assert len(asked(api, "GET", "/applied_coupons")["applied_coupons"]) == 2
    assert len(asked(api, "GET", "/customers/couponed/applied_coupons", status="active")["applied_coupons"]) == 2
    path = f"/customers/couponed/applied_coupons/{applied['lago_id']}"
    assert asked(api, "DELETE", path)["applied_coupon"]["status"] == "terminated"
    asked(api, "DELETE", path)
    asked(api, "DELETE", f"/customers/couponed/applied_coupons/{'0' * 8}-0000-4000-8000-{'0' * 12}")
    asked(api, "DELETE", "/coupons/welcome")
    assert len(asked(api, "GET", "/applied_coupons", status="terminated")["applied_coupons"]) == 2
