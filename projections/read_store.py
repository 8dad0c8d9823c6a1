"""The one query interface over read models. DuckDB implements it; every implementation passes one conformance suite.

A `Snapshot` sees the store at exactly one log position, for as long as it is open. Queries answer plain values:
raw cost, never markup, never rounding. What is derived (periods, lives, reported cost, budgets) is computed from these
by the pure modules beside this one (customers, current_usage, past_usage, budget_state, request_log).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal, Protocol

import msgspec

from domain.log.lifecycle_events import PriceVersion
from domain.money import MONEY
from domain.outcomes import EventOutcome, Outcome, OutcomeCounts
from domain.scope import Scope

PAGE_ROWS_MAX: Final = 1_000
WINDOWS_MAX: Final = 100_000
GROUPS_MAX: Final = 100_000

CostOrigin = Literal["producer", "price", "unknown", "none"]


class LogPoint(msgspec.Struct, frozen=True):
    """A log position and the running maximum of recorded times up to it (None: the log is empty)."""

    position: int
    recorded_at: datetime | None


class Fact(msgspec.Struct, frozen=True):
    """One lifecycle fact, as the log tells it. `kind` is its topic ("customer.updated");
    `fields` as in its event, personal ones decrypted.
    """

    position: int
    effective_at: datetime
    recorded_at: datetime
    kind: str
    fields: dict[str, Any]
    actor: str
    dialect: str
    reason: str | None


class CustomerRecord(msgspec.Struct, frozen=True):
    """What the store knows of a customer id: when it was first seen by usage (None: never), and its facts in log
    order.
    """

    customer_id: str
    first_position: int
    first_event_at: datetime | None  # least event time of usage ever counted for it
    last_event_at: datetime | None
    facts: tuple[Fact, ...]


class UsageSums(msgspec.Struct, frozen=True):
    """What adds up. Token and cost sums and `requests` are over events of type llm.request or any other type alike;
    `requests` counts events. `cost_usd` is raw and excludes events of unknown cost, which are counted beside it."""

    requests: int = 0
    input_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cost_usd: Decimal = Decimal(0)
    cost_unknown_events: int = 0

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    def plus(self, other: UsageSums) -> UsageSums:
        return UsageSums(
            self.requests + other.requests,
            self.input_tokens + other.input_tokens,
            self.cached_input_tokens + other.cached_input_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
            self.output_tokens + other.output_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            MONEY.add(self.cost_usd, other.cost_usd),
            self.cost_unknown_events + other.cost_unknown_events,
        )


class Segment(msgspec.Struct, frozen=True):
    """A piece of event time [start, end) that is summed on its own.

    Segments of one query never overlap and come in order.
    """

    start: datetime
    end: datetime


class CustomerSpan(msgspec.Struct, frozen=True):
    """A stretch of event time [start, end) of one customer."""

    customer_id: str
    start: datetime
    end: datetime


#: What usage can be grouped by beside "customer". "property:<path>" is a dotted path into the event's data.
GROUP_COLUMNS: Final = ("type", "provider", "model", "status", "source", "subscription", "tag")


class UsageQuestion(msgspec.Struct, frozen=True):
    """Sums over segments. `customer_id` None: all customers of the scope. `event_types` None: llm.request only.

    `as_of` None: as known at the snapshot's position, from rollups and edge rows; else as known at that position,
    from rows.
    `split_markup`: also split every customer at the instants its own markup changes, and answer `markup_percentage`
    per sum. `properties`: (dotted path, text); only events whose data hold all of these texts, read from rows.
    """

    segments: tuple[Segment, ...]
    customer_id: str | None = None
    group_by: tuple[str, ...] = ()  # "customer", GROUP_COLUMNS, "property:..."
    event_types: tuple[str, ...] | None = None
    models: tuple[str, ...] | None = None
    as_of: int | None = None
    split_markup: bool = False
    properties: tuple[tuple[str, str], ...] = ()


class UsageSum(msgspec.Struct, frozen=True):
    """One sum: of which segment (index), of which group (values in the order of `group_by`), at which markup."""

    segment: int
    group: tuple[str | None, ...]
    sums: UsageSums
    markup_percentage: Decimal = Decimal(0)


Aggregation = Literal["count", "sum", "max", "min", "latest", "unique_count"]


class MeterQuestion(msgspec.Struct, frozen=True):
    """A custom meter over segments: events of `event_type`, the value at the dotted path `value_property` of their
    data.

    Values are JSON numbers or numeric strings with at most 38 digits; anything else is not a value and is left out.
    `latest` is the value of the greatest (time, content) with a valid value. `unique_count` counts distinct JSON
    values (text form).
    """

    segments: tuple[Segment, ...]
    event_type: str
    aggregation: Aggregation
    value_property: str | None
    customer_id: str | None = None
    group_by: tuple[str, ...] = ()
    as_of: int | None = None


class MeterValue(msgspec.Struct, frozen=True):
    segment: int
    group: tuple[str | None, ...]
    value: Decimal | None  # None: no valid value in there (never for count, sum and unique_count of existing rows)


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


class ApiKeyRecord(msgspec.Struct, frozen=True):
    key_id: str
    scope: Scope
    scopes: tuple[str, ...]
    prefix: str
    secret_hash: str
    name: str | None
    issued_at: datetime
    revoked_at: datetime | None


class PriceRecord(msgspec.Struct, frozen=True):
    """`scope` None: a list price."""

    position: int
    scope: Scope | None
    provider: str
    model: str
    versions: tuple[PriceVersion, ...]
    library: str | None
    recorded_at: datetime
    actor: str


class CorrectionRecord(msgspec.Struct, frozen=True):
    kind: Literal["usage.voided", "usage.restored"]
    position: int
    recorded_at: datetime
    actor: str
    reason: str | None


class SourceCounts(msgspec.Struct, frozen=True):
    """Outcome counts of one stream of usage in one scope."""

    stream: str
    counts: OutcomeCounts


class SourceRecord(msgspec.Struct, frozen=True):
    """How far a partition of a Kafka topic was read: `next_offset` is the one to go on from. `records_lost` had gone
    before they were read, `commands_refused` broke a rule. `position` and `recorded_at` are those of its last record.
    """

    stream: str
    topic: str
    partition: int
    next_offset: int
    records_lost: int
    commands_refused: int
    position: int
    recorded_at: datetime


class RowSpan(msgspec.Struct, frozen=True):
    """Rows [start, end) of the block at `position`: where a request's events went."""

    position: int
    start: int
    end: int


