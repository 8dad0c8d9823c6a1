"""Request bodies of Respan's clients. Unknown members are ignored."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from api.dialects.respan.models.field_types import BudgetDuration, Identifier, Instant, Number

PAGE_SIZE_DEFAULT: Final = 50
PAGE_SIZE_MAX: Final = 1_000
PAGE_MAX: Final = 1_000_000_000
SORT_DEFAULT: Final = "-first_seen"


class CustomerFields(BaseModel):
    """The members of a customer. An absent member stays as it is, null clears it."""

    model_config = ConfigDict(extra="ignore")

    email: str | None = Field(None, description="Customer email address.")
    name: str | None = Field(None, description="Customer display name.")
    metadata: dict[str, Any] | None = Field(None, description="Custom key-value metadata; replaced as a whole.")
    period_budget: Number | None = Field(None, description="Spending budget per period in USD. 0 refuses everything.")
    budget_duration: BudgetDuration | None = Field(None, description="Budget renewal period.")
    total_budget: Number | None = Field(None, description="Total lifetime spending budget in USD.")
    period_start: Instant | None = Field(None, description="Custom budget period start. A date is midnight in UTC.")
    period_end: Instant | None = Field(None, description="Custom budget period end: that of the first period.")
    markup_percentage: Number | None = Field(
        None, description="Markup percentage applied to usage reports for this customer, from now on."
    )

    @property
    def sent_members(self) -> dict[str, Any]:
        """The members that were sent, null ones too."""
        return self.model_dump(exclude_unset=True)


class CreateUserRequest(CustomerFields):
    """The body of POST /respan/api/users/create/."""

    customer_identifier: Identifier = Field(description="Your unique identifier for the customer.")


class ListQuery(BaseModel):
    """Query parameters of /respan/api/users/list/."""

    model_config = ConfigDict(extra="ignore")

    page: int = Field(1, ge=1, le=PAGE_MAX)
    page_size: int = Field(PAGE_SIZE_DEFAULT, ge=1, le=PAGE_SIZE_MAX)
    sort_by: str = Field(
        SORT_DEFAULT, max_length=100, description="A field; with - before it descending. Equal ones are sorted by id."
    )


class ListRequest(BaseModel):
    """The body of POST /respan/api/users/list/."""

    model_config = ConfigDict(extra="ignore")

    filters: dict[str, Any] | None = Field(
        None,
        description='By field, {"operator": "gte", "value": [10]} or a list of such conditions; all of them must hold.',
    )


class UpdateUserRequest(CustomerFields):
    """The body of PATCH /respan/api/users/{customer_identifier}/."""
