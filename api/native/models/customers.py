"""Request bodies and responses of customers."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from api.native.models.field_types import (
    AsOfPageQuery,
    CountGiven,
    DecimalText,
    Instant,
    InstantGiven,
    NumberGiven,
    ReadingView,
    ReasonInBody,
    RequestBody,
)

_EXAMPLE: JsonDict = {
    "id": "acme",
    "name": "Acme Ltd",
    "email": "billing@acme.example",
    "time_zone": "Europe/Berlin",
    "markup_percentage": "15",
    "budget": {"period_limit_usd": "250", "duration": "1mo"},
}


class ModelLimitGiven(RequestBody):
    """A spending limit for one model."""

    limit_usd: NumberGiven = Field(description="USD")
    duration: str | None = Field(
        None,
        description="Length of the limit's own period, such as 1d. Null: the period of the budget.",
        examples=["1d"],
    )


class LimitsGiven(RequestBody):
    """Limits of a budget, in US dollars of reported cost; null clears."""

    period_limit_usd: NumberGiven = Field(None, description="USD per period; 0 refuses every request.")
    total_limit_usd: NumberGiven = Field(None, description="USD over the whole life of the customer.")
    soft_limit_usd: NumberGiven = Field(None, description="USD; shown only, never refuses a request.")
    model_limits: dict[str, ModelLimitGiven | None] | None = Field(
        None, description="Limits by model; a null member removes one."
    )
    duration: str | None = Field(
        None, description="Length of the period: 30s 30m 30h 30d 1w 1mo 1y, daily, monthly ..."
    )
    alignment: str | None = Field(None, description="calendar or anchored")
    anchor: InstantGiven = Field(None, description="An instant at which an anchored period starts.")
    requests_per_minute: CountGiven = None
    tokens_per_minute: CountGiven = None
    parallel_requests_max: CountGiven = None


class CustomerBudgetGiven(LimitsGiven):
    """The budget of a customer: its tier and its own limits."""

    budget_id: str | None = Field(
        None,
        description="Id of a shared budget (tier). Limits set on the customer take precedence over those of the tier.",
    )
    period_start: InstantGiven = Field(None, description="Start of the open period, set by hand.")
    period_end: InstantGiven = Field(None, description="End of the open period, set by hand.")


class UsagePeriodGiven(RequestBody):
    """The policy of a customer's usage periods."""

    duration: str | None = Field(None, examples=["1mo"])
    alignment: str | None = Field(None, description="calendar or anchored")
    anchor: InstantGiven = None


class PaymentProviderGiven(RequestBody):
    """The payment provider that a customer is linked to."""

    name: str | None = Field(None, description="Checkout links can be made for stripe.", examples=["stripe"])
    customer_id: str | None = Field(
        None,
        description="The customer's id at the provider. When not set, the first checkout link creates the customer "
        "there. Encrypted in the log.",
        examples=["cus_PqVw2Xn8gY"],
    )


class ProfileGiven(RequestBody):
    """The members that creating and changing a customer share."""

    name: str | None = Field(None, description="Encrypted in the log.")
    email: str | None = Field(None, description="Encrypted in the log.")
    metadata: dict[str, Any] | None = Field(None, description="At most 50 members and 16 KiB; encrypted in the log.")
    currency: str | None = Field(None, examples=["USD"])
    time_zone: str | None = Field(None, description="IANA time zone name.", examples=["Europe/Berlin"])
    group_identifier: str | None = Field(
        None, description="A group that the customer belongs to; 1 to 1,000 characters. Stored and shown."
    )
    allowed_region: str | None = None
    default_model: str | None = None
    markup_percentage: NumberGiven = Field(None, description="Percentage added to raw cost, from -100 to 10,000.")
    payment_provider: PaymentProviderGiven | None = Field(
        None, description="Where the customer leaves its payment details. Null: nowhere."
    )
    usage_period: UsagePeriodGiven | None = Field(
        None, description="The periods of current and past usage. Null: calendar months."
    )
    budget: CustomerBudgetGiven | None = None
    effective_at: InstantGiven = Field(None, description="The instant from which this holds. Default: now.")


