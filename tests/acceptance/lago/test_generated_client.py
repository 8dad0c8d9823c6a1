"""A client that was generated of Lago's older document parses every answer."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.acceptance.lago.documents import OLDER, published_document
from tests.acceptance.lago.environment import FOLDER, run_there
from tests.fakes.stripe_server import settings_of, stripe_server
from tests.meterfold_process import ADMIN_KEY, serving


def test_a_client_generated_of_the_older_document_reads_every_answer(tmp_path: Path) -> None:
    document, client = tmp_path / "document.json", tmp_path / "client"
    document.write_text(json.dumps(published_document(OLDER)))
    generated = ("-i", str(document), "-g", "python", "-o", str(client), "--skip-validate-spec")
    run_there("openapi-generator-cli", "generate", *generated, "--additional-properties", "packageName=lago_api")
    begins = (datetime.now(UTC) - timedelta(days=22)).replace(microsecond=0)
    with (
        stripe_server() as stripe,
        serving(tmp_path / "data", tmp_path / "output", settings_of(stripe)) as server,
    ):
        walk = str(FOLDER / "generated_walk.py")
        answers = json.loads(run_there("python", walk, str(client), server.url, ADMIN_KEY, begins.isoformat()))

    statuses = {step: one["status"] for step, one in answers.items()}
    refused = {"refused": 422, "no_provider": 422, "none": 405, "gone": 404, "no_portal": 404, "stranger": 401}
    assert statuses == dict.fromkeys(answers, 200) | refused
    parsed = {step: one["parsed"] for step, one in answers.items()}
    assert [step for step, value in parsed.items() if value is None] == ["batch", "none"]
    created, changed = parsed["created"]["customer"], parsed["changed"]["customer"]
    assert (created["country"], changed["country"], changed["phone"]) == ("US", None, "1")
    assert (created["lago_id"], created["sequential_id"]) == (changed["lago_id"], changed["sequential_id"])
    assert parsed["found"]["customer"] == changed
    assert [one["external_id"] for one in parsed["listed"]["customers"]] == [created["external_id"]]
    metric, plan = parsed["metric"]["billable_metric"], parsed["plan"]["plan"]
    assert parsed["metric_found"]["billable_metric"] == metric
    assert metric["lago_id"] in [one["lago_id"] for one in parsed["metrics"]["billable_metrics"]]
    assert [one["lago_billable_metric_id"] for one in plan["charges"]] == [metric["lago_id"]]
    assert parsed["plan_found"]["plan"] == plan
    assert [one["active_subscriptions_count"] for one in parsed["plans"]["plans"]] == [1]
    assert parsed["subscription_found"] == parsed["subscription"]
    assert [one["status"] for one in parsed["subscriptions"]["subscriptions"]] == ["active"]
    sent, found = parsed["event"]["event"], parsed["event_found"]["event"]
    assert (sent["lago_id"], sent["lago_customer_id"]) == (found["lago_id"], None)
    assert found["lago_customer_id"] == created["lago_id"]
    (charged,) = parsed["current"]["customer_usage"]["charges_usage"]
    assert (charged["units"], charged["amount_cents"], charged["groups"]) == ("6.0", 300, [])
    assert sum(one["customer_usage"]["amount_cents"] for one in parsed["past"]["usage_periods"]) == 150
    assert parsed["no_provider"]["error_details"] == {"base": ["no_linked_payment_provider"]}
    assert parsed["checkout"] == {
        "lago_customer_id": created["lago_id"],
        "external_customer_id": created["external_id"],
        "payment_provider": "stripe",
        "checkout_url": "https://checkout.stripe.com/c/pay/cs_test_1",
    }
    assert parsed["portal"]["customer"]["portal_url"].startswith(f"{server.url}/portal/")
    coupon, applied = parsed["coupon"]["coupon"], parsed["applied"]["applied_coupon"]
    assert parsed["coupon_changed"]["coupon"] == {**coupon, "description": "For you"}
    assert parsed["coupon_found"] == parsed["coupon_changed"]
    assert [one["code"] for one in parsed["coupons"]["coupons"]] == ["welcome"]
    assert (applied["lago_coupon_id"], applied["percentage_rate"], applied["frequency_duration_remaining"]) == (
        coupon["lago_id"], "20.0", 3
    )  # fmt: skip
    assert [one["lago_id"] for one in parsed["all_applied"]["applied_coupons"]] == [applied["lago_id"]]
    assert [parsed[name]["applied_coupon"]["status"] for name in ("applied_ended", "applied_ended_again")] == [
        "terminated", "terminated"
    ]  # fmt: skip
    assert parsed["coupon_deleted"]["coupon"]["lago_id"] == coupon["lago_id"]
    assert parsed["terminated"]["subscription"]["status"] == "terminated"
    assert parsed["plan_deleted"]["plan"]["lago_id"] == plan["lago_id"]
    assert parsed["metric_deleted"]["billable_metric"]["lago_id"] == metric["lago_id"]
    assert parsed["deleted"]["customer"]["lago_id"] == created["lago_id"]
