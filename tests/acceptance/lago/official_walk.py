"""A program that uses the published client of Lago for a customer, a metric, a plan, a subscription and its usage.

Arguments: the engine's URL, a key, the instant at which the subscription begins. Prints what each step answered as
JSON, by its name. Ids are given as they are, as the client does not escape them.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime, timedelta
from typing import Any

from lago_python_client.client import Client
from lago_python_client.exceptions import LagoApiError
from lago_python_client.models import (
    AppliedCoupon,
    BatchEvent,
    BillableMetric,
    BillableMetricFilter,
    BillableMetricFilters,
    Charge,
    ChargeFilter,
    ChargeFilters,
    Charges,
    Coupon,
    Customer,
    Event,
    LimitationConfiguration,
    Metadata,
    MetadataList,
    Plan,
    Subscription,
)
from lago_python_client.models.customer import Address, CustomerBillingConfiguration

CUSTOMER = "acme/eu/user.7"
SUBSCRIPTION = "sub-7"
METRIC = "storage"
PLAN = "startup"
COUPON = "welcome"


def main(url: str, key: str, begins: str) -> None:
    client = Client(api_key=key, api_url=f"{url}/lago/")
    answers: dict[str, Any] = {}

    def step(name: str, call: Any) -> Any:
        try:
            answer = call()
            answers[name] = shown(answer)
        except LagoApiError as error:
            answer = None
            answers[name] = {"status": error.status_code, "body": error.response}
        return answer

    customers(client, step)
    metric = step("metric", lambda: client.billable_metrics.create(metered()))
    step("metrics", lambda: client.billable_metrics.find_all({"per_page": 100}))
    step("plan", lambda: client.plans.create(priced(metric.lago_id)))
    step("plan_found", lambda: client.plans.find(PLAN))
    subscription = Subscription(
        external_customer_id=CUSTOMER, plan_code=PLAN, external_id=SUBSCRIPTION, subscription_at=begins
    )
    step("subscription", lambda: client.subscriptions.create(subscription))
    step("subscriptions", lambda: client.subscriptions.find_all({"external_customer_id": CUSTOMER}))
    events(client, step, datetime.fromisoformat(begins))
    step("current", lambda: client.customers.current_usage(CUSTOMER, SUBSCRIPTION))
    step("past", lambda: client.customers.past_usage(CUSTOMER, SUBSCRIPTION))
    step("no_subscription", lambda: client.customers.current_usage(CUSTOMER, "none"))
    step("no_provider", lambda: client.customers.checkout_url(CUSTOMER))
    configured = CustomerBillingConfiguration(payment_provider="stripe", sync_with_provider=True)
    step("linked", lambda: client.customers.create(Customer(external_id=CUSTOMER, billing_configuration=configured)))
    step("checkout", lambda: client.customers.checkout_url(CUSTOMER))
    step("portal", lambda: {"url": client.customers.portal_url(CUSTOMER)})
    coupons(client, step)
    step("terminated", lambda: client.subscriptions.destroy(SUBSCRIPTION))
    step("deleted", lambda: client.customers.destroy(CUSTOMER))
    step("gone", lambda: client.customers.find(CUSTOMER))
    step("no_portal", lambda: client.customers.portal_url(CUSTOMER))
    stranger = Client(api_key="sk-unknown", api_url=f"{url}/lago/")
    step("stranger", lambda: stranger.customers.find(CUSTOMER))
    step("metric_deleted", lambda: client.billable_metrics.destroy(METRIC))
    sys.stdout.write(json.dumps(answers))


def shown(answer: Any) -> Any:
    """A model, or a page of models, as plain JSON; None where the client tells nothing."""
    if answer is None or isinstance(answer, str):
        return answer
    if isinstance(answer, dict):
        return {
            name: [shown(one) for one in value] if isinstance(value, list) else value for name, value in answer.items()
        }
    return json.loads(answer.json())


def customers(client: Any, step: Any) -> None:
    """Create, change, find, list and refuse."""
    profile = Customer(
        external_id=CUSTOMER, name="Gavin Belson", email="dinesh@piedpiper.test", currency="USD", country="US",
        customer_type="company", net_payment_term=30, phone="1-171",
        shipping_address=Address(city="Paris", country="FR"),
        billing_configuration=CustomerBillingConfiguration(payment_provider="stripe", document_locale="fr"),
        metadata=MetadataList(__root__=[Metadata(key="plan", value="pro", display_in_invoice=True)]),
    )  # fmt: skip
    step("created", lambda: client.customers.create(profile))
    step("changed", lambda: client.customers.create(Customer(external_id=CUSTOMER, phone="2")))
    step("found", lambda: client.customers.find(CUSTOMER))
    for number in (1, 2):
        client.customers.create(Customer(external_id=f"other-{number}"))
    step("page", lambda: client.customers.find_all({"per_page": 2, "page": 2}))
    step("filtered", lambda: client.customers.find_all({"countries[]": ["US", "FR"], "search_term": "belson"}))
    step("none", lambda: client.customers.find_all({"currencies[]": ["JPY"]}))
    step("refused", lambda: client.customers.create(Customer(external_id="bad", currency="XXX", email="none")))


def coupons(client: Any, step: Any) -> None:
    """Create, change, find, list, apply, terminate twice, delete."""
    limits = LimitationConfiguration(plan_codes=[PLAN], billable_metric_codes=[])
    fixed = Coupon(
        name="Welcome", code=COUPON, coupon_type="fixed_amount", amount_cents=5000, amount_currency="USD",
        frequency="recurring", frequency_duration=3, reusable=False, expiration="no_expiration", applies_to=limits,
    )  # fmt: skip
    step("coupon", lambda: client.coupons.create(fixed))
    step("coupon_changed", lambda: client.coupons.update(Coupon(name="Hello"), COUPON))
    step("coupon_found", lambda: client.coupons.find(COUPON))
    tenth = Coupon(name="Tenth", code="tenth", coupon_type="percentage", percentage_rate=10.0, frequency="forever",
                   expiration="no_expiration")  # fmt: skip
    step("percentage", lambda: client.coupons.create(tenth))
    step("coupons", lambda: client.coupons.find_all({"per_page": 10}))
    welcome = AppliedCoupon(external_customer_id=CUSTOMER, coupon_code=COUPON, amount_cents=2000)
    applied = step("applied", lambda: client.applied_coupons.create(welcome))
    step("applied_again", lambda: client.applied_coupons.create(welcome))
    step("applied_percentage", lambda: client.applied_coupons.create(
        AppliedCoupon(external_customer_id=CUSTOMER, coupon_code="tenth")))  # fmt: skip
    step("all_applied", lambda: client.applied_coupons.find_all({"external_customer_id": CUSTOMER, "status": "active"}))
    step("applied_ended", lambda: client.applied_coupons.destroy(CUSTOMER, applied.lago_id))
    step("applied_ended_again", lambda: client.applied_coupons.destroy(CUSTOMER, applied.lago_id))
    step("applied_unknown", lambda: client.applied_coupons.destroy(CUSTOMER, "none"))
    step("coupon_deleted", lambda: client.coupons.destroy("tenth"))


def metered() -> Any:
    """A metric of sums with a filter."""
    filters = BillableMetricFilters(__root__=[BillableMetricFilter(key="region", values=["eu", "us"])])
    return BillableMetric(
        name="Storage", code=METRIC, aggregation_type="sum_agg", field_name="gb", recurring=False, filters=filters
    )


def priced(metric_id: str) -> Any:
    """A weekly plan with a charge that has a price of its own for one region."""
    filters = ChargeFilters(
        __root__=[ChargeFilter(values={"region": ["eu"]}, properties={"amount": "2"}, invoice_display_name="Europe")]
    )
    charge = Charge(
        billable_metric_id=metric_id, charge_model="standard", properties={"amount": "0.5"}, filters=filters
    )
    return Plan(
        name="Startup", code=PLAN, interval="weekly", amount_cents=1000, amount_currency="USD", pay_in_advance=False,
        charges=Charges(__root__=[charge]),
    )  # fmt: skip


def events(client: Any, step: Any, begins: datetime) -> None:
    """Send usage of the first week of the subscription and of now, one event and a batch; find, list, send again."""

    def event(number: int, region: str, time: datetime | None) -> Any:
        timestamp = None if time is None else int(time.timestamp())
        return Event(
            transaction_id=f"use-{number}", external_subscription_id=SUBSCRIPTION, code=METRIC, timestamp=timestamp,
            properties={"gb": 3, "region": region},
        )  # fmt: skip

    first = begins + timedelta(hours=1)
    step("event", lambda: client.events.create(event(0, "eu", first)))
    others = [
        event(1, "us", begins + timedelta(hours=2)),
        event(2, "eu", None),
        event(3, "us", None),
        event(4, "eu", None),
    ]
    step("batch", lambda: client.events.batch_create(BatchEvent(events=others)))
    step("event_found", lambda: client.events.find("use-0"))
    step("event_again", lambda: client.events.create(event(0, "eu", first)))
    step("batch_again", lambda: client.events.batch_create(BatchEvent(events=[event(5, "eu", None), *others])))


if __name__ == "__main__":
    main(*sys.argv[1:])
