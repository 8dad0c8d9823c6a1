"""Lago: a plan that charges what usage costs and its tokens, subscriptions to it, and what its clients are told."""

from __future__ import annotations

from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from hypothesis.stateful import rule

from tests.engine_fixtures import JsonObject
from tests.laws.machine.facts import Subscribed
from tests.laws.machine.known import Known
from tests.laws.machine.questions import Question
from tests.laws.machine.steps import CUSTOMERS, Steps, one_of

LAGO: Final = "/lago/api/v1"
PLAN: Final = "plan"
#: Of each unit of a metric.
DOLLARS: Final = {"cost_usd": Decimal(1), "total_tokens": Decimal("0.007")}


class LagoSteps(Steps):
    def __init__(self) -> None:
        super().__init__()
        api = self.office.api
        metrics = {code: api.get(f"{LAGO}/billable_metrics/{code}")["billable_metric"]["lago_id"] for code in DOLLARS}
        charges = [
            {"billable_metric_id": metrics[code], "charge_model": "standard", "properties": {"amount": str(amount)}}
            for code, amount in DOLLARS.items()
        ]
        plan = {"name": PLAN, "code": PLAN, "interval": "monthly", "amount_cents": 0, "amount_currency": "USD"}
        self.post(f"{LAGO}/plans", {"plan": {**plan, "charges": charges}}, 200)

    @rule(customer=one_of(*CUSTOMERS))
    def subscribe(self, customer: str) -> None:
        """One subscription in a life; Lago's would create a customer that was not created."""
        if not self.known.exists(customer) or not self.known.is_created(customer):
            return
        if subscribed_at(self.known, customer) is not None:
            return
        subscription = {
            "external_customer_id": customer,
            "external_id": customer,
            "plan_code": PLAN,
            "subscription_at": self.now.isoformat(),
        }
        self.post(f"{LAGO}/subscriptions", {"subscription": subscription}, 200)
        self.note(Subscribed, customer=customer)


def subscribed_at(known: Known, customer: str) -> datetime | None:
    """Since when the customer has its subscription, which a deletion ends."""
    since = max([0, *(one.position for one in known.deletions(customer))])
    found = [
        one.at
        for one in known.facts
        if isinstance(one, Subscribed) and one.customer == customer and one.position > since
    ]
    return found[0] if found else None


def of_lago() -> list[Question]:
    return [
        Question(
            "Lago customers",
            f"{LAGO}/customers",
            {"per_page": "100"},
            lambda answer: sorted(one["external_id"] for one in answer["customers"]),
            Known.customers,
        )
    ]


def of_lago_customer(customer: str) -> Question:
    """Usage since the subscription began in the open month, and what it costs, rounded by charge to the cent."""

    def expected(known: Known) -> Any:
        since = subscribed_at(known, customer)
        if since is None or not known.exists(customer):
            return None
        start, end = known.month(customer)
        total = known.total(known.lived(customer, (max(since, start), end)))
        units = {"cost_usd": total.cost_usd, "total_tokens": Decimal(total.input_tokens + total.output_tokens)}
        cents = {code: in_cents(units[code] * DOLLARS[code]) for code in DOLLARS}
        return max(since, start), {code: (units[code], cents[code]) for code in DOLLARS}, sum(cents.values())

    return Question(
        "Lago current usage",
        f"{LAGO}/customers/{customer}/current_usage",
        {"external_subscription_id": customer},
        lambda answer: shown(answer["customer_usage"]),
        expected,
    )


def shown(usage: JsonObject) -> tuple[Any, ...]:
    charges = {one["charge"]["code"]: (Decimal(one["units"]), one["amount_cents"]) for one in usage["charges_usage"]}
    return datetime.fromisoformat(usage["from_datetime"]), charges, usage["amount_cents"]


def in_cents(dollars: Decimal) -> int:
    return int((dollars * 100).to_integral_value(ROUND_HALF_UP))