class CustomerGiven(ProfileGiven):
    """The body of POST /v1/customers: a new customer. Usage already recorded for this id becomes its usage."""

    model_config = ConfigDict(json_schema_extra={"example": _EXAMPLE})

    id: str = Field(description="1 to 1,000 characters, neither '.' nor '..'.")
    opening_spend_usd: NumberGiven = Field(
        None, description="USD spent elsewhere before; counted as spent at creation."
    )


class CustomerPatch(ProfileGiven):
    """The body of PATCH /v1/customers/{customer_id}, a merge patch: an absent member stays, null clears."""

    model_config = ConfigDict(json_schema_extra={"example": {"email": None, "budget": {"period_limit_usd": "300"}}})

    active: bool | None = Field(
        None, description="False deactivates the customer: it is left out of reports by customer."
    )


class WhyGiven(RequestBody):
    """The body of blocking and unblocking a customer."""

    reason: ReasonInBody = None
    effective_at: InstantGiven = None


class CustomerQuery(AsOfPageQuery):
    """Query parameters of GET /v1/customers."""

    prefix: str | None = Field(None, max_length=1_000, description="Only customers whose id begins with this.")


class UsagePeriodView(BaseModel):
    """The policy of a customer's usage periods."""

    duration: str
    alignment: str
    anchor: Instant | None


class PaymentProviderView(BaseModel):
    """The payment provider that a customer is linked to."""

    name: str | None
    customer_id: str | None


class CustomerBudgetView(BaseModel):
    """The tier and the limits that are set on the customer itself; /budget shows those in effect."""

    budget_id: str | None
    period_limit_usd: DecimalText | None
    total_limit_usd: DecimalText | None
    soft_limit_usd: DecimalText | None
    model_limits: dict[str, Any]
    duration: str | None
    alignment: str | None
    anchor: Instant | None
    period_start: Instant | None
    period_end: Instant | None
    requests_per_minute: int | None
    tokens_per_minute: int | None
    parallel_requests_max: int | None


class CustomerView(ReadingView):
    """A customer as it is now."""

    id: str
    created_at: Instant | None = Field(description="Null for a customer that was never created explicitly.")
    first_seen_at: Instant | None = Field(description="Earliest event time of its usage.")
    origin: Literal["explicit", "usage"]
    active: bool
    blocked: bool
    life: int = Field(description="Number of the current life, from 1. A deletion ends a life.")
    name: str | None
    email: str | None
    metadata: dict[str, Any]
    currency: str | None
    time_zone: str | None
    group_identifier: str | None
    allowed_region: str | None
    default_model: str | None
    markup_percentage: DecimalText | None
    opening_spend_usd: DecimalText | None
    payment_provider: PaymentProviderView
    usage_period: UsagePeriodView
    budget: CustomerBudgetView


class CustomerPage(ReadingView):
    """One page of customers."""

    data: list[CustomerView]
    next_cursor: str | None


class FactView(BaseModel):
    """One entry of a customer's history."""

    kind: str = Field(examples=["customer.updated", "customer.first_seen"])
    position: int | None
    effective_at: Instant
    recorded_at: Instant | None
    fields: dict[str, Any] = Field(description="The values that were set; null for a field that was cleared.")
    patched: list[str] = Field(default_factory=list, description="The fields whose value is a merge patch.")
    actor: str | None = Field(description="Id of the API key that made the change.")
    dialect: str | None
    reason: str | None
    derived: bool = Field(False, description="True when the entry follows from usage and has no record of its own.")


class HistoryPage(ReadingView):
    """One page of a customer's history."""

    customer: str
    data: list[FactView] = Field(description="Oldest first.")
    next_cursor: str | None
