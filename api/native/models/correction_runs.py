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
from domain.correction_runs.set_members import SET_TAGS_MAX

_ACTION = (
    "What becomes of the events: `void` those that count, `restore` those that are voided, or `amend` all of them."
)
_CUSTOMERS = f"Ids of customers, at most {CUSTOMERS_MAX}; empty: all."
_SOURCES = f"Sources of events, at most {NAMES_MAX}; empty: all."
_MODELS = f"Models as events name them, at most {NAMES_MAX}; empty: all, and events without one."
_PROVIDERS = f"Providers as events name them, at most {NAMES_MAX}, empty text for events that name none; empty: all."
_TYPES = f"Types of events, at most {NAMES_MAX}; empty: all."
_TAGS = f"Tags, at most {NAMES_MAX}, of which an event has one or more; empty: any."


_SET_MODEL = "The model of requests from then on."
_SET_PROVIDER = "The provider of requests from then on; empty text: none."
_SET_CUSTOMER = "The customer of events from then on. Events that have the customer of their subscription keep it."
_ADD_TAGS = f"Tags that each event has from then on beside its others, at most {SET_TAGS_MAX}."
_REMOVE_TAGS = f"Tags that no event has from then on, at most {SET_TAGS_MAX}."


class MembersGiven(RequestBody):
    """What a correction sets that amends: at least one member."""

    model: str | None = Field(None, description=_SET_MODEL)
    provider: str | None = Field(None, description=_SET_PROVIDER)
    customer: str | None = Field(None, description=_SET_CUSTOMER)
    add_tags: list[str] = Field([], description=_ADD_TAGS)
    remove_tags: list[str] = Field([], description=_REMOVE_TAGS)


class MembersView(BaseModel):
    """What a correction sets that amends; null or empty: it stays as it is."""

    model: str | None = Field(description=_SET_MODEL)
    provider: str | None = Field(description=_SET_PROVIDER)
    customer: str | None = Field(description=_SET_CUSTOMER)
    add_tags: list[str] = Field(description=_ADD_TAGS)
    remove_tags: list[str] = Field(description=_REMOVE_TAGS)


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
    set_: MembersGiven | None = Field(None, alias="set", description="What `amend` sets; absent of other actions.")
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
    events: int = Field(description="Events that were voided, count again or were amended.")
    difference_usd: DecimalText = Field(description="What the cost of all usage grew by, before markup.")
    cost_unknown_events: int = Field(
        description="How many more events have an unknown cost, below 0 where fewer. They add nothing to "
        "`difference_usd`."
    )


class CorrectionRunView(ReadingView):
    """A correction run."""

    name: str
    state: Literal["open", "committed", "reverted"]
    action: Literal["void", "restore", "amend"] = Field(description=_ACTION)
    set_: MembersView | None = Field(alias="set", serialization_alias="set", description="What `amend` sets.")
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
    events: int = Field(description="Events of any type that would be voided, count again or be amended.")
    requests: CorrectedCountView
    cost_usd: CorrectedCostsView = Field(description="Before markup.")
    reported_cost_usd: CorrectedCostsView = Field(description="With markup.")
    cost_unknown_events: CorrectedCountView


class CorrectionPreviewView(ReadingView):
    """What a correction would do; of one that was committed, what it was to do."""

    name: str
    state: Literal["open", "committed", "reverted"]
    action: Literal["void", "restore", "amend"]
    previewed_at: int = Field(description="Log position of the preview. Commit the run with it.")
    events: int = Field(description="Events in the filter, voided ones too.")
    changed_events: int = Field(
        description="Those of them that would be voided, count again, or be amended, voided ones too."
    )
    changed_customers: int
    changed_requests: int = Field(description="Requests among the events that would change.")
    cost_unknown_events: int = Field(description="Events of unknown cost among those that would change.")
    difference_usd: DecimalText = Field(description="What the cost of all usage would grow by, before markup.")
    data: list[CorrectedPeriodView] = Field(description="By customer, then time.")
    next_cursor: str | None
