"""Queries and responses about what moved usage between two points of knowledge."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from api.http.reading import MOMENT_LENGTH_MAX
from api.native.models.field_types import AsOfPageQuery, Instant, PositionedView, ReadingView
from api.native.models.usage import Measures

CauseKind = Literal[
    "new",
    "late",
    "voided",
    "restored",
    "amended",
    "priced",
    "repriced",
    "corrected",
    "backfilled",
    "reverted",
    "moved",
    "changed",
    "markup",
    "period",
]


class DiffQuery(AsOfPageQuery):
    """Query parameters of GET /v1/diff."""

    since: str = Field(
        max_length=MOMENT_LENGTH_MAX,
        description="The earlier point of knowledge: an RFC 3339 instant, a day, or a log position. The later one is "
        "`as_of`, by default what is known now.",
        examples=["2026-04-01T01:00:00Z", "1234"],
    )
    customer: str | None = Field(None, max_length=1_000, description="Only this customer. Default: all customers.")
    from_: str | None = Field(
        None,
        alias="from",
        description="Event time, inclusive; RFC 3339 or a day. Default: start of the current usage period, over all "
        "customers of this UTC month.",
    )
    to: str | None = Field(None, description="Event time, exclusive; RFC 3339 or a day. Default: now.")
    period_of: str | None = Field(
        None,
        max_length=MOMENT_LENGTH_MAX,
        description="In place of `from` and `to`: the usage period that contains this moment, with the bounds known at "
        "each point. An instant, or a day or month, which stand for their beginning. Over all customers, the UTC "
        "month.",
        examples=["2026-03"],
    )


class KnownUsageView(PositionedView):
    """Usage as known at a log position."""

    recorded_at: Instant | None = Field(
        description="When the tenant's last log record known then was recorded; null where there was none."
    )
    start: Instant
    end: Instant
    usage: Measures


class CauseSumView(BaseModel):
    """What all causes of one kind moved together."""

    kind: CauseKind
    run: str | None = Field(description="The re-pricing run that it was a step of; only the last 100 are told apart.")
    events: int | None = Field(description="How many events changed; null for facts.")
    moved: Measures


class ChangedEventView(BaseModel):
    """The event that a cause is about."""

    source: str
    id: str
    time: Instant


class CauseFactView(BaseModel):
    """The fact that a cause is about."""

    kind: str = Field(examples=["customer.updated"])
    effective_at: Instant
    fields: dict[str, Any] = Field(
        description="The fields of its kind of cause that it set; null for a field that was cleared."
    )


class CauseView(BaseModel):
    """What one log record moved."""

    kind: CauseKind = Field(
        description="`new` and `late` events were counted since; late ones have a time before `recorded_at` of "
        "`before`. `voided`, `restored`, `amended`: corrections. `priced`: a price became known. `repriced`, "
        "`reverted`: by a re-pricing run. `moved`: a subscription told the customer of the event. `changed`: anything "
        "else that changed an event. `markup`: the markup in effect at the time of usage changed. `period`: the bounds "
        "of the period moved."
    )
    position: int = Field(description="Log position from which it holds.")
    recorded_at: Instant
    customer: str | None = Field(description="Null for an event that has no customer yet.")
    event: ChangedEventView | None
    fact: CauseFactView | None
    run: str | None = Field(description="The re-pricing run that it was a step of.")
    actor: str | None = Field(description="Who made the change; null for events that were counted.")
    reason: str | None
    moved: Measures


class DiffView(ReadingView):
    """What moved usage between two points of knowledge.

    The sums of `by_kind` add up to `difference`, and so do the causes of all pages.
    """

    customer: str | None
    before: KnownUsageView
    after: KnownUsageView
    difference: Measures = Field(description="`after` minus `before`.")
    by_kind: list[CauseSumView]
    data: list[CauseView] = Field(
        description="Causes in log order. Facts that moved nothing are left out, so that a page may be short."
    )
    next_cursor: str | None
