"""A program that uses a client generated of Lago's older document, `lago_api`, for a customer, a metric, a plan, a
subscription and its usage.

Arguments: the folder of the client, the engine's URL, a key, the instant at which the subscription begins. Prints each
step's status and what the client parsed, by its name.
"""

from __future__ import annotations

import importlib
import json
import sys
from datetime import datetime, timedelta
from typing import Any

CUSTOMER = "acme/eu/user.7"
SUBSCRIPTION = "sub-7"
METRIC = "storage"
PLAN = "startup"
COUPON = "welcome"


def main(folder: str, url: str, key: str, begins: str) -> None:
    sys.path.insert(0, folder)
    lago_api = importlib.import_module("lago_api")
    answers: dict[str, Any] = {}

    def client_of(secret: str) -> Any:
        return lago_api.ApiClient(lago_api.Configuration(host=f"{url}/lago/api/v1", access_token=secret))

    def step(name: str, call: Any, *given: Any, **more: Any) -> Any:
        """Call an operation; what it takes as a body is given as the name of its model and its members."""
        bodies = [getattr(lago_api, one[0]).from_dict(one[1]) if isinstance(one, tuple) else one for one in given]
        try:
            answer = call(*bodies, **more)
        except lago_api.ApiException as error:
            answers[name] = {"status": error.status, "parsed": plain(error.data)}
            return None
        answers[name] = {"status": answer.status_code, "parsed": plain(answer.data)}
        return answer.data

    client = client_of(key)
    customers, metrics = lago_api.CustomersApi(client), lago_api.BillableMetricsApi(client)
    plans, subscriptions = lago_api.PlansApi(client), lago_api.SubscriptionsApi(client)
    profile = {"external_id": CUSTOMER, "name": "Gavin", "currency": "USD", "country": "US", "timezone": "UTC",
               "billing_configuration": {"payment_provider": "stripe"},
               "metadata": [{"key": "plan", "value": "pro", "display_in_invoice": True}]}  # fmt: skip
    create = customers.create_customer_with_http_info
    step("created", create, ("CustomerCreateInput", {"customer": profile}))
    step("changed", create, ("CustomerCreateInput", {"customer": {**profile, "phone": "1", "country": None}}))
    step("found", customers.find_customer_with_http_info, CUSTOMER)
    step("listed", customers.find_all_customers_with_http_info, page=1, per_page=10)
    step("refused", create, ("CustomerCreateInput", {"customer": {"external_id": "bad", "email": "none"}}))
    given: dict[str, Any] = {"name": "Storage", "code": METRIC, "aggregation_type": "sum_agg", "field_name": "gb"}
    metric = step("metric", metrics.create_billable_metric_with_http_info,
                  ("BillableMetricCreateInput", {"billable_metric": given}))  # fmt: skip
    step("metric_found", metrics.find_billable_metric_with_http_info, METRIC)
    step("metrics", metrics.find_all_billable_metrics_with_http_info)
    charge = {"billable_metric_id": str(metric.billable_metric.lago_id), "charge_model": "standard",
              "properties": {"amount": "0.5"}}  # fmt: skip
    given = {"name": "Startup", "code": PLAN, "interval": "weekly", "amount_cents": 1000, "amount_currency": "USD",
             "pay_in_advance": False, "charges": [charge]}  # fmt: skip
    step("plan", plans.create_plan_with_http_info, ("PlanCreateInput", {"plan": given}))
    step("plan_found", plans.find_plan_with_http_info, PLAN)
    given = {"external_customer_id": CUSTOMER, "plan_code": PLAN, "external_id": SUBSCRIPTION,
             "billing_time": "calendar", "subscription_at": begins}  # fmt: skip
    step("subscription", subscriptions.create_subscription_with_http_info,
         ("SubscriptionCreateInput", {"subscription": given}))  # fmt: skip
    step("subscription_found", subscriptions.find_subscription_with_http_info, SUBSCRIPTION)
    step("plans", plans.find_all_plans_with_http_info)
    step("subscriptions", subscriptions.find_all_subscriptions_with_http_info, external_customer_id=CUSTOMER)
    events, start = lago_api.EventsApi(client), datetime.fromisoformat(begins)
    used: list[dict[str, Any]] = [
        {"transaction_id": f"use-{number}", "external_subscription_id": SUBSCRIPTION, "code": METRIC,
         "properties": {"gb": "3"}}
        for number in range(3)
    ]  # fmt: skip
    used[0]["timestamp"] = int((start + timedelta(hours=1)).timestamp())
    step("event", events.create_event_with_http_info, ("EventInput", {"event": used[0]}))
    step(
        "batch",
        events.create_batch_events_with_http_info,
        ("EventBatchInput", {"events": [{"event": one} for one in used[1:]]}),
    )
    step("event_found", events.find_event_with_http_info, "use-0")
    step("current", customers.find_customer_current_usage_with_http_info, CUSTOMER, SUBSCRIPTION)
    step("past", customers.find_all_customer_past_usage_with_http_info, CUSTOMER, SUBSCRIPTION)
    step("none", customers.find_customer_current_usage_with_http_info, CUSTOMER, "none")
    checkout = customers.generate_customer_checkout_url_with_http_info
    step("no_provider", checkout, CUSTOMER)
    configured = {"payment_provider": "stripe", "provider_customer_id": "cus_9"}
    step("linked", create, ("CustomerCreateInput", {"customer": {**profile, "billing_configuration": configured}}))
    step("checkout", checkout, CUSTOMER)
    step("portal", customers.get_customer_portal_url_with_http_info, CUSTOMER)
    coupons_api = lago_api.CouponsApi(client)
    given = {"name": "Welcome", "code": COUPON, "coupon_type": "percentage", "percentage_rate": "12.5",
             "frequency": "recurring", "frequency_duration": 3, "expiration": "no_expiration",
             "applies_to": {"plan_codes": [PLAN], "billable_metric_codes": []}}  # fmt: skip
    step("coupon", coupons_api.create_coupon_with_http_info, ("CouponCreateInput", {"coupon": given}))
    step("coupon_changed", coupons_api.update_coupon_with_http_info, COUPON,
         ("CouponUpdateInput", {"coupon": {"description": "For you"}}))  # fmt: skip
    step("coupon_found", coupons_api.find_coupon_with_http_info, COUPON)
    step("coupons", coupons_api.find_all_coupons_with_http_info)
    given = {"external_customer_id": CUSTOMER, "coupon_code": COUPON, "percentage_rate": "20"}
    applied = step("applied", coupons_api.apply_coupon_with_http_info,
                   ("AppliedCouponInput", {"applied_coupon": given}))  # fmt: skip
    step("all_applied", coupons_api.find_all_applied_coupons_with_http_info, external_customer_id=CUSTOMER)
    for name in ("applied_ended", "applied_ended_again"):
        step(name, customers.delete_applied_coupon_with_http_info, CUSTOMER, str(applied.applied_coupon.lago_id))
    step("coupon_deleted", coupons_api.destroy_coupon_with_http_info, COUPON)
    step("terminated", subscriptions.destroy_subscription_with_http_info, SUBSCRIPTION)
    step("deleted", customers.destroy_customer_with_http_info, CUSTOMER)
    step("gone", customers.find_customer_with_http_info, CUSTOMER)
    step("no_portal", customers.get_customer_portal_url_with_http_info, CUSTOMER)
    step("plan_deleted", plans.destroy_plan_with_http_info, PLAN)
    step("metric_deleted", metrics.destroy_billable_metric_with_http_info, METRIC)
    stranger = lago_api.CustomersApi(client_of("sk-unknown"))
    step("stranger", stranger.find_customer_with_http_info, CUSTOMER)
    sys.stdout.write(json.dumps(answers, default=str))


def plain(data: Any) -> Any:
    """What the client parsed, as plain values; None where it parsed nothing."""
    return data.to_dict() if hasattr(data, "to_dict") else None


if __name__ == "__main__":
    main(*sys.argv[1:])
