"""Queries for single usage events, and the rows that a snapshot returns for them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal

import msgspec

from domain.usage.amending.amended_event import MemberChange
from domain.usage.outcomes import EventOutcome, Outcome, OutcomeCounts

#: The events that were not counted of which a receipt tells at most.
RECEIPT_OUTCOMES_MAX: Final = 10_000
#: The corrections of one event that are told at most, and the amendments among them with what they changed: the last.
CORRECTIONS_MAX: Final = 1_000
CHANGES_TOLD_MAX: Final = 100
CostOrigin = Literal["producer", "price", "unknown", "none"]


class UsageEventRow(msgspec.Struct, frozen=True):
    """A counted event in the version valid at the snapshot's position, or in its last version when it is voided.

    `units`: quantities by unit, of units without a column of their own. `quantities_unknown`: nothing was told of what
    it used, and the tokens are 0 for that reason. `price_context`: the members that choose a price.
    `discount_positions`: log positions of the discounts on the price, the customer's first. `counted_at` and
    `closed_at`: the log positions from which the version is in effect, and from which it is not (None: it is).
    `repriced_at`: that of the re-pricing that gave the cost.
    """

    locator: int
    source: str
    id: str
    type: str
    customer_id: str | None
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
    units: dict[str, Decimal]
    requests: int
    quantities_unknown: bool
    price_context: dict[str, str]
    discount_positions: tuple[int, ...]
    counted_at: int
    closed_at: int | None
    repriced_at: int | None


class OutcomeRow(msgspec.Struct, frozen=True):
    """A received event that was not counted: a duplicate, a conflict or a rejected one."""

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


class EventLocation(msgspec.Struct, frozen=True):
    """Where the rows of a counted event are: its locator, its customer (None: none yet), and its time (naive UTC)."""

    locator: int
    customer_id: str | None
    time: datetime


class MemberIn(msgspec.Struct, frozen=True):
    """The condition that the data of an event have one of these texts at one of these dotted paths.

    The paths must name properties: members that have a field of their own in `UsageEventRow` are not found.
    """

    paths: tuple[str, ...]
    texts: tuple[str, ...]


class EventFilter(msgspec.Struct, frozen=True):
    """Conditions on counted events, combined with AND. Results are newest first by (time, locator).

    `statuses` and `tags`: one of them is enough; empty: any. `roots_only`: events without a parent. `source_prefix`:
    what the source begins with.
    """

    customer_id: str | None = None
    model: str | None = None
    status: str | None = None
    tag: str | None = None
    type: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    include_voided: bool = False
    statuses: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    roots_only: bool = False
    parent_request: str | None = None
    members: tuple[MemberIn, ...] = ()
    event_id: str | None = None
    source: str | None = None
    source_prefix: str | None = None


EventOrder = Literal["time", "ended_at", "reported_cost_usd", "total_tokens"]


class EventQuestion(msgspec.Struct, frozen=True):
    """Counted events that are not voided, sorted by `order`; ties are sorted by locator, in the same direction.

    `properties`: (dotted path, text) as in `UsageQuestion`. `known_as`: (dotted path, text); events whose text at this
    path, or whose id where their data have nothing there, equals the text. The bounds of the reported cost (raw cost
    with the markup valid at the event's time, 0 without a cost) are inclusive. `ended_at` is time plus latency.
    """

    where: EventFilter
    order: EventOrder = "time"
    descending: bool = True
    properties: tuple[tuple[str, str], ...] = ()
    known_as: tuple[str, str] | None = None
    reported_min_usd: Decimal | None = None
    reported_max_usd: Decimal | None = None


class EventWithMarkup(msgspec.Struct, frozen=True):
    """An event and the markup valid for its customer at the time of the event."""

    event: UsageEventRow
    markup_percentage: Decimal


class EventPage(msgspec.Struct, frozen=True):
    """One page of the events that match a question, and the total number of matches."""

    total: int
    events: tuple[EventWithMarkup, ...]


class CorrectionRecord(msgspec.Struct, frozen=True):
    """A void of a usage event, the restoration of a voided one, or an amendment; or what a correction run did.

    `changed`: of the last `CHANGES_TOLD_MAX` amendments of an event, the members that each changed. `run`: the name of
    the correction run that voided, restored or amended the event, or was reverted; `amends`: it is one that amends.
    """

    kind: Literal["usage.voided", "usage.restored", "usage.amended", "correction_run.reverted"]
    position: int
    recorded_at: datetime
    actor: str
    reason: str | None
    changed: tuple[MemberChange, ...] | None = None
    run: str | None = None
    amends: bool = False


class IdentityHistory(msgspec.Struct, frozen=True):
    """Deliveries of an identity that were not counted, and its last corrections, each oldest first."""

    refusals: tuple[OutcomeRow, ...] = ()
    corrections: tuple[CorrectionRecord, ...] = ()


class RowSpan(msgspec.Struct, frozen=True):
    """Rows [start, end) of the usage block at a log position: where the events of a request are stored."""

    position: int
    start: int
    end: int


class Receipt(msgspec.Struct, frozen=True):
    """The outcomes of the events of one request: counts, and the first `shown` events that were not counted, in order.

    These are kept as they are written, a JSON array with the members of `EventOutcome`.
    """

    counts: OutcomeCounts
    shown: int
    outcomes_json: bytes

    @property
    def is_truncated(self) -> bool:
        """Whether more events were not counted than are shown."""
        return self.shown < self.counts.received - self.counts.counted

    def outcomes(self) -> list[EventOutcome]:
        """The events that are shown."""
        return msgspec.json.decode(self.outcomes_json, type=list[EventOutcome])
