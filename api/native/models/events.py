"""Usage events: what became of them, and how they look."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from api.native.models.field_types import DecimalText, Given, Instant, PageQuery, PositionOnly, Reading
from domain.usage.outcomes import Outcome


class OutcomeCountsView(BaseModel):
    counted: int
    duplicate: int = Field(description="Same identity and same content as one that stands; applies nothing.")
    conflict: int = Field(description="Same identity, other content; the first one stands.")
    rejected: int


class OutcomeView(BaseModel):
    source: str | None
    id: str | None
    outcome: Outcome
    reason: str | None = None
    detail: str | None = Field(None, description="Of a rejected event: which field breaks which rule.")


class ReceiptView(PositionOnly):
    """What became of the events of one request."""

    counts: OutcomeCountsView
    outcomes: list[OutcomeView] = Field(description="Everything that was not counted, in order.")
    outcomes_truncated: bool = Field(False, description="Whether there are more than are listed; see GET /v1/rejected.")


class EventQuery(PageQuery):
    customer: str | None = Field(None, max_length=1_000)
    model: str | None = Field(None, max_length=256)
    status: Literal["succeeded", "failed", "pending"] | None = None
    tag: str | None = Field(None, max_length=256)
    type: str | None = Field(None, max_length=1_000)
    from_: str | None = Field(None, alias="from", description="Event time, inclusive.")
    to: str | None = Field(None, description="Event time, exclusive.")
    voided: bool = Field(False, description="Show voided events too.")
    unmatched: bool | None = Field(
        None, description="Only events that feed no meter (true), or only those that do (false)."
    )


class EventView(BaseModel):
    source: str
    id: str
    type: str
    customer: str
    time: Instant
    recorded_at: Instant
    position: int = Field(description="Log position it arrived at.")
    provider: str | None
    model: str | None
    status: str | None
    input_tokens: int
    cached_input_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    total_tokens: int
    cost_usd: DecimalText | None = Field(description="USD before markup; null when there is none or it is unknown.")
    cost_origin: Literal["producer", "price", "unknown", "none"]
    voided: bool
    unmatched: bool = Field(description="Whether it feeds no meter yet.")
    unmatched_reason: str | None
    subscription: str | None
    parent_request: str | None
    hold_id: str | None
    latency_ms: DecimalText | None = Field(description="Milliseconds.")
    ttft_ms: DecimalText | None = Field(description="Milliseconds until the first token.")
    tags: list[str]
    properties: dict[str, Any]
    extensions: dict[str, Any] = Field(description="Other CloudEvents attributes.")


class EventPage(PositionOnly):
    data: list[EventView]
    next_cursor: str | None


class IdentityQuery(Reading):
    source: str = Field(min_length=1, max_length=1_000)
    id: str = Field(min_length=1, max_length=1_000)


class RejectedQuery(PageQuery):
    outcome: Literal["rejected", "conflict", "duplicate"] = Field("rejected", description="Which outcome to list.")
    reason: str | None = Field(None, max_length=200)


class RefusedView(BaseModel):
    """A received event that was not counted."""

    source: str | None
    id: str | None
    customer: str | None
    type: str | None
    outcome: Outcome
    reason: str | None
    detail: str | None
    position: int
    recorded_at: Instant
    stream: str = Field(description="The stream of its source in the log.")
    original: str | None = Field(None, description="The first 64 KiB of a rejected original, as text.")


class RefusedPage(PositionOnly):
    data: list[RefusedView]
    next_cursor: str | None


class IdentityGiven(Given):
    source: str = Field(description="`source` of the event.", examples=["gateway-1"])
    id: str = Field(description="`id` of the event.", examples=["req-123"])
    reason: str | None = Field(None, max_length=1_000, examples=["billed twice by mistake"])


class CorrectionView(BaseModel):
    kind: Literal["voided", "restored"]
    position: int
    recorded_at: Instant
    actor: str = Field(description="Key id of who did it.")
    reason: str | None


class CorrectionResult(PositionOnly):
    source: str
    id: str
    voided: bool
    corrections: list[CorrectionView]
