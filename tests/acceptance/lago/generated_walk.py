"""A program that uses a client generated of Lago's older document, `lago_api`, for a customer and its usage.

Arguments: the folder of the client, the engine's URL, a key, the instant at which the subscription begins. Prints each
step's status and what the client parsed, by its name.
"""

from __future__ import annotations

import importlib
import json
import sys
from datetime import datetime, timedelta
from typing import Any

import httpx

CUSTOMER = "acme/eu/user.7"
SUBSCRIPTION = "sub-7"
METRIC = "storage"
PLAN = "startup"


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
    customers, subscriptions = lago_api.CustomersApi(client), lago_api.SubscriptionsApi(client)
    profile = {"external_id": CUSTOMER, "name": "Gavin", "currency": "USD", "country": "US", "timezone": "UTC",
               "billing_configuration": {"payment_provider": "stripe"},
               "metadata": [{"key": "plan", "value": "pro", "display_in_invoice": True}]}  # fmt: skip
    create = customers.create_customer_with_http_info
    step("created", create, ("CustomerCreateInput", {"customer": profile}))
    step("changed", create, ("CustomerCreateInput", {"customer": {**profile, "phone": "1", "country": None}}))
    step("found", customers.find_customer_with_http_info, CUSTOMER)
    step("listed", customers.find_all_customers_with_http_info, page=1, per_page=10)
    step("refused", create, ("CustomerCreateInput", {"customer": {"external_id": "bad", "email": "none"}}))
    define(url, key, begins)
    step("subscriptions", subscriptions.find_all_subscriptions_with_http_info, external_customer_id=CUSTOMER)
    use(url, key, datetime.fromisoformat(begins))
    step("current", customers.find_customer_current_usage_with_http_info, CUSTOMER, SUBSCRIPTION)
    step("past", customers.find_all_customer_past_usage_with_http_info, CUSTOMER, SUBSCRIPTION)
    step("none", customers.find_customer_current_usage_with_http_info, CUSTOMER, "none")
    step("terminated", subscriptions.destroy_subscription_with_http_info, SUBSCRIPTION)
    step("deleted", customers.destroy_customer_with_http_info, CUSTOMER)
    step("gone", customers.find_customer_with_http_info, CUSTOMER)
    stranger = lago_api.CustomersApi(client_of("sk-unknown"))
    step("stranger", stranger.find_customer_with_http_info, CUSTOMER)
    sys.stdout.write(json.dumps(answers, default=str))


def plain(data: Any) -> Any:
    """What the client parsed, as plain values; None where it parsed nothing."""
    return data.to_dict() if hasattr(data, "to_dict") else None


def define(url: str, key: str, begins: str) -> None:
    """Create a metric, a plan and a subscription, whose answers the client cannot parse.

    It wants numbers of subscriptions of plans, which Lago no longer sends.
    """
    headers = {"Authorization": f"Bearer {key}"}

    def created(path: str, body: dict[str, Any]) -> Any:
        return httpx.post(f"{url}/lago/api/v1/{path}", json=body, headers=headers).raise_for_status().json()

    given = {"name": "Storage", "code": METRIC, "aggregation_type": "sum_agg", "field_name": "gb"}
    metric = created("billable_metrics", {"billable_metric": given})["billable_metric"]
    charge = {"billable_metric_id": metric["lago_id"], "charge_model": "standard", "properties": {"amount": "0.5"}}
    plan = {"name": "Startup", "code": PLAN, "interval": "weekly", "amount_cents": 1000, "amount_currency": "USD",
            "pay_in_advance": False, "charges": [charge]}  # fmt: skip
    created("plans", {"plan": plan})
    subscription = {"external_customer_id": CUSTOMER, "plan_code": PLAN, "external_id": SUBSCRIPTION}
    created("subscriptions", {"subscription": {**subscription, "subscription_at": begins}})


def use(url: str, key: str, begins: datetime) -> None:
    """Send usage of the first week of the subscription and of now."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/cloudevents+json"}
    for number, time in enumerate((begins + timedelta(hours=1), None, None)):
        event = {
            "specversion": "1.0", "id": f"use-{number}", "source": f"lago/{SUBSCRIPTION}", "type": METRIC,
            "subject": CUSTOMER, "data": {"gb": 3, "subscription": SUBSCRIPTION},
        }  # fmt: skip
        when = {} if time is None else {"time": time.isoformat()}
        httpx.post(f"{url}/v1/events", content=json.dumps(event | when), headers=headers).raise_for_status()


if __name__ == "__main__":
    main(*sys.argv[1:])
