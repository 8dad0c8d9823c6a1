"""Request bodies and responses of prices."""

from __future__ import annotations

from typing import Final, Literal

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
from consumers.prices.refresh import CHANGES_SHOWN_MAX
from domain.prices.own_price import PER_MAX, PRICE_TIERS_MAX, RATES_MAX, VARIANTS_MAX
from domain.usage.quantity_rules import CONTEXT_MEMBERS

_UNIT = "USD per million tokens"
_BY_UNIT = (
    f"Prices by unit: any unit of usage, or one of your own from `data.units`; at most {RATES_MAX}. A part needs a "
    "price of its whole beside it."
)


#: Events that are read to tell what a price would change.
EFFECT_EVENTS_MAX: Final = 500_000
EFFECT: Final = "What a re-pricing would change of the events that keep the cost that they have."


class UnitPricesGiven(RequestBody):
    """USD per million tokens; `request`: USD per request. A part without a price costs what its whole costs."""

    input: NumberGiven = Field(description=_UNIT)
    output: NumberGiven = Field(description=_UNIT)
    cached_input: NumberGiven = Field(None, description=_UNIT)
    cache_write: NumberGiven = Field(None, description=_UNIT)
    reasoning: NumberGiven = Field(None, description=_UNIT)
    request: NumberGiven = Field(None, description="USD per request")


class PriceTierGiven(RequestBody):
    """Prices for requests with many input tokens."""

    input_tokens_above: int = Field(
        ge=0, description="The prices hold for all tokens of a request that has more input tokens than this."
    )
    unit_prices: UnitPricesGiven


class RateTierGiven(RequestBody):
    """The price of a unit in requests with many input tokens."""

    input_tokens_above: int = Field(
        ge=0, description="The price holds for all of the unit in a request that has more input tokens than this."
    )
    price: NumberGiven = Field(description="USD for `per` of the unit.")


class RateGiven(RequestBody):
    """The price of one unit."""

    price: NumberGiven = Field(description="USD for `per` of the unit.")
    per: int | None = Field(
        None,
        ge=1,
        le=PER_MAX,
        description="How many of the unit the price is for. Default: what list prices have (a million tokens, an hour "
        "in seconds, a thousand searches), and 1 for a unit of your own.",
    )
    tiers: list[RateTierGiven] = Field(default_factory=list, description=f"At most {PRICE_TIERS_MAX}.")


class VariantGiven(RequestBody):
    """Prices that replace those of the same units for requests whose data have all of `when`."""

    when: dict[str, str] = Field(
        description=f"Members of the data of a request, and their values: {', '.join(CONTEXT_MEMBERS)}."
    )
    rates: dict[str, RateGiven] = Field(description=_BY_UNIT)


class PriceGiven(RequestBody):
    """The body of POST /v1/prices: the tenant's own price of a model, which takes precedence over the list price.

    With `customer` it is the price for that customer alone, which takes precedence over the tenant's.
    """

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

    provider: str = Field("", description="Provider as events name it; empty for events that name none.")
    model: str
    customer: str | None = Field(
        None,
        description="Id of the customer whose price it is. It need not be known yet. Null: the tenant's own price.",
    )
    unit_prices: UnitPricesGiven | None = Field(
        None, description="Prices of the common units. May be left out where `rates` are given."
    )
    tiers: list[PriceTierGiven] = Field(default_factory=list, description="Tiers of `unit_prices`.")
    rates: dict[str, RateGiven] = Field(
        default_factory=dict, description=f"{_BY_UNIT} Not for a unit that `unit_prices` have a price of."
    )
    variants: list[VariantGiven] = Field(
        default_factory=list,
        description=f"Other prices by the context of a request; at most {VARIANTS_MAX}. Of several that apply, the "
        "first one that prices a unit holds.",
    )
    effective_from: InstantGiven = Field(
        None, description="Event time from which the price holds. Null: without a start."
    )


class UnitPricesView(BaseModel):
    """USD per million tokens; `request`: USD per request. Null: no price, or that of the whole that it is a part of."""

    input: DecimalText | None
    output: DecimalText | None
    cached_input: DecimalText | None
    cache_write: DecimalText | None
    reasoning: DecimalText | None
    request: DecimalText | None


class PriceTierView(BaseModel):
    """Prices for requests with many input tokens."""

    input_tokens_above: int
    unit_prices: UnitPricesView


class RateTierView(BaseModel):
    """The price of a unit in requests with many input tokens."""

    input_tokens_above: int
    price: DecimalText | None


