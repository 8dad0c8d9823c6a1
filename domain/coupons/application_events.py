"""Events of the coupons that a customer has applied.

Their topics end like those of a creation and a deletion, as an applied coupon lives from one to the other.
"""

from __future__ import annotations

from typing import Any, Final

from domain.event import LifecycleEvent

#: Topics of these events in the log, which never change.
COUPON_APPLIED: Final = "applied_coupon.created"
APPLIED_COUPON_TERMINATED: Final = "applied_coupon.deleted"


class AppliedCouponEvent(LifecycleEvent, frozen=True, kw_only=True):
    """An event of one of the coupons that a customer has applied; `number` counts them from 1."""

    tenant: str
    environment: str
    customer_id: str
    number: int


class CouponApplied(AppliedCouponEvent, frozen=True, kw_only=True):
    """A customer applied a coupon. `fields`: its code as `coupon`, its `TERMS` and its `LIMITS`."""

    fields: dict[str, Any]


class AppliedCouponTerminated(AppliedCouponEvent, frozen=True, kw_only=True):
    """An applied coupon takes nothing off any more; what it took off stays."""
