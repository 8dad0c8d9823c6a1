"""Request bodies and responses of backfills."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from api.native.models.field_types import DecimalText, Instant, ReadingView, RequestBody, RunName
from domain.backfills.backfill_range import CUSTOMERS_MAX, SOURCES_MAX

_CUSTOMERS = f"Ids of customers, at most {CUSTOMERS_MAX}; empty: all."
_SOURCES = f"`source` of events, at most {SOURCES_MAX}; empty: all."
_MODE = (
    "`add`: what is loaded joins the events that count. `replace`: the events of the range that count are withdrawn, "
    "and what is loaded takes their place."
)


class BackfillGiven(RequestBody):
    """The body of POST /v1/backfills: a name, and which events can be loaded."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "lost-on-march-3",
                "from": "2026-03-03T08:00:00Z",
                "to": "2026-03-03T14:00:00Z",
                "mode": "add",
            }
        }
    )

    name: RunName = Field(description="A name that no other backfill has, without control characters.")
    from_: str = Field(
        alias="from",
        description="The time of the first event of the range: RFC 3339, or a UTC day.",
        examples=["2026-03-03T08:00:00Z", "2026-03-03"],
    )
    to: str = Field(
        description="The range ends before this time: RFC 3339, or a UTC day.",
        examples=["2026-03-03T14:00:00Z", "2026-03-04"],
    )
    customers: list[str] = Field([], description=_CUSTOMERS)
    sources: list[str] = Field([], description=_SOURCES)
    mode: str = Field("add", description=_MODE)


class BackfillCommitGiven(RequestBody):
    """The body of POST /v1/backfills/{name}/commit."""

    model_config = ConfigDict(json_schema_extra={"example": {"previewed_at": 1234}})

    previewed_at: int = Field(
        description="`previewed_at` of the preview that is wanted. Events that counted in the range only after it are "
        "not withdrawn; 409 when events were loaded since."
    )


class BackfillStepView(BaseModel):
    """What was done to a backfill."""

    position: int = Field(description="Log position from which it holds.")
    recorded_at: Instant
    actor: str = Field(description="Id of the API key that did it.")
    reason: str | None


class BackfillChangeView(BackfillStepView):
    """The commit of a backfill, or its revert: what it changed all at once."""

    counted: int = Field(description="How many events more count since; below 0 where fewer do.")
    duplicate: int = Field(description="How many more are duplicates.")
    conflict: int = Field(description="How many more are in conflict with another event.")
    withdrawn: int = Field(description="How many more are withdrawn.")
    difference_usd: DecimalText = Field(description="What the cost of counted usage grew by, before markup.")
    cost_unknown_events: int = Field(
        description="How many more events have an unknown cost, below 0 where fewer. They add nothing to "
        "`difference_usd`."
    )


class BackfillView(ReadingView):
    """A backfill."""

    name: str
    state: Literal["open", "committed", "reverted", "cancelled"]
    mode: Literal["add", "replace"] = Field(description=_MODE)
    from_: Instant = Field(alias="from", serialization_alias="from")
    to: Instant
    customers: list[str] = Field(description=_CUSTOMERS)
    sources: list[str] = Field(description=_SOURCES)
    opened_at: Instant
    actor: str = Field(description="Id of the API key that opened it.")
    reason: str | None
    loaded_blocks: int = Field(description="Blocks of the log that hold what was loaded.")
    loaded_events: int = Field(description="Events that were loaded and keep the rules; the same one twice is two.")
    rejected_events: int = Field(description="Events that were sent to it and rejected: see GET /v1/rejected.")
    previewed_at: int | None = Field(description="Log position of the preview that was committed.")
    committed: BackfillChangeView | None
    reverted: BackfillChangeView | None
    cancelled: BackfillStepView | None


class BackfillStatusView(BackfillView):
    """A backfill, with what arrived in its range since."""

    late_events: int = Field(
        description="Events in the range that came one by one, not loaded, after the preview that was committed (of an "
        "open backfill, after its opening). They count beside what was loaded."
    )


class BackfillPage(ReadingView):
    """One page of backfills."""

    data: list[BackfillView]
    next_cursor: str | None