class Snapshot(Protocol):
    """Consistent reads at one position. Pages: `after` is the cursor of the last row seen (exclusive), `limit` <=
    PAGE_ROWS_MAX.
    """

    def point(self) -> LogPoint: ...

    def position_at(self, instant: datetime) -> int:
        """The last position whose effective recorded time is < `instant`; 0 when there is none."""

    def customer(self, scope: Scope, customer_id: str) -> CustomerRecord | None: ...

    def customers(self, scope: Scope, after: str | None, limit: int, prefix: str | None = None) -> list[CustomerRecord]:
        """In ascending order of customer_id (binary collation)."""

    def customers_ever_deactivated(self, scope: Scope) -> list[CustomerRecord]:
        """Every customer that was deactivated at some time, reactivated since or not; without when it was seen."""

    def customer_page(self, scope: Scope, offset: int, limit: int, search: str | None = None) -> list[CustomerRecord]:
        """In ascending order of customer_id, from the one at `offset` on, without those that are deleted; `search` is
        contained in the id or the name, in any case."""

    def customers_blocked(self, scope: Scope, limit: int) -> list[CustomerRecord]:
        """Customers that were blocked and not unblocked again in the order in which it was said, by id."""

    def costs_of(self, scope: Scope, spans: Sequence[CustomerSpan]) -> list[Decimal]:
        """The raw cost of each span, in their order; at most PAGE_ROWS_MAX customers."""

    def usage(self, scope: Scope, question: UsageQuestion) -> list[UsageSum]:
        """Only groups that hold at least one event; ordered by segment, then group (nulls first), then markup."""

    def meter(self, scope: Scope, question: MeterQuestion) -> list[MeterValue]: ...

    def events(
        self, scope: Scope, where: EventFilter, after: tuple[datetime, int] | None, limit: int
    ) -> list[UsageEventRow]:
        """Newest first; the cursor is (time, locator)."""

    def event_page(self, scope: Scope, question: EventQuestion, offset: int, limit: int) -> EventPage:
        """From the event at `offset` on, in the order of the question."""

    def event(self, scope: Scope, source: str, event_id: str) -> UsageEventRow | None:
        """The event that stands under this identity, voided or not; None when none was counted."""

    def event_at(self, locator: int) -> UsageEventRow | None: ...

    def refusals_of(self, scope: Scope, source: str, event_id: str, limit: int) -> list[OutcomeRow]:
        """Deliveries under this identity that were not counted, oldest first."""

    def outcomes(
        self, scope: Scope, outcomes: tuple[Outcome, ...], after: int | None, limit: int, reason: str | None = None
    ) -> list[OutcomeRow]:
        """Newest first by locator; the cursor is the locator."""

    def receipt(self, spans: Sequence[RowSpan]) -> tuple[OutcomeCounts, list[EventOutcome]]:
        """What became of a request's events: counts, and every one that is not counted, in order."""

    def corrections(self, scope: Scope, source: str, event_id: str) -> list[CorrectionRecord]: ...

    def budget_facts(self, scope: Scope, budget_id: str) -> tuple[Fact, ...]: ...

    def budget_ids(self, scope: Scope, after: str | None, limit: int) -> list[str]: ...

    def budgets(self, scope: Scope) -> Iterator[tuple[str, tuple[Fact, ...]]]:
        """All shared budgets that there ever were, with their facts, in the order in which their ids were first used.

        One question however many there are, in batches, sorted within the memory that the store may take; ask the
        snapshot nothing else until the last one came.
        """

    def budgets_named(self, scope: Scope, budget_ids: Sequence[str]) -> dict[str, tuple[Fact, ...]]:
        """The facts of those of these shared budgets that there ever were; at most PAGE_ROWS_MAX."""

    def meter_facts(self, scope: Scope, code: str) -> tuple[Fact, ...]: ...

    def meter_codes(self, scope: Scope, after: str | None, limit: int) -> list[str]: ...

    def api_keys(self, scope: Scope) -> list[ApiKeyRecord]: ...

    def all_api_keys(self) -> list[ApiKeyRecord]: ...

    def prices(
        self, scope: Scope, provider: str | None, model: str | None, after: int | None, limit: int
    ) -> list[PriceRecord]:
        """The scope's own and the list prices, ascending by position."""

    def price_at(self, position: int) -> PriceRecord | None: ...

    def source_counts(self, scope: Scope) -> list[SourceCounts]: ...

    def sources(self, after: str | None, limit: int) -> list[SourceRecord]:
        """Partitions of Kafka topics by stream, of every scope; the cursor is the stream."""

    def totals(self) -> OutcomeCounts:
        """Over every scope."""

    def scopes(self) -> list[Scope]: ...


class ReadStore(Protocol):
    """A read store that is being folded into by a projector somewhere; safe to use from several threads."""

    def snapshot(self) -> AbstractContextManager[Snapshot]: ...

    def all_counted(self, spans: Sequence[RowSpan]) -> bool:
        """Whether every event in these spans, which are folded, was counted, as far as that is known without a query;
        False: ask a snapshot for their receipt."""
