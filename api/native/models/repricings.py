"""Request bodies and responses of re-pricing runs."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from api.native.models.field_types import (
    AsOfPageQuery,
    BoundGiven,
    DecimalText,
    Instant,
    ReadingView,
    RequestBody,
    RunName,
)
from domain.repricings.repricing_range import CUSTOMERS_MAX, MODELS_MAX

_MODELS = f"Models as events name them, at most {MODELS_MAX}; empty: all."
_PROVIDER = "Provider as events name it, empty for events that name none. Null: any."
_CUSTOMERS = f"Ids of customers, at most {CUSTOMERS_MAX}; empty: all."
_GIVEN_COSTS = (
    "What becomes of costs that producers gave: `keep` all of them, or give events with a cost of 0 a price (`zeros`), "
    "those that a cache answered excepted."
)


class RepricingGiven(RequestBody):
    """The body of POST /v1/repricings: a name, and which events get the costs of the prices known."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"name": "wrong-price-of-march", "models": ["gpt-4o"], "from": "2026-03-01T00:00:00Z"}
        }
    )

    name: RunName = Field(description="A name that no other run has, without control characters.")
    models: list[str] = Field([], description=_MODELS)
    provider: str | None = Field(None, description=_PROVIDER)
    customers: list[str] = Field([], description=_CUSTOMERS)
    from_: BoundGiven = Field(None, alias="from", description="Only events at or after it: RFC 3339, or a UTC day.")
    to: BoundGiven = Field(None, description="Only events before it: RFC 3339, or a UTC day.")
    given_costs: str = Field("keep", description=_GIVEN_COSTS)


class CommitGiven(RequestBody):
    """The body of POST /v1/repricings/{name}/commit."""

    model_config = ConfigDict(json_schema_extra={"example": {"previewed_at": 1234}})

    previewed_at: int = Field(
        description="`previewed_at` of the preview that is wanted: its prices are applied, and events that were "
        "counted, corrected or priced since are left alone."
    )


class RepricingChangeView(BaseModel):
    """The commit of a run, or its revert."""

    position: int = Field(description="Log position from which the costs hold.")
    recorded_at: Instant
    actor: str
    reason: str | None
    events: int = Field(description="Events that got another cost.")
    difference_usd: DecimalText = Field(description="What their costs grew by, before markup.")


class RepricingView(ReadingView):
    """A re-pricing run."""

    name: str
    state: Literal["open", "committed", "reverted"]
    models: list[str] = Field(description=_MODELS)
    provider: str | None = Field(description=_PROVIDER)
    customers: list[str] = Field(description=_CUSTOMERS)
    from_: Instant | None = Field(alias="from", serialization_alias="from")
    to: Instant | None
    given_costs: Literal["keep", "zeros"]
    opened_at: Instant
    actor: str
    reason: str | None
    previewed_at: int | None = Field(description="Log position of the preview that was committed.")
    committed: RepricingChangeView | None
    reverted: RepricingChangeView | None


class RepricingPage(ReadingView):
    """One page of runs."""

    data: list[RepricingView]
    next_cursor: str | None


class PreviewQuery(AsOfPageQuery):
    """Query parameters of GET /v1/repricings/{name}/preview. `limit` counts customers."""


class RepricedCostsView(BaseModel):
    """Costs before and after, before markup."""

    before_usd: DecimalText
    after_usd: DecimalText
    difference_usd: DecimalText


class RepricedPeriodView(BaseModel):
    """A usage period of a customer in which events would get another cost."""

    customer: str
    life: int = Field(description="The life of the customer, numbered from 1.")
    start: Instant
    end: Instant
    events: int = Field(description="Events of the period that would get another cost.")
    cost_usd: RepricedCostsView = Field(description="The cost of all usage in the period, before markup.")
    reported_cost_usd: RepricedCostsView = Field(description="The same with markup.")


class RepricingPreviewView(ReadingView):
    """What a run would do; of a run that was committed, what it was to do."""

    name: str
    state: Literal["open", "committed", "reverted"]
    previewed_at: int = Field(description="Log position of the preview. Commit the run with it.")
    events: int = Field(description="Events in the range.")
    unpriced_events: int = Field(description="Those of them for which no price is known; they keep their cost.")
    changed_events: int = Field(description="Events that would get another cost.")
    changed_customers: int
    cost_usd: RepricedCostsView = Field(description="The costs of the events that would get another one.")
    data: list[RepricedPeriodView] = Field(description="By customer, then time.")
    next_cursor: str | None
