"""Coupons, and what customers have applied of them, as Lago shows them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from api.dialects.lago.definitions.coupons import expiration_of
from api.dialects.lago.formats import cents, decimal_text, shown_instant
from api.dialects.lago.lago_ids import lago_id
from api.dialects.lago.models.coupons import FIXED, PERCENTAGE
from domain.coupons.taking_off import Terms
from domain.scope import Scope
from projections.views.charging.coupons import AppliedCoupon, CouponView


class AroundApplied(msgspec.Struct, frozen=True):
    """What is shown with an applied coupon: its coupon as it is, or was when it was deleted, and its customer."""

    coupon: CouponView | None
    coupon_deleted_at: datetime | None
    customer_lago_id: str


def coupon_object(scope: Scope, coupon: CouponView, now: datetime) -> dict[str, Any]:
    """Convert a coupon to its JSON object."""
    terms = coupon.terms
    return {
        "lago_id": lago_id(scope, "coupon", coupon.code, coupon.created_at),
        "name": coupon.name or coupon.code,
        "code": coupon.code,
        "description": coupon.description,
        "coupon_type": FIXED if terms.percentage is None else PERCENTAGE,
        **_terms(terms),
        "reusable": coupon.reusable,
        "limited_plans": bool(terms.plans),
        "plan_codes": list(terms.plans),
        "limited_billable_metrics": bool(terms.meters),
        "billable_metric_codes": list(terms.meters),
        "expiration": expiration_of(coupon.expires_at),
        "expiration_at": shown_instant(coupon.expires_at),
        "created_at": shown_instant(coupon.created_at),
        "terminated_at": shown_instant(coupon.expires_at) if _has_expired(coupon, now) else None,
    }


def applied_coupon_lago_id(scope: Scope, one: AppliedCoupon) -> str:
    """The id of an applied coupon: its number is never used again."""
    return lago_id(scope, "applied_coupon", one.customer_id, part=str(one.number))


def applied_coupon_object(scope: Scope, one: AppliedCoupon, around: AroundApplied, now: datetime) -> dict[str, Any]:
    """Convert an applied coupon to its JSON object. Lago knows none that lies ahead: it is active."""
    coupon, terms = around.coupon, one.terms
    has_ended = one.status(now) == "terminated"
    return {
        "lago_id": applied_coupon_lago_id(scope, one),
        "lago_coupon_id": lago_id(scope, "coupon", one.coupon, None if coupon is None else coupon.created_at),
        "coupon_code": one.coupon,
        "coupon_name": (None if coupon is None else coupon.name) or one.coupon,
        "coupon_description": None if coupon is None else coupon.description,
        "coupon_status": "terminated" if coupon is not None and _has_expired(coupon, now) else "active",
        "coupon_deleted_at": shown_instant(around.coupon_deleted_at),
        "lago_customer_id": around.customer_lago_id,
        "external_customer_id": one.customer_id,
        "status": "terminated" if has_ended else "active",
        **_terms(terms),
        "amount_cents_remaining": _cents(one.left.amount, terms.currency),
        "frequency_duration_remaining": one.left.periods,
        "expiration_at": None if coupon is None else shown_instant(coupon.expires_at),
        "created_at": shown_instant(one.since),
        "terminated_at": shown_instant(one.ended_at) if has_ended else None,
    }


def _terms(terms: Terms) -> dict[str, Any]:
    return {
        "amount_cents": _cents(terms.amount, terms.currency),
        "amount_currency": terms.currency,
        "percentage_rate": None if terms.percentage is None else decimal_text(terms.percentage),
        "frequency": terms.frequency,
        "frequency_duration": terms.periods,
    }


def _cents(amount: Decimal | None, currency: str | None) -> int | None:
    return None if amount is None or currency is None else cents(amount, currency)


def _has_expired(coupon: CouponView, now: datetime) -> bool:
    return coupon.expires_at is not None and coupon.expires_at <= now
