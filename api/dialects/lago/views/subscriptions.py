"""A subscription as Lago shows it: one object for each of its terms."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from api.dialects.lago.definitions.terms import ACTIVE, CANCELED, TERMINATED, SubscriptionTerm
from api.dialects.lago.formats import cents, precise_instant, shown_instant
from api.dialects.lago.keys import DIALECT
from api.dialects.lago.lago_ids import lago_id
from domain.scope import Scope
from domain.values.periods import MICROSECOND, Interval
from projections.views.charging.plans import PlanView


class Around(msgspec.Struct, frozen=True):
    """What is shown with a term: its plan (None: deleted), its customer, and the period of one that is active."""

    plan: PlanView | None
    customer_lago_id: str
    zone: ZoneInfo
    period: Interval | None


def subscription_object(
    scope: Scope, one: SubscriptionTerm, around: Around, now: datetime, canceled_at: datetime | None = None
) -> dict[str, Any]:
    """Convert one object. `canceled_at`: when one was cancelled that had not begun; nothing is known of it later."""
    life, term = one.life, one.term
    status = one.status(now) if canceled_at is None else CANCELED
    kept = life.dialect_fields.get(DIALECT, {})
    has_begun = status in (ACTIVE, TERMINATED)
    following = one.following if canceled_at is None else None
    lies_ahead = following is not None and following.start > now
    plan = around.plan
    return {
        "lago_id": lago_id(scope, "subscription", life.subscription_id, term.start),
        "external_id": life.subscription_id,
        "lago_customer_id": around.customer_lago_id,
        "external_customer_id": life.customer_id,
        "billing_entity_code": "default",
        "billing_time": life.billing,
        "name": life.name,
        "plan_code": term.plan,
        **({} if plan is None else _plan_amount(plan)),
        "status": status,
        "created_at": shown_instant(one.created_at),
        "subscription_at": shown_instant(life.start),
        "started_at": precise_instant(term.start) if has_begun else None,
        "ending_at": shown_instant(one.ending_at),
        "terminated_at": shown_instant(term.end) if status == TERMINATED else None,
        "canceled_at": shown_instant(canceled_at),
        "previous_plan_code": None if one.previous is None else one.previous.plan,
        "next_plan_code": None if following is None else following.plan,
        "downgrade_plan_date": _local_day(following.start, around.zone) if following and lies_ahead else None,
        "trial_ended_at": None,
        "current_billing_period_started_at": _start(around.period) if status == ACTIVE else None,
        "current_billing_period_ending_at": _end(around.period) if status == ACTIVE else None,
        "on_termination_credit_note": "skip",
        "on_termination_invoice": "generate",
        "applied_invoice_custom_sections": [],
        "payment_method": {"payment_method_type": "provider"},
        "consolidate_invoice": kept.get("consolidate_invoice", True),
        "activated_at": shown_instant(term.start) if has_begun else None,
        "activation_rules": [],
        "purchase_order_number": kept.get("purchase_order_number"),
    }


def last_second(end: datetime) -> str:
    """The last whole second before an exclusive end."""
    return shown_instant(end - MICROSECOND)


def _plan_amount(plan: PlanView) -> dict[str, Any]:
    amount = cents(plan.amount or Decimal(0), plan.currency)
    return {"plan_amount_cents": amount, "plan_amount_currency": plan.currency}


def _start(period: Interval | None) -> str | None:
    return None if period is None else shown_instant(period.start)


def _end(period: Interval | None) -> str | None:
    return None if period is None else last_second(period.end)


def _local_day(instant: datetime, zone: ZoneInfo) -> str:
    return instant.astimezone(zone).date().isoformat()