class RateView(BaseModel):
    """The price of one unit."""

    price: DecimalText | None = Field(description="USD for `per` of the unit. Null: what its whole costs.")
    per: int = Field(description="How many of the unit the price is for: a million tokens, an hour in seconds.")
    tiers: list[RateTierView]


class HoursView(BaseModel):
    """Hours of each day in UTC, the end excluded; through midnight where the end is earlier."""

    start: str = Field(description="Time of the day in UTC: HH:MM:SS.")
    end: str


class PriceVersionView(BaseModel):
    """Unit prices and tiers from one event time on, or at some hours of each day.

    The last version in force holds; where none is, the first one.
    """

    effective_from: Instant | None
    hours: HoursView | None = Field(description="Null: at all hours.")
    unit_prices: UnitPricesView
    tiers: list[PriceTierView]
    rates: dict[str, RateView] = Field(description="The prices of all units, by unit.")


class PriceVariantView(BaseModel):
    """Prices that replace those of the version for requests whose context has all of `when`."""

    when: dict[str, str]
    effective_from: Instant | None
    hours: HoursView | None
    rates: dict[str, RateView]


class MinimumView(BaseModel):
    """The least that is charged of a request that used one of these units."""

    units: list[str]
    least: DecimalText


class AppliedRateView(BaseModel):
    """The price of one unit in one request."""

    price: DecimalText = Field(description="USD for `per` of the unit.")
    per: int


class AppliedPriceView(BaseModel):
    """What made the cost of one request: the version and the variants that applied, and their prices."""

    effective_from: Instant | None
    hours: HoursView | None
    when: list[dict[str, str]] = Field(description="The context that each variant that applied asks for.")
    rates: dict[str, AppliedRateView] = Field(description="The prices in the tier that the request reached, by unit.")


class RepricingEffectView(BaseModel):
    """What a re-pricing would change of the events that have a cost: of those that a price or discount is for."""

    events: int | None = Field(
        description=f"Events that would get another cost. Null, like the difference: more than {EFFECT_EVENTS_MAX:,} "
        "events have a cost; preview a run to know."
    )
    difference_usd: DecimalText | None = Field(description="What their costs would grow by, before markup.")


class PriceView(BaseModel):
    """A list price of one model, or a tenant's own price for all its usage or for a customer."""

    position: int = Field(
        description="Log position of an own price. Of a list price, that of the tenant's first usage of the model, "
        "unless the price was listed later."
    )
    origin: Literal["own", "list"]
    customer: str | None = Field(description="The customer whose price it is. Null: the tenant's own, or a list price.")
    provider: str
    model: str
    versions: list[PriceVersionView]
    variants: list[PriceVariantView]
    minimums: list[MinimumView]
    library: str | None = Field(description="Version of the price library that a list price came from.")
    recorded_at: Instant = Field(description="When what stands at `position` was recorded.")
    actor: str


class PriceSetView(PriceView):
    """A price that was set."""

    repricing: RepricingEffectView = Field(description=EFFECT)


class PriceQuery(AsOfPageQuery):
    """Query parameters of GET /v1/prices."""

    provider: str | None = Field(None, max_length=256)
    model: str | None = Field(None, max_length=256)
    customer: str | None = Field(None, max_length=1_000, description="Only the prices of this customer's own.")


class PricePage(ReadingView):
    """One page of prices."""

    data: list[PriceView]
    next_cursor: str | None


class RefreshGiven(RequestBody):
    """The body of POST /v1/prices/refresh."""

    model_config = ConfigDict(json_schema_extra={"example": {"dry_run": True}})

    dry_run: bool = Field(False, description="Only tell what would change.")


class ListPriceView(BaseModel):
    """The list price of a model, as a release of the price library has it."""

    library: str
    versions: list[PriceVersionView]
    variants: list[PriceVariantView]
    minimums: list[MinimumView]


class PriceChangeView(BaseModel):
    """A model whose list price in the installed library differs from the one in effect."""

    provider: str
    model: str
    matched: str = Field(description="Provider and model of the library.")
    before: ListPriceView | None = Field(description="Null: the model had no list price.")
    after: ListPriceView


class RefreshView(BaseModel):
    """What a refresh of list prices changed, or would change."""

    dry_run: bool
    library: str = Field(description="The installed release of the price library.")
    checked: int = Field(description="Models that were looked up.")
    changed: int = Field(description="Models with another list price.")
    position: int | None = Field(description="Log position of the last price listed; null when there is none.")
    changes: list[PriceChangeView] = Field(description=f"The first {CHANGES_SHOWN_MAX} of the models that changed.")
