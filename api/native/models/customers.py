"""Customers: what may be set, and how they are shown."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from api.native.models.field_types import (
    CountGiven,
    DecimalText,
    Given,
    Instant,
    InstantGiven,
    NumberGiven,
    PageQuery,
    PositionOnly,
)

_EXAMPLE: JsonDict = {
    "id": "acme",
    "name": "Acme Ltd",
    "email": "billing@acme.example",
    "time_zone": "Europe/Berlin",
    "markup_percentage": "15",
    "budget": {"period_limit_usd": "250", "duration": "1mo"},
}


class ModelLimitGiven(Given):
    limit_usd: NumberGiven = Field(description="USD")
    duration: str | None = Field(
        None, description="A period of its own, such as 1d; null: the budget's.", examples=["1d"]
    )


class LimitsGiven(Given):
    """Limits in US dollars of reported cost; null clears."""

    period_limit_usd: NumberGiven = Field(None, description="USD per period; 0 refuses everything.")
    total_limit_usd: NumberGiven = Field(None, description="USD in the whole life.")
    soft_limit_usd: NumberGiven = Field(None, description="USD; shown, never refuses.")
    model_limits: dict[str, ModelLimitGiven | None] | None = Field(
        None, description="By model; a null member is removed."
    )
    duration: str | None = Field(
        None, description="Length of the period: 30s 30m 30h 30d 1w 1mo 1y, daily, monthly ..."
    )
    alignment: str | None = Field(None, description="calendar or anchored")
    anchor: InstantGiven = Field(None, description="Where anchored periods start.")
    requests_per_minute: CountGiven = None
    tokens_per_minute: CountGiven = None
    parallel_requests_max: CountGiven = None


class CustomerBudgetGiven(LimitsGiven):
    budget_id: str | None = Field(None, description="Shared budget (tier); limits set here go before its own.")
    period_start: InstantGiven = Field(None, description="Begin of the open period, moved by hand.")
    period_end: InstantGiven = Field(None, description="End of the open period, moved by hand.")


class UsagePeriodGiven(Given):
    duration: str | None = Field(None, examples=["1mo"])
    alignment: str | None = Field(None, description="calendar or anchored")
    anchor: InstantGiven = None


class ProfileGiven(Given):
    name: str | None = Field(None, description="Kept encrypted in the log.")
    email: str | None = Field(None, description="Kept encrypted in the log.")
    metadata: dict[str, Any] | None = Field(
        None, description="At most 50 members and 16 KiB; kept encrypted in the log."
    )
    currency: str | None = Field(None, examples=["USD"])
    time_zone: str | None = Field(None, description="IANA name.", examples=["Europe/Berlin"])
    allowed_region: str | None = None
    default_model: str | None = None
    markup_percentage: NumberGiven = Field(None, description="On top of raw cost, -100 to 10,000.")
    usage_period: UsagePeriodGiven | None = Field(
        None, description="The period of current and past usage; null: 1mo calendar."
    )
    budget: CustomerBudgetGiven | None = None
    effective_at: InstantGiven = Field(None, description="From when this applies to usage. Default: now.")


class CustomerGiven(ProfileGiven):
    """A new customer. Usage that was seen before under this id is adopted."""

    model_config = ConfigDict(json_schema_extra={"example": _EXAMPLE})

    id: str = Field(description="1 to 1,000 characters, not '.' or '..'.")
    opening_spend_usd: NumberGiven = Field(None, description="USD spent before, counted at creation.")


class CustomerPatch(ProfileGiven):
    """A merge patch: absent leaves alone, null clears."""

    model_config = ConfigDict(json_schema_extra={"example": {"email": None, "budget": {"period_limit_usd": "300"}}})

    active: bool | None = Field(None, description="false hides the customer from reports by customer.")


class WhyGiven(Given):
    reason: str | None = Field(None, max_length=1_000)
    effective_at: InstantGiven = None


class CustomerQuery(PageQuery):
    prefix: str | None = Field(None, max_length=1_000, description="Only ids that begin with this.")


class UsagePeriodView(BaseModel):
    duration: str
    alignment: str
    anchor: Instant | None


class CustomerBudgetView(BaseModel):
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


class CustomerView(PositionOnly):
    id: str
    created_at: Instant | None = Field(description="Null for one that is known by usage only.")
    first_seen_at: Instant | None = Field(description="Least event time of its usage.")
    origin: Literal["explicit", "usage"]
    active: bool
    blocked: bool
    life: int = Field(description="1 for the first; a deletion ends a life.")
    name: str | None
    email: str | None
    metadata: dict[str, Any]
    currency: str | None
    time_zone: str | None
    allowed_region: str | None
    default_model: str | None
    markup_percentage: DecimalText | None
    opening_spend_usd: DecimalText | None
    usage_period: UsagePeriodView
    budget: CustomerBudgetView


class CustomerPage(PositionOnly):
    data: list[CustomerView]
    next_cursor: str | None


class FactView(BaseModel):
    """One fact of a customer's history."""

    kind: str = Field(examples=["customer.updated", "customer.first_seen"])
    position: int | None
    effective_at: Instant
    recorded_at: Instant | None
    fields: dict[str, Any] = Field(description="What was set; null: cleared.")
    actor: str | None = Field(description="Key id of who did it.")
    dialect: str | None
    reason: str | None
    derived: bool = Field(False, description="True for what follows from usage instead of a record of its own.")


class HistoryPage(PositionOnly):
    customer: str
    data: list[FactView] = Field(description="Oldest first.")
    next_cursor: str | None
