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
