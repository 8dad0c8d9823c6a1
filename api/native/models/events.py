"""Queries, request bodies and responses of usage events."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from api.native.models.field_types import (
    AsOfPageQuery,
    AsOfQuery,
    DecimalText,
    Instant,
    InstantGiven,
    PositionedView,
    ReadingView,
    ReasonInBody,
    RequestBody,
)
from domain.usage.outcomes import Outcome
from projections.views.event_explanation import Because


class EventQuery(AsOfPageQuery):
    """Query parameters of GET /v1/events."""

    customer: str | None = Field(None, max_length=1_000)
    model: str | None = Field(None, max_length=256)
    status: Literal["succeeded", "failed", "pending"] | None = None
    tag: str | None = Field(None, max_length=256)
    type: str | None = Field(None, max_length=1_000)
    from_: str | None = Field(None, alias="from", description="Event time, inclusive: RFC 3339, or a UTC day.")
    to: str | None = Field(None, description="Event time, exclusive: RFC 3339, or a UTC day.")
    voided: bool = Field(False, description="Include voided events.")
    unmatched: bool | None = Field(
        None,
        description="True: only events without a meter or a subscription that they wait for. False: only the others.",
    )


class EventView(BaseModel):
    """A counted usage event."""

    source: str
    id: str
    type: str
    customer: str | None = Field(description="Null while its subscription has no customer at its time.")
    time: Instant
    recorded_at: Instant
    position: int = Field(description="Log position of the event.")
    provider: str | None
    model: str | None
    status: str | None
    input_tokens: int | None = Field(description="Null, like all tokens, when nothing was told of what was used.")
    cached_input_tokens: int | None
    cache_write_tokens: int | None
    output_tokens: int | None
    reasoning_tokens: int | None
    total_tokens: int | None
    units: dict[str, DecimalText] = Field(description="Quantities of other units, such as web_searches.")
    requests: int = Field(description="Number of requests that the event stands for.")
    cost_usd: DecimalText | None = Field(description="USD before markup; null when there is none or it is unknown.")
    cost_origin: Literal["producer", "price", "unknown", "none"]
    voided: bool
    unmatched: bool = Field(description="Whether the event waits for a meter or a subscription.")
    unmatched_reason: str | None = Field(
        description="no_subscription: it has the customer of its subscription, which has none at its time. no_meter: "
        "no meter measures its type."
    )
    subscription: str | None
    parent_request: str | None
    hold_id: str | None
    latency_ms: DecimalText | None = Field(description="Milliseconds.")
    ttft_ms: DecimalText | None = Field(description="Milliseconds to the first token.")
    tags: list[str]
    properties: dict[str, Any]
    extensions: dict[str, Any] = Field(description="CloudEvents extension attributes.")


class EventPage(ReadingView):
    """One page of usage events."""

    data: list[EventView]
    next_cursor: str | None


class IdentityQuery(AsOfQuery):
    """The identity of an event, in a query."""

    source: str = Field(min_length=1, max_length=1_000)
    id: str = Field(min_length=1, max_length=1_000)


class RejectedQuery(AsOfPageQuery):
    """Query parameters of GET /v1/rejected."""

    outcome: Literal["rejected", "conflict", "duplicate", "withdrawn"] = Field(
        "rejected", description="The outcome to list."
    )
    reason: str | None = Field(None, max_length=200)


class DifferenceView(BaseModel):
    """A member in which two events with the same identity differ."""

    member: str = Field(description="The path of the member, joined by dots.", examples=["data.input_tokens"])
    counted: str | None = Field(description="JSON text of what the counted event has there; null when it has none.")
    received: str | None = Field(description="The same of the event that was not counted.")


class RefusedView(BaseModel):
    """A received event that was not counted."""

    source: str | None
    id: str | None
    customer: str | None
    type: str | None
    outcome: Outcome
    reason: str | None
    detail: str | None = Field(
        description="Of a rejected event, the field and the rule that it breaks; of a withdrawn one, the backfill."
    )
    position: int
    recorded_at: Instant
    stream: str = Field(description="Source stream of the event in the log.")
    original: str | None = Field(
        None,
        description="The first 64 KiB of a rejected event as it was sent, as text. Of a conflict, what it said: JSON "
        "text rebuilt from the log, in canonical form.",
    )
    counted: str | None = Field(
        None,
        description="Of a conflict, what the event counted before it said, in the version in effect then; as "
        "`original`.",
    )
    differences: list[DifferenceView] | None = Field(
        None,
        description="Of a conflict, the members that differ. Empty when they differ only in what the log does not "
        "keep, such as digits of a cost beyond the twelfth decimal. What an event says of its customer (Respan) is "
        "below `facts`, by native names. Null for any other outcome.",
    )


class RefusedPage(ReadingView):
    """One page of received events that were not counted."""

    data: list[RefusedView]
    next_cursor: str | None


class IdentityGiven(RequestBody):
    """The identity of an event, in a body, and the reason for what is done to it."""

    source: str = Field(description="`source` of the event.", examples=["gateway-1"])
    id: str = Field(description="`id` of the event.", examples=["req-123"])
    reason: ReasonInBody = Field(None, examples=["billed twice by mistake"])


class AmendmentGiven(IdentityGiven):
    """The body of amending an event: what is to change. Its source, id and type cannot."""

    customer: str | None = Field(None, description="The customer that the event belongs to.")
    time: InstantGiven = Field(None, description="When the usage was, RFC 3339.")
    data: dict[str, Any] = Field(
        default_factory=dict,
        description="Members of `data` to set; null removes one, and `units` merges by unit.",
        examples=[{"input_tokens": 1200, "cost_usd": "0.015"}],
    )


class ChangeView(BaseModel):
    """A member that an amendment changed."""

    member: str = Field(description="The path of the member, joined by dots.", examples=["data.input_tokens"])
    before: str | None = Field(description="JSON text of what the event had there; null when it had none.")
    after: str | None = Field(description="The same of the amended event.")


class CorrectionView(BaseModel):
    """One void of an event, its removal, or an amendment; or what a correction run did about it."""

    kind: Literal["voided", "restored", "amended", "reverted"]
    position: int
    recorded_at: Instant
    actor: str = Field(description="Id of the API key that made the change.")
    reason: str | None
    changed: list[ChangeView] | None = Field(
        None, description="Of each of the last 100 amendments, the members that it changed."
    )
    run: str | None = Field(None, description="The correction run that voided or restored it, or was reverted.")


class RunView(BaseModel):
    """A re-pricing or correction run that changed an event, or a backfill that made it count."""

    name: str
    actor: str = Field(description="Id of the API key that committed or reverted it.")
    reason: str | None


class VersionView(BaseModel):
    """A version of an event that is or was in effect."""

    because: Because = Field(
        description="Why it was opened: the event was counted, moved to another customer of its subscription, amended, "
        "or restored after a void, its unknown cost became known, or a named run priced it again or was reverted; a "
        "backfill loaded it, or was reverted, so that it counts again."
    )
    run: RunView | None = Field(
        description="The run that priced it again, restored it or was reverted; the backfill likewise."
    )
    counted_at: int = Field(description="Log position from which it is in effect.")
    closed_at: int | None = Field(description="Log position from which it is not; null when it is in effect.")
    customer: str | None = Field(description="Null while its subscription had no customer at its time.")
    time: Instant
    provider: str | None
    model: str | None
    status: str | None
    input_tokens: int | None = Field(description="Null, like all tokens, when nothing was told of what was used.")
    cached_input_tokens: int | None
    cache_write_tokens: int | None
    output_tokens: int | None
    reasoning_tokens: int | None
    total_tokens: int | None
    units: dict[str, DecimalText]
    requests: int
    cost_usd: DecimalText | None
    cost_origin: Literal["producer", "price", "unknown", "none"]


class CorrectionResult(PositionedView):
    """Whether an event is voided, with all its corrections."""

    source: str
    id: str
    voided: bool
    corrections: list[CorrectionView] = Field(description="Oldest first; of more than 1,000 the last ones.")
    waits_for_event: bool = Field(
        description="Whether the void waits for its event, as none with this identity has been counted."
    )
