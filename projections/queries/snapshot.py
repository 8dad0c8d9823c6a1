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
from typing import Final, Protocol

from domain.scope import Scope
from domain.usage.outcomes import EventOutcome, Outcome, OutcomeCounts
from projections.queries.api_keys import ApiKeyRecord
from projections.queries.customers import CustomerRecord, CustomerSpan, Fact
from projections.queries.events import (
    CorrectionRecord,
    EventFilter,
    EventPage,
    EventQuestion,
    OutcomeRow,
    RowSpan,
    UsageEventRow,
)
from projections.queries.log import LogPoint, SourceCounts, SourceRecord
from projections.queries.prices import PriceRecord
from projections.queries.usage import MeterQuestion, MeterValue, UsageQuestion, UsageSum

PAGE_ROWS_MAX: Final = 1_000


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
