"""The query interface of the read store.

A `Snapshot` sees the store at exactly one log position for as long as it is open. Its queries return plain values: raw
cost, without markup and without rounding. Whatever is derived from these (periods, lives, reported cost, budgets) is
computed by the pure functions of `projections.views`. Every implementation must pass one conformance suite.
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
from projections.queries.customers import CustomerRecord, CustomerSpan, CustomerWithBudgets
from projections.queries.events import (
    RECEIPT_OUTCOMES_MAX,
    CorrectionRecord,
    EventFilter,
    EventPage,
    EventQuestion,
    OutcomeRow,
    RowSpan,
    UsageEventRow,
)
from projections.queries.facts import Fact
from projections.queries.log import LogPoint, SourceCounts, SourceRecord
from projections.queries.prices import PriceRecord
from projections.queries.usage import MeterQuestion, MeterValue, UsageQuestion, UsageSum

PAGE_ROWS_MAX: Final = 1_000


class Snapshot(Protocol):
    """Consistent reads at one log position.

    Pages: `after` is the cursor of the last row of the page before (exclusive), and `limit` is at most `PAGE_ROWS_MAX`.
    """

    def point(self) -> LogPoint:
        """The log position of this snapshot."""

    def position_at(self, instant: datetime) -> int:
        """The last position whose effective recorded time is before `instant`; 0 when there is none."""

    def customer(self, scope: Scope, customer_id: str) -> CustomerRecord | None:
        """The customer with this id; None when neither a fact nor usage of it is known."""

    def usage_times(self, scope: Scope, customer_id: str, as_of: int) -> tuple[datetime | None, datetime | None]:
        """The times of the first and the last usage of a customer that counted at a log position; None: none did."""

    def customer_with_budgets(self, scope: Scope, customer_id: str) -> CustomerWithBudgets | None:
        """The customer with the shared budgets that it ever named; None when neither a fact nor usage is known."""

    def customers(self, scope: Scope, after: str | None, limit: int, prefix: str | None = None) -> list[CustomerRecord]:
        """A page of customers in ascending order of customer_id (binary collation)."""

    def customers_ever_deactivated(self, scope: Scope) -> list[CustomerRecord]:
        """Every customer that was ever deactivated, reactivated since or not; without the time range of its usage."""

    def customer_page(
        self, scope: Scope, now: datetime, offset: int, limit: int, search: str | None = None
    ) -> list[CustomerRecord]:
        """A page of customers that are not deleted, in ascending order of customer_id, from row `offset` on.

        `search` must be contained in the id, or in the name at `now`, ignoring case.
        """

    def customers_blocked(self, scope: Scope, now: datetime, limit: int) -> list[CustomerRecord]:
        """Customers that are blocked at `now`, deleted ones left out, by id."""

    def costs_of(self, scope: Scope, spans: Sequence[CustomerSpan]) -> list[Decimal]:
        """The raw cost of each span, in the given order; at most `PAGE_ROWS_MAX` customers."""

    def usage(self, scope: Scope, question: UsageQuestion) -> list[UsageSum]:
        """Usage sums of the groups that hold at least one event, by segment, then group (nulls first), then markup."""

    def meter(self, scope: Scope, question: MeterQuestion) -> list[MeterValue]:
        """Values of a custom meter for the groups that hold at least one event, by segment, then group."""

    def events(
        self, scope: Scope, where: EventFilter, after: tuple[datetime, int] | None, limit: int
    ) -> list[UsageEventRow]:
        """A page of counted events, newest first; the cursor is (time, locator)."""

    def event_page(self, scope: Scope, question: EventQuestion, offset: int, limit: int) -> EventPage:
        """A page of events in the order of the question, from row `offset` on, with the total number of matches."""

    def event(self, scope: Scope, source: str, event_id: str) -> UsageEventRow | None:
        """The event counted under this identity, voided or not; None when none was counted."""

    def event_at(self, locator: int) -> UsageEventRow | None:
        """The counted event at a locator; None when there is none."""

    def refusals_of(self, scope: Scope, source: str, event_id: str, limit: int) -> list[OutcomeRow]:
        """Deliveries of this identity that were not counted, oldest first."""

    def outcomes(
        self, scope: Scope, outcomes: tuple[Outcome, ...], after: int | None, limit: int, reason: str | None = None
    ) -> list[OutcomeRow]:
        """A page of events that were not counted, newest first; the cursor is the locator."""

    def receipt(
        self, spans: Sequence[RowSpan], shown_max: int = RECEIPT_OUTCOMES_MAX
    ) -> tuple[OutcomeCounts, list[EventOutcome]]:
        """The outcomes of the events of one request: counts, and the first events that were not counted, in order."""

    def corrections(self, scope: Scope, source: str, event_id: str) -> list[CorrectionRecord]:
        """Voids and restorations of this identity, in log order."""

    def budget_facts(self, scope: Scope, budget_id: str) -> tuple[Fact, ...]:
        """The facts of a shared budget in log order; empty when there never was one with this id."""

    def budget_ids(self, scope: Scope, after: str | None, limit: int) -> list[str]:
        """A page of the ids of all shared budgets, deleted ones included, in ascending order."""

    def budgets(self, scope: Scope) -> Iterator[tuple[str, tuple[Fact, ...]]]:
        """All shared budgets, deleted ones included, with their facts, in the order in which their ids were first used.

        One query, read in batches within the memory limit of the store. The snapshot must not be asked anything else
        until the iterator is exhausted.
        """

    def budgets_named(self, scope: Scope, budget_ids: Sequence[str]) -> dict[str, tuple[Fact, ...]]:
        """The facts of at most `PAGE_ROWS_MAX` shared budgets by id, deleted ones included, unknown ids left out."""

    def meter_facts(self, scope: Scope, code: str) -> tuple[Fact, ...]:
        """The facts of a custom meter in log order; empty when there never was one with this code."""

    def meter_codes(self, scope: Scope, after: str | None, limit: int) -> list[str]:
        """A page of the codes of all custom meters, deleted ones included, in ascending order."""

    def api_keys(self, scope: Scope) -> list[ApiKeyRecord]:
        """All API keys of the scope, revoked ones included, in the order of their issue."""

    def all_api_keys(self) -> list[ApiKeyRecord]:
        """All API keys of every scope, revoked ones included."""

    def prices(
        self, scope: Scope, provider: str | None, model: str | None, after: int | None, limit: int
    ) -> list[PriceRecord]:
        """A page of the scope's own prices and the list prices, in log order; the cursor is the position."""

    def price_at(self, position: int) -> PriceRecord | None:
        """The price that the log record at this position set."""

    def source_counts(self, scope: Scope) -> list[SourceCounts]:
        """Outcome counts of every usage stream of the scope."""

    def sources(self, after: str | None, limit: int) -> list[SourceRecord]:
        """A page of Kafka partitions of every scope, by stream; the cursor is the stream."""

    def totals(self, after: int = 0) -> OutcomeCounts:
        """Outcome counts over every scope, of the log records after position `after`."""

    def rejections(self, after: int = 0) -> dict[str, int]:
        """Rejected events by reason over every scope, of the log records after position `after`."""

    def scopes(self) -> list[Scope]:
        """Every scope that the log names."""


class ReadStore(Protocol):
    """A read store that a projector keeps up to date; safe for use from several threads."""

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Open a snapshot at the last folded position."""

    def all_counted(self, spans: Sequence[RowSpan]) -> bool:
        """Whether every event of these folded spans is known, without a query, to be counted.

        False means that it is not known: ask a snapshot for their receipt.
        """
