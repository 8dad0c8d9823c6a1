"""Request bodies and responses of coupons, and of what customers have applied of them."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.native.models.field_types import (
    AsOfPageQuery,
    CountGiven,
    DecimalText,
    Instant,
    InstantGiven,
    NumberGiven,
    ReadingView,
    RequestBody,
)

_CURRENCY: Final = "ISO 4217, such as USD; required beside an amount."
_PERIODS: Final = "Of a recurring coupon: billing periods that it takes something off."
_FREQUENCY: Final = "once, recurring or forever"


class CouponPatch(RequestBody):
    """The body of PATCH /v1/coupons/{code}, a merge patch. What was applied before stays as it was applied."""

    name: str | None = None
    description: str | None = None
    amount: NumberGiven = Field(None, description="What it takes off. Either this or a percentage.")
    currency: str | None = Field(None, description=_CURRENCY)
    percentage: NumberGiven = Field(None, description="What it takes off, in percent.")
    frequency: str | None = Field(None, description=_FREQUENCY)
    periods: CountGiven = Field(None, description=_PERIODS)
    plans: list[str] | None = Field(None, description="Codes of plans: it takes something off their charges alone.")
    meters: list[str] | None = Field(
        None, description="Codes of meters: the same for charges for them. Not with plans."
    )
    expires_at: InstantGiven = Field(None, description="From then on it cannot be applied any more.")
    reusable: bool | None = Field(None, description="Whether a customer may apply it again. Default: true.")
    effective_at: InstantGiven = None


class CouponGiven(CouponPatch):
    """The body of POST /v1/coupons."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"code": "welcome", "amount": "20", "currency": "USD", "frequency": "once", "reusable": False}
        }
    )

    code: str
    frequency: str = Field(description=_FREQUENCY)


class TermsView(BaseModel):
    """What a coupon takes off, how often, and of what."""

    amount: DecimalText | None
    currency: str | None
    percentage: DecimalText | None
    frequency: str
    periods: int | None
    plans: list[str] = Field(description="The only plans whose charges it concerns; empty: all.")
    meters: list[str] = Field(description="The only meters that it concerns charges for; empty: all.")


class CouponView(TermsView, ReadingView):
    """A coupon."""

    code: str
    name: str | None
    description: str | None
    expires_at: Instant | None
    reusable: bool
    created_at: Instant
    updated_at: Instant


class CouponPage(ReadingView):
    """One page of coupons."""

    data: list[CouponView]
    next_cursor: str | None


class ApplicationGiven(RequestBody):
    """The body of POST /v1/customers/{customer_id}/coupons. It holds from `effective_at` on, by default now."""

    model_config = ConfigDict(json_schema_extra={"example": {"coupon": "welcome", "amount": "10"}})

    coupon: str = Field(description="Code of the coupon.")
    amount: NumberGiven = Field(None, description="In place of that of the coupon, like the following.")
    currency: str | None = None
    percentage: NumberGiven = None
    frequency: str | None = Field(None, description=_FREQUENCY)
    periods: CountGiven = Field(None, description=_PERIODS)
    effective_at: InstantGiven = None


class AppliedCouponView(TermsView, ReadingView):
    """A coupon that a customer has applied."""

    customer: str
    number: int = Field(description="Counts the coupons that the customer has applied, from 1.")
    coupon: str
    status: Literal["pending", "active", "terminated"]
    start: Instant
    end: Instant | None = Field(
        description="When it was terminated, its coupon or customer deleted, or the period ended that used it up."
    )
    amount_remaining: DecimalText | None = Field(
        description="Of an amount that is taken off once: what is left after all periods that have ended."
    )
    periods_remaining: int | None = Field(description="Of a recurring coupon: billing periods that are left.")
    remaining_known: bool = Field(
        description="False: what a charge in its reach costs is unknown, and so what is left."
    )


class AppliedCouponsQuery(AsOfPageQuery):
    """Query parameters of GET /v1/applied-coupons."""

    customer: str | None = Field(None, max_length=1_000, description="Only those of this customer.")
    coupon: str | None = Field(None, max_length=1_000, description="Only those of the coupon with this code.")
    status: Literal["pending", "active", "terminated"] | None = Field(None, description="Only those with this status.")


class AppliedCouponPage(ReadingView):
    """One page of applied coupons."""

    data: list[AppliedCouponView]
    next_cursor: str | None
