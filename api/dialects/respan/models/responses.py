"""Response bodies as Respan publishes them, for the OpenAPI document only."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from api.dialects.respan.models.field_types import Environment


class UserResponse(BaseModel):
    """A customer, with its budget and what it used of it."""

    model_config = ConfigDict(extra="allow")

    id: str = Field(description="Customer identifier, the same as `customer_identifier`.")
    name: str | None = Field(description="Customer display name.")
    email: str | None = Field(description="Customer email address.")
    customer_identifier: str = Field(description="Your unique identifier for the customer.")
    environment: Environment = Field(description="Customer environment.")
    total_budget: float | None = Field(description="Lifetime spending budget in USD.")
    period_budget: float | None = Field(description="Current period budget in USD.")
    organization_name: str | None = Field(description="Owning organization name: the tenant.")
    total_period_usage: float = Field(description="Usage in the current budget period in USD, markup included.")
    period_start: datetime = Field(description="Start of the current budget period.")
    period_end: datetime | None = Field(description="End of the current budget period.")
    budget_duration: str = Field(description="Budget renewal period.")
    updated_at: datetime = Field(description="Last update timestamp.")


class ListedUser(BaseModel):
    """A customer in a list, with its usage since it was first seen."""

    model_config = ConfigDict(extra="allow")

    id: str = Field(description="An id of the row: the identifier, the environment and the organization's id.")
    customer_identifier: str
    unique_organization_id: str
    environment: Environment
    name: str | None
    email: str | None
    first_seen: datetime
    last_active_timeframe: datetime | None
    active_days: int = Field(description="Days (UTC) with usage.")
    number_of_requests: int
    total_requests: int = Field(description="The same as `number_of_requests`.")
    total_tokens: int
    tokens: int = Field(description="The same as `total_tokens`.")
    total_cost: float = Field(description="USD, markup included.")
    cost: float = Field(description="The same as `total_cost`.")
    average_latency: float | None = Field(description="Seconds; null when no request told its latency.")
    average_ttft: float | None = Field(description="Seconds; null when no request told its time to first token.")
    average_monthly_cost: float = Field(description="`total_cost` by month from the first to the last usage.")
    period_budget: float | None
    budget_duration: str
    total_budget: float | None


class UserPage(BaseModel):
    """One page of customers."""

    count: int = Field(description="How many customers this page has. The last page has no `next`.")
    next: str | None = Field(description="The address of the next page.")
    previous: str | None = Field(description="The address of the previous page.")
    results: list[ListedUser]
