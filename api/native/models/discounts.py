"""Request bodies and responses of discounts."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from api.native.models.field_types import (
    AsOfPageQuery,
    DecimalText,
    Instant,
    InstantGiven,
    NumberGiven,
    ReadingView,
    RequestBody,
)
from api.native.models.prices import EFFECT, RepricingEffectView


class DiscountGiven(RequestBody):
    """The body of POST /v1/discounts: percent off the price of a model, or off those of every model.

    With `customer` it is taken off what that customer would pay by the tenant's own prices and discounts, else off the
    list price. A later own price or discount of the same tenant or customer, for the same model, replaces it.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"customer": "ada", "percentage": "12.5", "effective_from": "2026-03-01T00:00:00Z"}
        }
    )

    percentage: NumberGiven = Field(
        description="Percent off: 0 to 100, with at most six decimals. 0 ends an own price or discount of the model."
    )
    customer: str | None = Field(
        None, description="Id of the customer that has the discount. It need not be known yet. Null: all of the tenant."
    )
    provider: str | None = Field(
        None, description="Provider as events name it; empty, or left out, for events that name none."
    )
    model: str | None = Field(None, description="Null: every model.")
    effective_from: InstantGiven = Field(
        None, description="Event time from which the discount holds. Null: without a start."
    )


class DiscountView(BaseModel):
    """A discount of a tenant, or of one of its customers."""

    position: int = Field(description="Its log position.")
    customer: str | None = Field(description="Null: for all usage of the tenant.")
    provider: str | None = Field(description="Null: on every model.")
    model: str | None = Field(description="Null: on every model.")
    percentage: DecimalText = Field(description="Percent off.")
    effective_from: Instant | None
    recorded_at: Instant
    actor: str


class DiscountSetView(DiscountView):
    """A discount that was set."""

    repricing: RepricingEffectView = Field(description=EFFECT)


class DiscountQuery(AsOfPageQuery):
    """Query parameters of GET /v1/discounts."""

    customer: str | None = Field(None, max_length=1_000, description="Only the discounts of this customer's own.")


class DiscountPage(ReadingView):
    """One page of discounts."""

    data: list[DiscountView]
    next_cursor: str | None
