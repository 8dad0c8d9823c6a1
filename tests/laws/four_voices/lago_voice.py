"""What Lago's clients are told of a month: a dollar for each dollar of cost, from a subscription in the open month."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Final
from urllib.parse import quote

from tests.engine_fixtures import Api, JsonObject
from tests.laws.four_voices.months import MONTH, NOW
from tests.laws.four_voices.voices import Answers, native_rows
from tests.oracle.plain_lives import PlainMonth

LAGO: Final = "/lago/api/v1"
PLAN: Final = "at cost"
SECOND: Final = timedelta(seconds=1)


def of_open_month(api: Api, plain: PlainMonth, name: str) -> Answers:
    """The cost of a customer since its subscription began, rounded to the cent; beside it the native sum, exactly."""
    begin = max((*plain.customers[name].deletions, MONTH))
    start = begin if not begin.microsecond else begin.replace(microsecond=0) + SECOND
    if start > NOW:
        return {}
    subscribe(api, name, start)
    path = f"{LAGO}/customers/{quote(name, safe='')}/current_usage"
    shown = api.get(path, external_subscription_id=name)["customer_usage"]
    since, until = bounds(shown)
    exact = sum(
        (one.cost_usd for one in plain.used if one.customer == name and one.cost_usd and since <= one.time < until),
        Decimal(0),
    )
    native = native_rows(api, "/v1/usage", since, until, customer=name)
    (charged,) = shown["charges_usage"]
    in_cents = int((exact * 100).to_integral_value(ROUND_HALF_UP))
    return {
        "Lago amount of a charge of 1 for the cost": (shown["amount_cents"], in_cents),
        "Lago units of the cost": (Decimal(charged["units"]), exact),
        "native cost of the month of Lago's": (Decimal(native[0]["cost_usd"]) if native else Decimal(0), exact),
    }


def subscribe(api: Api, customer: str, start: datetime) -> None:
    """Subscribe a customer to a plan that charges what its usage costs."""
    cost = api.get(f"{LAGO}/billable_metrics/cost_usd")["billable_metric"]["lago_id"]
    charge = {"billable_metric_id": cost, "charge_model": "standard", "properties": {"amount": "1"}}
    plan = {"name": PLAN, "code": PLAN, "interval": "monthly", "amount_cents": 0, "amount_currency": "USD"}
    api.send("POST", f"{LAGO}/plans", None, json={"plan": {**plan, "charges": [charge]}})  # or there is one
    subscription = {
        "external_customer_id": customer,
        "external_id": customer,
        "plan_code": PLAN,
        "subscription_at": start.isoformat(),
    }
    api.post(f"{LAGO}/subscriptions", {"subscription": subscription}, 200)


def bounds(shown: JsonObject) -> tuple[datetime, datetime]:
    """The period, whose last second Lago shows."""
    since, last = (datetime.fromisoformat(shown[name]).astimezone(UTC) for name in ("from_datetime", "to_datetime"))
    return since, last + SECOND
