"""Coupons, and what customers have applied of them, as the native API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from api.native.models.charging import coupons as models
from domain.coupons.taking_off import Terms
from domain.scope import Scope
from projections.queries.snapshot import Snapshot
from projections.views.charging.coupons import AppliedCoupon, coupon_view


def coupon_of(snapshot: Snapshot, scope: Scope, code: str, now: datetime) -> models.CouponView | None:
    """The coupon as it is now; None when there is none with this code."""
    coupon = coupon_view(code, snapshot.facts(scope, "coupon", code), now)
    if coupon is None:
        return None
    return models.CouponView(
        position=snapshot.point().position,
        now=now,
        code=coupon.code,
        name=coupon.name,
        description=coupon.description,
        **_terms(coupon.terms),
        expires_at=coupon.expires_at,
        reusable=coupon.reusable,
        created_at=coupon.created_at,
        updated_at=coupon.updated_at,
    )


def applied_document(one: AppliedCoupon, position: int, now: datetime) -> models.AppliedCouponView:
    """Convert an applied coupon to its response."""
    return models.AppliedCouponView(
        position=position,
        now=now,
        customer=one.customer_id,
        number=one.number,
        coupon=one.coupon,
        **_terms(one.terms),
        status=one.status(now),
        start=one.since,
        end=one.ended_at,
        amount_remaining=one.left.amount,
        periods_remaining=one.left.periods,
        remaining_known=one.left.used_up is not None,
    )


def _terms(terms: Terms) -> dict[str, Any]:
    return {
        "amount": terms.amount,
        "currency": terms.currency,
        "percentage": terms.percentage,
        "frequency": terms.frequency,
        "periods": terms.periods,
        "plans": list(terms.plans),
        "meters": list(terms.meters),
    }
