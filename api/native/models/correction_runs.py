"""Request bodies and responses of correction runs."""

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
from domain.correction_runs.event_filter import CUSTOMERS_MAX, NAMES_MAX

_ACTION = "What becomes of the events: `void` those that count, or `restore` those that are voided."
_CUSTOMERS = f"Ids of customers, at most {CUSTOMERS_MAX}; empty: all."
_SOURCES = f"Sources of events, at most {NAMES_MAX}; empty: all."
_MODELS = f"Models as events name them, at most {NAMES_MAX}; empty: all, and events without one."
_PROVIDERS = f"Providers as events name them, at most {NAMES_MAX}, empty text for events that name none; empty: all."
_TYPES = f"Types of events, at most {NAMES_MAX}; empty: all."
_TAGS = f"Tags, at most {NAMES_MAX}, of which an event has one or more; empty: any."


class CorrectionGiven(RequestBody):
    """The body of POST /v1/corrections: a name, an action, and a filter with at least one condition."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "test-key-of-march",
                "action": "void",
                "sources": ["load-test"],
                "from": "2026-03-01T00:00:00Z",
            }
        }
    )

    name: RunName = Field(description="A name that no other correction has, without control characters.")
    action: str = Field("void", description=_ACTION)
    customers: list[str] = Field([], description=_CUSTOMERS)
    sources: list[str] = Field([], description=_SOURCES)
    models: list[str] = Field([], description=_MODELS)
    providers: list[str] = Field([], description=_PROVIDERS)
    types: list[str] = Field([], description=_TYPES)
    tags: list[str] = Field([], description=_TAGS)
    from_: BoundGiven = Field(None, alias="from", description="Only events at or after it: RFC 3339, or a UTC day.")
    to: BoundGiven = Field(None, description="Only events before it: RFC 3339, or a UTC day.")
    recorded_from: BoundGiven = Field(None, description="Only events recorded at or after it, likewise.")
    recorded_to: BoundGiven = Field(None, description="Only events recorded before it, likewise.")


class CorrectionCommitGiven(RequestBody):
    """The body of POST /v1/corrections/{name}/commit."""

    model_config = ConfigDict(json_schema_extra={"example": {"previewed_at": 1234}})

    previewed_at: int = Field(
        description="`previewed_at` of the preview that is wanted: events that were counted, restored, amended or "
        "priced since are left alone."
    )


class CorrectionRunChangeView(BaseModel):
    """The commit of a correction, or its revert."""

    position: int = Field(description="Log position from which it holds.")
    recorded_at: Instant
    actor: str
    reason: str | None
    events: int = Field(description="Events that were voided or count again.")
    difference_usd: DecimalText = Field(description="What the cost of all usage grew by, before markup.")
    cost_unknown_events: int = Field(
        description="How many more events have an unknown cost, below 0 where fewer. They add nothing to "
        "`difference_usd`."
    )


class CorrectionRunView(ReadingView):
    """A correction run."""

    name: str
    state: Literal["open", "committed", "reverted"]
    action: Literal["void", "restore"] = Field(description=_ACTION)
    customers: list[str] = Field(description=_CUSTOMERS)
    sources: list[str] = Field(description=_SOURCES)
    models: list[str] = Field(description=_MODELS)
    providers: list[str] = Field(description=_PROVIDERS)
    types: list[str] = Field(description=_TYPES)
    tags: list[str] = Field(description=_TAGS)
    from_: Instant | None = Field(alias="from", serialization_alias="from")
    to: Instant | None
    recorded_from: Instant | None
    recorded_to: Instant | None
    opened_at: Instant
    actor: str
    reason: str | None
    previewed_at: int | None = Field(description="Log position of the preview that was committed.")
    committed: CorrectionRunChangeView | None
    reverted: CorrectionRunChangeView | None


class CorrectionPage(ReadingView):
    """One page of correction runs."""

    data: list[CorrectionRunView]
    next_cursor: str | None


class CorrectionPreviewQuery(AsOfPageQuery):
    """Query parameters of GET /v1/corrections/{name}/preview. `limit` counts customers."""


class CorrectedCountView(BaseModel):
    """A count before and after."""

    before: int
    after: int
    difference: int


class CorrectedCostsView(BaseModel):
    """Costs before and after."""

    before_usd: DecimalText
    after_usd: DecimalText
    difference_usd: DecimalText


class CorrectedPeriodView(BaseModel):
    """A usage period of a customer in which events would change. All numbers are those of the whole period."""

    customer: str
    life: int = Field(description="The life of the customer, numbered from 1.")
    start: Instant
    end: Instant
    events: int = Field(description="Events of any type that would be voided or count again.")
    requests: CorrectedCountView
    cost_usd: CorrectedCostsView = Field(description="Before markup.")
    reported_cost_usd: CorrectedCostsView = Field(description="With markup.")
    cost_unknown_events: CorrectedCountView


class CorrectionPreviewView(ReadingView):
    """What a correction would do; of one that was committed, what it was to do."""

    name: str
    state: Literal["open", "committed", "reverted"]
    action: Literal["void", "restore"]
    previewed_at: int = Field(description="Log position of the preview. Commit the run with it.")
    events: int = Field(description="Events in the filter, voided ones too.")
    changed_events: int = Field(description="Those of them that would be voided or count again.")
    changed_customers: int
    changed_requests: int = Field(description="Requests among the events that would change.")
    cost_unknown_events: int = Field(description="Events of unknown cost among those that would change.")
    difference_usd: DecimalText = Field(description="What the cost of all usage would grow by, before markup.")
    data: list[CorrectedPeriodView] = Field(description="By customer, then time.")
    next_cursor: str | None
