"""Requests and answers about coupons."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema

from api.dialects.lago.error_shapes import INVALID
from api.dialects.lago.models.field_types import Currency, Identifier, Truth, broken, one_of, text_of, whole_number
from api.dialects.lago.models.meta import PaginationMeta
from api.dialects.lago.models.rules import Mandatory, OptionalText
from api.dialects.lago.models.subscriptions import IsoInstant
from api.dialects.lago.request_reading import Input

FIXED: Final = "fixed_amount"
PERCENTAGE: Final = "percentage"
NO_EXPIRATION: Final = "no_expiration"
TIME_LIMIT: Final = "time_limit"
_DECIMALS_MAX: Final = 5


def _rate(value: Any) -> Decimal | None:
    """Read a percentage, which is text or a number, with the five decimals that Lago keeps."""
    text = (str(value) if isinstance(value, float) else text_of(value) or "").strip()
    if not text:
        return None
    try:
        rate = Decimal(text)
    except InvalidOperation:
        raise broken(INVALID) from None
    if not rate.is_finite() or abs(rate) >= 10**5:
        raise broken(INVALID)
    return round(rate, _DECIMALS_MAX)


def _count(value: Any) -> int | None:
    """Read a whole number, also one below 0: what is not above 0 has one code, where it counts at all."""
    text = (text_of(value) or "").strip()
    if not text.startswith("-"):
        return whole_number(value)
    below = whole_number(text[1:])
    if below is None:
        raise broken(INVALID)
    return -below


_TEXT: Final = {"anyOf": [{"type": "string"}, {"type": "number"}, {"type": "null"}]}
Rate = Annotated[Decimal | None, BeforeValidator(_rate), WithJsonSchema(_TEXT)]
_NUMBER: Final = {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "null"}]}
Count = Annotated[int | None, BeforeValidator(_count), WithJsonSchema(_NUMBER)]
Frequency = Annotated[str | None, one_of("once", "recurring", "forever")]


class AppliesTo(Input):
    """What a coupon is limited to: plans or billable metrics, not both."""

    plan_codes: list[str] | None = None
    billable_metric_codes: list[str] | None = None


class CouponInput(Input):
    """A coupon."""

    name: Mandatory
    code: Mandatory
    description: OptionalText = None
    coupon_type: Annotated[str | None, one_of(FIXED, PERCENTAGE)] = Field(None, description="Required.")
    amount_cents: Count = Field(None, description="Of a fixed amount.")
    amount_currency: Currency = None
    percentage_rate: Rate = None
    reusable: Truth = Field(None, description="Default: true.")
    frequency: Frequency = Field(None, description="Required: once, recurring or forever.")
    frequency_duration: Count = Field(None, description="Billing periods of a recurring one.")
    expiration: Annotated[str | None, one_of(NO_EXPIRATION, TIME_LIMIT)] = None
    expiration_at: IsoInstant = None
    applies_to: AppliesTo | None = None


class CouponPatch(Input):
    """A change of a coupon: what is left out stays as it is. The code cannot change."""

    name: Any = None
    code: Any = None
    description: Any = None
    coupon_type: Any = None
    amount_cents: Any = None
    amount_currency: Any = None
    percentage_rate: Any = None
    reusable: Any = None
    frequency: Any = None
    frequency_duration: Any = None
    expiration: Any = None
    expiration_at: Any = None
    applies_to: Any = None


class AppliedCouponInput(Input):
    """A coupon to apply. What is left out is as in the coupon."""

    external_customer_id: Identifier
    coupon_code: Mandatory
    amount_cents: Count = None
    amount_currency: Currency = None
    percentage_rate: Rate = None
    frequency: Frequency = None
    frequency_duration: Count = None


class CouponObject(BaseModel):
    """A coupon."""

    lago_id: str
    name: str
    code: str
    description: str | None
    coupon_type: str
    amount_cents: int | None
    amount_currency: str | None
    percentage_rate: str | None
    reusable: bool
    frequency: str
    frequency_duration: int | None
    limited_plans: bool
    plan_codes: list[str]
    limited_billable_metrics: bool
    billable_metric_codes: list[str]
    expiration: str
    expiration_at: str | None
    created_at: str
    terminated_at: str | None


class CouponAnswer(BaseModel):
    """The answer about one coupon."""

    coupon: CouponObject


class CouponPage(BaseModel):
    """One page of coupons."""

    coupons: list[CouponObject]
    meta: PaginationMeta


class AppliedCouponObject(BaseModel):
    """A coupon that a customer has applied."""

    lago_id: str
    lago_coupon_id: str
    coupon_code: str
    coupon_name: str
    coupon_description: str | None
    coupon_status: str
    coupon_deleted_at: str | None
    lago_customer_id: str
    external_customer_id: str
    status: str
    amount_cents: int | None
    amount_cents_remaining: int | None
    amount_currency: str | None
    percentage_rate: str | None
    frequency: str
    frequency_duration: int | None
    frequency_duration_remaining: int | None
    expiration_at: str | None
    created_at: str
    terminated_at: str | None


class AppliedCouponExtendedObject(AppliedCouponObject):
    """One in a list, with its credits."""

    credits: list[Any] = Field(description="Empty: there are no invoices.")


class AppliedCouponAnswer(BaseModel):
    """The answer about one applied coupon."""

    applied_coupon: AppliedCouponObject


class AppliedCouponPage(BaseModel):
    """One page of applied coupons."""

    applied_coupons: list[AppliedCouponExtendedObject]
    meta: PaginationMeta
