"""The published client of Lago, unmodified, takes a customer from its creation over plan and usage to its deletion."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.acceptance.lago.environment import FOLDER, run_there
from tests.fakes.stripe_server import settings_of, stripe_server
from tests.meterfold_process import ADMIN_KEY, serving

CUSTOMER = "acme/eu/user.7"


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("published")
    begins = (datetime.now(UTC) - timedelta(days=22)).replace(microsecond=0)
    with stripe_server() as stripe, serving(folder / "data", folder / "output", settings_of(stripe)) as server:
        walk = str(FOLDER / "official_walk.py")
        return json.loads(run_there("python", walk, server.url, ADMIN_KEY, begins.isoformat()))


def test_customers_are_created_changed_found_and_listed(answers: Any) -> None:
    created, changed = answers["created"], answers["changed"]
    assert (created["external_id"], created["name"], created["net_payment_term"]) == (CUSTOMER, "Gavin Belson", 30)
    assert (created["shipping_address"]["city"], created["billing_configuration"]["document_locale"]) == ("Paris", "fr")
    assert [(one["key"], one["value"], one["display_in_invoice"]) for one in created["metadata"]] == [
        ("plan", "pro", True)
    ]
    assert changed == {**created, "phone": "2", "updated_at": changed["updated_at"]}
    assert answers["found"] == changed
    assert [one["external_id"] for one in answers["page"]["customers"]] == [CUSTOMER]
    assert answers["page"]["meta"] == {
        "current_page": 2, "next_page": None, "prev_page": 1, "total_pages": 2, "total_count": 3
    }  # fmt: skip
    assert [one["external_id"] for one in answers["filtered"]["customers"]] == [CUSTOMER]
    assert answers["none"] == {
        "customers": [],
        "meta": {"current_page": 0, "next_page": None, "prev_page": None, "total_pages": 0, "total_count": 0},
    }


def test_what_usage_costs_by_a_plan_is_told(answers: Any) -> None:
    metric, plan, subscription = answers["metric"], answers["plan"], answers["subscription"]
    assert metric["lago_id"] in [one["lago_id"] for one in answers["metrics"]["billable_metrics"]]
    assert [one["lago_billable_metric_id"] for one in plan["charges"]] == [metric["lago_id"]]
    assert answers["plan_found"] == plan
    assert (subscription["status"], subscription["lago_customer_id"]) == ("active", answers["found"]["lago_id"])
    assert [one["lago_id"] for one in answers["subscriptions"]["subscriptions"]] == [subscription["lago_id"]]
    current, past = answers["current"], answers["past"]["usage_periods"]
    assert (current["amount_cents"], current["currency"], current["taxes_amount_cents"]) == (1350, "USD", 0)
    (charged,) = current["charges_usage"]
    assert (charged["units"], charged["amount_cents"]) == ("9.0", 1350)
    assert [(one["values"], one["units"], one["amount_cents"]) for one in charged["filters"]] == [
        ({"region": ["eu"]}, "6.0", 1200), (None, "3.0", 150)
    ]  # fmt: skip
    assert sum(one["amount_cents"] for one in past) == 750
    assert [one["from_datetime"] for one in past] == sorted((one["from_datetime"] for one in past), reverse=True)


def test_events_are_counted_once_and_found(answers: Any) -> None:
    sent, found = answers["event"], answers["event_found"]
    assert (sent["transaction_id"], sent["lago_customer_id"]) == ("use-0", None)
    assert found["lago_customer_id"] == answers["found"]["lago_id"]
    assert found == {
        **sent,
        **{name: found[name] for name in ("lago_customer_id", "lago_subscription_id", "created_at")},
    }
    repeated = {"transaction_id": ["value_already_exist"]}
    assert (answers["event_again"]["status"], answers["event_again"]["body"]["error_details"]) == (422, repeated)
    assert answers["batch_again"]["body"]["error_details"] == {str(place): repeated for place in range(1, 5)}


def test_a_customer_with_a_payment_provider_is_sent_to_its_page(answers: Any) -> None:
    refused = answers["no_provider"]
    assert (refused["status"], refused["body"]["error_details"]) == (422, {"base": ["no_linked_payment_provider"]})
    assert answers["checkout"] == "https://checkout.stripe.com/c/pay/cs_test_1"
    assert answers["deleted"]["billing_configuration"]["provider_customer_id"] == "cus_test_1"


def test_coupons_are_defined_applied_and_terminated(answers: Any) -> None:
    coupon, changed = answers["coupon"], answers["coupon_changed"]
    assert (coupon["plan_codes"], coupon["limited_plans"], coupon["frequency_duration"]) == (["startup"], True, 3)
    assert changed == {**coupon, "name": "Hello"}
    assert answers["coupon_found"] == changed
    assert answers["percentage"]["percentage_rate"] == 10.0
    assert [one["code"] for one in answers["coupons"]["coupons"]] == ["tenth", "welcome"]
    applied = answers["applied"]
    assert (applied["lago_coupon_id"], applied["lago_customer_id"]) == (coupon["lago_id"], answers["found"]["lago_id"])
    assert (applied["status"], applied["amount_cents"], applied["frequency_duration_remaining"]) == ("active", 2000, 3)
    assert answers["applied_again"]["body"] == {
        "status": 405,
        "error": "Method Not Allowed",
        "code": "plan_overlapping",
    }
    assert [one["coupon_code"] for one in answers["all_applied"]["applied_coupons"]] == ["tenth", "welcome"]
    ended = answers["applied_ended"]
    assert ended == {**applied, "status": "terminated", "terminated_at": ended["terminated_at"]}
    assert answers["applied_ended_again"] == ended
    assert answers["applied_unknown"]["body"]["code"] == "applied_coupon_not_found"
    assert answers["coupon_deleted"]["lago_id"] == answers["percentage"]["lago_id"]


def test_what_ends_is_answered_once_more(answers: Any) -> None:
    assert answers["terminated"]["status"] == "terminated"
    assert answers["deleted"]["external_id"] == CUSTOMER
    assert answers["metric_deleted"]["lago_id"] == answers["metric"]["lago_id"]


def test_the_portal_is_embedded_by_a_link_of_this_engine(answers: Any) -> None:
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/portal/[\w-]+\.[\w-]{43}", answers["portal"]["url"])
    assert answers["no_portal"] == {"status": 404, "body": answers["gone"]["body"]}


def test_refusals_have_status_and_body(answers: Any) -> None:
    assert answers["refused"] == {
        "status": 422,
        "body": {
            "status": 422,
            "error": "Unprocessable Entity",
            "code": "validation_errors",
            "error_details": {"email": ["invalid_email_format"], "currency": ["value_is_invalid"]},
        },
    }
    assert answers["no_subscription"]["body"]["code"] == "no_active_subscription"
    assert (answers["no_subscription"]["status"], answers["gone"]["status"]) == (405, 404)
    assert answers["gone"]["body"] == {"status": 404, "error": "Not Found", "code": "customer_not_found"}
    assert answers["stranger"] == {"status": 401, "body": {"status": 401, "error": "Unauthorized"}}
