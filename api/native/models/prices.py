"""Bodies and answers about prices."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from api.native.models.field_types import (
    DecimalText,
    Given,
    Instant,
    InstantGiven,
    NumberGiven,
    PageQuery,
    PositionOnly,
)

_UNIT = "USD per million tokens"


class UnitPricesGiven(Given):
    """USD per million tokens; `request`: USD per request. A part without a price costs what its whole costs."""

    input: NumberGiven = Field(description=_UNIT)
    output: NumberGiven = Field(description=_UNIT)
    cached_input: NumberGiven = Field(None, description=_UNIT)
    cache_write: NumberGiven = Field(None, description=_UNIT)
    reasoning: NumberGiven = Field(None, description=_UNIT)
    request: NumberGiven = Field(None, description="USD per request")


class PriceTierGiven(Given):
    input_tokens_above: int = Field(
        ge=0, description="From more input tokens than this on, all tokens cost these prices."
    )
    unit_prices: UnitPricesGiven


class PriceGiven(Given):
    """The tenant's own price of a model; it goes before the list price."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "provider": "openai",
                "model": "gpt-4o",
                "unit_prices": {"input": "2.50", "output": "10.00"},
                "effective_from": "2026-03-01T00:00:00Z",
            }
        }
    )

    provider: str = Field("", description="As events name it; empty for usage that names none.")
    model: str
    unit_prices: UnitPricesGiven
    tiers: list[PriceTierGiven] = Field(default_factory=list)
    effective_from: InstantGiven = Field(None, description="Event time it is valid from; null: since ever.")


class UnitPricesView(BaseModel):
    """USD per million tokens; `request`: USD per request."""

    input: DecimalText
    output: DecimalText
    cached_input: DecimalText | None
    cache_write: DecimalText | None
    reasoning: DecimalText | None
    request: DecimalText | None


class PriceTierView(BaseModel):
    input_tokens_above: int
    unit_prices: UnitPricesView


class PriceVersionView(BaseModel):
    effective_from: Instant | None
    unit_prices: UnitPricesView
    tiers: list[PriceTierView]


class PriceView(BaseModel):
    position: int = Field(description="Log position of this price.")
    origin: Literal["own", "list"]
    provider: str
    model: str
    versions: list[PriceVersionView]
    library: str | None = Field(description="What resolved a list price.")
    recorded_at: Instant
    actor: str


class PriceQuery(PageQuery):
    provider: str | None = Field(None, max_length=256)
    model: str | None = Field(None, max_length=256)


class PricePage(PositionOnly):
    data: list[PriceView]
    next_cursor: str | None


class EventDetail(BaseModel):
    """Why an event costs what it costs: the unit prices that made it."""

    price: PriceView | None
    unit_prices: UnitPricesView | None = Field(description="Those of the version and tier that applied.")
