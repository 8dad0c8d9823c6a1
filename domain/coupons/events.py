"""Events of coupons."""

from __future__ import annotations

from typing import Any, Final

from domain.event import LifecycleEvent

#: Topics of these events in the log, which never change.
COUPON_CREATED: Final = "coupon.created"
COUPON_UPDATED: Final = "coupon.updated"
COUPON_DELETED: Final = "coupon.deleted"


class CouponEvent(LifecycleEvent, frozen=True, kw_only=True):
    """An event of the coupon with this code."""

    tenant: str
    environment: str
    code: str


class CouponCreated(CouponEvent, frozen=True, kw_only=True):
    """A coupon was created."""

    fields: dict[str, Any]  # see `domain.coupons.fields`


class CouponUpdated(CouponEvent, frozen=True, kw_only=True):
    """Fields of a coupon were set or cleared; coupons that were applied before keep theirs."""

    fields: dict[str, Any]


class CouponDeleted(CouponEvent, frozen=True, kw_only=True):
    """A coupon was deleted, and with it what customers had applied of it."""
