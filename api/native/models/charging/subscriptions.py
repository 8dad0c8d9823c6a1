"""Request bodies and responses of subscriptions, and of the charges that they make."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from api.native.models.field_types import (
    AsOfPageQuery,
    AsOfQuery,
    DecimalText,
    Instant,
    InstantGiven,
    ReadingView,
    RequestBody,
)


class SubscriptionPatch(RequestBody):
    """The body of PATCH /v1/subscriptions/{id}, a merge patch."""

    name: str | None = None
    plan: str | None = Field(None, description="Code of the plan from now on, or from `effective_at` on.")
    ends_at: InstantGiven = None
    effective_at: InstantGiven = None


class SubscriptionGiven(SubscriptionPatch):
    """The body of POST /v1/subscriptions. It starts at `effective_at`, by default now."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": "sub-ada",
                "customer": "ada",
                "plan": "startup",
                "billing": "calendar",
                "effective_at": "2026-03-15T00:00:00Z",
            }
        }
    )

    id: str
    customer: str
    plan: str = Field(description="Code of the plan.")
    billing: str | None = Field(
        None, description="calendar (default): periods of the calendar. anniversary: from the day of the start on."
    )


class TermView(BaseModel):
    """A time with one plan."""

    plan: str
    start: Instant
    end: Instant | None


class SubscriptionView(ReadingView):
    """A subscription in its present life, else in its last one."""

    id: str
    customer: str
    name: str | None
    plan: str = Field(description="The plan now; before the start the first one, after the end the last.")
    billing: str
    status: Literal["pending", "active", "terminated"]
    start: Instant
    end: Instant | None
    terms: list[TermView] = Field(description="Which plan holds from when to when, planned changes included.")


class SubscriptionsQuery(AsOfPageQuery):
    """Query parameters of GET /v1/subscriptions."""

    customer: str | None = Field(None, max_length=1_000, description="Only those of this customer.")


class SubscriptionPage(ReadingView):
    """One page of subscriptions."""

    data: list[SubscriptionView]
    next_cursor: str | None


class ChargesQuery(AsOfQuery):
    """Query parameters of GET /v1/customers/{customer_id}/charges."""

    period: str | None = Field(
        None,
        max_length=100,
        description="An instant or a day: the billing periods that contain it. Default: the open ones.",
        examples=["2026-03-01"],
    )
    subscription: str | None = Field(None, max_length=1_000, description="Only the charges of this subscription.")


class ChargeFilterAmount(BaseModel):
    """The usage of one filter of a charge, and what it costs."""

    values: dict[str, list[str]] = Field(
        description="Texts by dotted path into `data`, as in the plan; empty: of the events that match no filter."
    )
    name: str | None
    model: str = Field(description="The name of the charge model.")
    units: DecimalText
    total_units: DecimalText | None = Field(description="Of a weighted sum: the sum of its values, not weighed.")
    events: int
    exact_amount: DecimalText = Field(description="Before it is rounded to the minor unit of the currency.")
    amount: DecimalText
    cost_unknown_events: int | None = Field(description="Of a meter of money: events whose cost is unknown.")


class ChargeGroup(BaseModel):
    """The usage of one combination of values, and what it costs."""

    group: dict[str, str | None]
    units: DecimalText
    total_units: DecimalText | None = Field(description="Of a weighted sum: the sum of its values, not weighed.")
    events: int
    exact_amount: DecimalText = Field(description="Before it is rounded to the minor unit of the currency.")
    amount: DecimalText
    cost_unknown_events: int | None = Field(description="Of a meter of money: events whose cost is unknown.")
    filters: list[ChargeFilterAmount] = Field(
        description="Of a charge with groups and filters: those with an event in the group, each priced by itself."
    )


class ChargedView(BaseModel):
    """What one charge costs in the period."""

    code: str
    name: str | None
    meter: str
    model: str = Field(description="The name of the charge model.")
    units: DecimalText | None = Field(description="Null, like events and amount: unknown, as `unknown_because` says.")
    total_units: DecimalText | None = Field(description="Of a weighted sum: the sum of its values, not weighed.")
    events: int | None
    groups: list[ChargeGroup]
    filters: list[ChargeFilterAmount] = Field(
        description="Of a charge with filters: each of them over all groups, at last the events that match none."
    )
    minimum_amount: DecimalText | None = Field(description="The least that the charge costs in a whole period.")
    added_to_minimum: DecimalText = Field(description="What the minimum of the charge adds, once the period has ended.")
    amount: DecimalText | None
    cost_unknown_events: int | None = Field(description="Of a meter of money: events whose cost is unknown.")
    unknown_because: str | None


class ChargeOff(BaseModel):
    """What a coupon takes off one charge."""

    code: str
    amount_off: DecimalText | None


class CouponOffView(BaseModel):
    """What an applied coupon takes off the charges."""

    number: int = Field(description="Of the applied coupon.")
    coupon: str = Field(description="Code of the coupon.")
    amount_off: DecimalText | None = Field(description="Null, like that of a charge: unknown.")
    charges: list[ChargeOff] = Field(description="Of which charges it takes how much.")
    amount_remaining: DecimalText | None = Field(
        description="Of an amount that is taken off once: what is left after this period."
    )
    periods_remaining: int | None = Field(description="Of a recurring coupon: periods that are left after this one.")


class SubscriptionChargesView(BaseModel):
    """The charges of one subscription in the billing period."""

    subscription: str
    name: str | None
    plan: str
    interval: str | None = Field(description="Null, like currency and amount: the plan is deleted.")
    billing: str
    currency: str | None
    start: Instant = Field(description="Start of the billing period, or of the plan in it.")
    end: Instant | None = Field(description="Exclusive. Null: none is known, because the plan is deleted.")
    ended: bool
    charges: list[ChargedView]
    amount: DecimalText | None = Field(description="Of all charges; null: that of one of them is unknown.")
    coupons: list[CouponOffView] = Field(
        description="What coupons take off, in this order; of an open period, as if it ended now. Amounts are without."
    )
    amount_off: DecimalText | None = Field(description="By all coupons.")
    amount_after_coupons: DecimalText | None
    closed: bool = Field(description="Whether the closing grace after the end is over.")
    amount_at_closing: DecimalText | None = Field(
        description="As known when the period closed; null until then, and where it was unknown."
    )
    restated: bool = Field(description="Whether the amount or the bounds are others than were known at closing.")


class ChargesView(ReadingView):
    """The charges of a customer, by subscription."""

    customer: str
    time_zone: str = Field(description="The customer's zone now, at whose midnights billing periods begin.")
    data: list[SubscriptionChargesView]
