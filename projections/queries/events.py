"""Usage events one by one: filters and orders to ask with, and the rows of the answers."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

import msgspec

from domain.usage.outcomes import Outcome

CostOrigin = Literal["producer", "price", "unknown", "none"]


class UsageEventRow(msgspec.Struct, frozen=True):
    """One counted event in the version that holds at the snapshot (or the last version, when voided)."""

    locator: int
    source: str
    id: str
    type: str
    customer_id: str
    time: datetime
    recorded_at: datetime
    provider: str | None
    model: str | None
    status: str | None
    input_tokens: int
    cached_input_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cost_usd: Decimal | None
    cost_origin: CostOrigin
    price_position: int | None
    voided: bool
    subscription: str | None
    parent_request: str | None
    hold_id: str | None
    latency_us: int | None
    ttft_us: int | None
    tags: tuple[str, ...]
    properties: dict[str, Any]
    extensions: dict[str, Any]
    content: int


class OutcomeRow(msgspec.Struct, frozen=True):
    """One received event that was not counted."""

    locator: int
    source: str | None
    id: str | None
    customer_id: str | None
    type: str | None
    outcome: Outcome
    reason: str | None
    detail: str | None
    first_locator: int | None
    content: int | None
    recorded_at: datetime
    stream: str
    raw: bytes | None


class EventFilter(msgspec.Struct, frozen=True):
    """Which counted events; all conditions hold together. Newest first by (time, locator)."""

    customer_id: str | None = None
    model: str | None = None
    status: str | None = None
    tag: str | None = None
    type: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    include_voided: bool = False


EventOrder = Literal["time", "ended_at", "reported_cost_usd", "total_tokens"]


class EventQuestion(msgspec.Struct, frozen=True):
    """Counted events that are not voided, in an order; ties go by locator, in the same direction.

    `properties`: (dotted path, text) as in `UsageQuestion`. `known_as`: (dotted path, text); the text at this path, or
    the event's id where its data have none there. Reported cost is raw cost with the markup valid at the event's
    time, 0 where there is no cost; bounds are inclusive. An event ends after its latency.
    """

    where: EventFilter
    order: EventOrder = "time"
    descending: bool = True
    properties: tuple[tuple[str, str], ...] = ()
    known_as: tuple[str, str] | None = None
    reported_min_usd: Decimal | None = None
    reported_max_usd: Decimal | None = None


class MarkedEvent(msgspec.Struct, frozen=True):
    """An event and the markup that was valid for its customer at its time."""

    event: UsageEventRow
    markup_percentage: Decimal


class EventPage(msgspec.Struct, frozen=True):
    """Some of the events that a question asks for, and how many there are in all."""

    total: int
    events: tuple[MarkedEvent, ...]


class CorrectionRecord(msgspec.Struct, frozen=True):
    kind: Literal["usage.voided", "usage.restored"]
    position: int
    recorded_at: datetime
    actor: str
    reason: str | None


class RowSpan(msgspec.Struct, frozen=True):
    """Rows [start, end) of the block at `position`: where a request's events went."""

    position: int
    start: int
    end: int
