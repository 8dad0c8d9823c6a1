"""The query interface of the read store.

A `Snapshot` sees the store at exactly one log position for as long as it is open. Its queries return plain values: raw
cost, without markup and without rounding. Whatever is derived from these (periods, lives, reported cost, budgets) is
computed by the pure functions of `projections.views`. Every implementation must pass one conformance suite.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Final, Protocol

import pyarrow as pa

from domain.repricings.repricing_range import RepricingRange
from domain.scope import Scope
from domain.usage.amending.sent_form import StoredRow
from domain.usage.outcomes import Outcome, OutcomeCounts
from domain.usage.received_members import Members
from projections.queries.api_keys import ApiKeyRecord
from projections.queries.backfill_effects import BackfillEffect, LoadedBackfill
from projections.queries.backfills import BackfillRecord
from projections.queries.corrections import (
    CorrectedCustomer,
    CorrectedSums,
    CorrectedTotals,
    CorrectionQuestion,
    CorrectionRunRecord,
)
from projections.queries.customer_list import CustomerListQuestion, UsageTotals
from projections.queries.customers import CustomerRecord, CustomerSpan, CustomerWithBudgets, SpanCost, SpanUsage
from projections.queries.diff import ChangeCursor, ChangesQuestion, ChangeSum, EventChange, MarkupFact
from projections.queries.events import (
    RECEIPT_OUTCOMES_MAX,
    CorrectionRecord,
    EventFilter,
    EventLocation,
    EventPage,
    EventQuestion,
    EventWithMarkup,
    IdentityHistory,
    OutcomeRow,
    Receipt,
    RowSpan,
    UsageEventRow,
)
from projections.queries.facts import Fact, Subject
from projections.queries.log import LogPoint, SourceCounts, SourceRecord
from projections.queries.meters import MeterQuestion, MeterValue
from projections.queries.prices import ANY_OWNER, DiscountRecord, ListedModel, Owners, PriceCursor, PriceRecord
from projections.queries.repricing import RepricingRecord, RunStep, ScopePricing
from projections.queries.usage import UsageQuestion, UsageSum

PAGE_ROWS_MAX: Final = 1_000


class Snapshot(Protocol):
    """Consistent reads at one log position.

    Pages: `after` is the cursor of the last row of the page before (exclusive), and `limit` is at most `PAGE_ROWS_MAX`.
    """

    def point(self) -> LogPoint:
        """The log position of this snapshot."""

    def require_rows(self) -> None:
        """Raise `RowsBeingWritten` while rows of usage are missing, for an answer that is sent before it is complete.

        Every question that needs rows raises it then.
        """

    def as_of(self, position: int) -> Snapshot:
        """This snapshot as it was at a log position: every query is answered as it was then.

        Itself at a position that is not before it. Kafka partitions, scopes and API keys are those known now.
        """

    def position_at(self, instant: datetime) -> int:
        """The last position whose effective recorded time is before `instant`; 0 when there is none."""

    def recorded_at(self, scope: Scope) -> datetime | None:
        """The effective recorded time of the last record of a scope; None when there is none."""

    def customer(self, scope: Scope, customer_id: str) -> CustomerRecord | None:
        """The customer with this id; None when neither a fact nor usage of it is known."""

    def customer_with_budgets(
        self, scope: Scope, customer_id: str, usage_times: bool = True
    ) -> CustomerWithBudgets | None:
        """The customer with the shared budgets that it ever named; None when neither a fact nor usage is known.

        Without `usage_times`, which take a query to find, the record does not tell the time range of its usage.
        """

    def first_event_ever(self, scope: Scope, customer_id: str) -> datetime | None:
        """The earliest time of the events that the customer ever had, those voided or moved away since included.

        None when it never had any.
        """

    def customer_of_derived_id(self, scope: Scope, derived: str) -> str | None:
        """The id of the customer with a derived id (see `domain.customers.derived_id`); None when there is none."""

    def customers(self, scope: Scope, after: str | None, limit: int, prefix: str | None = None) -> list[CustomerRecord]:
        """A page of customers in ascending order of customer_id (binary collation)."""

    def customers_ever_deactivated(self, scope: Scope) -> list[CustomerRecord]:
        """Every customer that was ever deactivated, reactivated since or not; without the time range of its usage."""

    def customer_deletions(self, scope: Scope, ids: Sequence[str] | None) -> dict[str, list[datetime]]:
        """The instants at which each of these customers was deleted, of all customers for None.

        Those that never were are left out. At most `PAGE_ROWS_MAX` ids.
        """

    def customer_page(
        self, scope: Scope, now: datetime, offset: int, limit: int, search: str | None = None
    ) -> list[CustomerRecord]:
        """A page of customers that are not deleted, in ascending order of customer_id, from row `offset` on.

        `search` must be contained in the id, or in the name at `now`, ignoring case.
        """

    def customer_list(
        self, scope: Scope, question: CustomerListQuestion, offset: int, limit: int
    ) -> list[CustomerRecord]:
        """A page of the customers that a question asks for, in its order, from row `offset` on."""

    def customer_count(self, scope: Scope, question: CustomerListQuestion) -> int:
        """How many customers a question asks for."""

    def usage_totals(self, scope: Scope, customer_ids: Sequence[str]) -> list[UsageTotals]:
        """The usage of each of these customers in its present life, in the given order; at most `PAGE_ROWS_MAX`."""

    def customers_blocked(self, scope: Scope, now: datetime, limit: int) -> list[CustomerRecord]:
        """Customers that are blocked at `now`, deleted ones left out, by id."""

    def costs_of(self, scope: Scope, spans: Sequence[CustomerSpan]) -> list[SpanCost]:
        """The raw cost of each span, in the given order; at most `PAGE_ROWS_MAX` customers."""

    def usage_of_spans(self, scope: Scope, spans: Sequence[CustomerSpan]) -> list[SpanUsage]:
        """The usage of each span, in the given order; at most `PAGE_ROWS_MAX` customers."""

    def usage(self, scope: Scope, question: UsageQuestion) -> list[UsageSum]:
        """Usage sums of the groups that hold at least one event, by segment, then group (nulls first), then markup."""

    def meter(self, scope: Scope, question: MeterQuestion) -> list[MeterValue]:
        """Values of a custom meter for the groups that hold at least one event, by segment, then group."""

    def events(
        self, scope: Scope, where: EventFilter, after: tuple[datetime, int] | None, limit: int
    ) -> list[UsageEventRow]:
        """A page of counted events, newest first; the cursor is (time, locator)."""

    def marked_events(
        self, scope: Scope, where: EventFilter, after: tuple[datetime, int] | None, limit: int
    ) -> list[EventWithMarkup]:
        """A page as `events` returns it, of each event with the markup of its customer."""

    def event_page(self, scope: Scope, question: EventQuestion, offset: int, limit: int) -> EventPage:
        """A page of events in the order of the question, from row `offset` on, with the total number of matches."""

    def event(self, scope: Scope, source: str, event_id: str, from_locator: int = 0) -> UsageEventRow | None:
        """The event counted under this identity, voided or not; None when none was counted from this locator on.

        It reads every row from there on; see `ReceivedEvents` for the identity index.
        """

    def event_located(self, scope: Scope, location: EventLocation) -> UsageEventRow | None:
        """The counted event at a location; None when there is none."""

    def event_at(self, locator: int) -> UsageEventRow | None:
        """The counted event at a locator; None when there is none."""

    def event_versions(self, scope: Scope, event: UsageEventRow, limit: int) -> list[UsageEventRow]:
        """Versions of a counted event that were ever in effect, oldest first; of more than `limit` the last ones."""

    def amendments_met(self, refusals: Sequence[OutcomeRow]) -> dict[int, int]:
        """The last amendment before each of these deliveries of the event that it repeats: its position, by locator.

        Deliveries that met the event as it was first counted, or none, are left out.
        """

    def identity_history(self, scope: Scope, source: str, event_id: str, limit: int) -> IdentityHistory:
        """What became of an identity besides its counted event; at most `limit` refusals."""

    def outcomes(
        self, scope: Scope, outcomes: tuple[Outcome, ...], after: int | None, limit: int, reason: str | None = None
    ) -> list[OutcomeRow]:
        """A page of events that were not counted, newest first; the cursor is the locator."""

    def held(self, locators: Sequence[int]) -> list[int]:
        """Return those of these events that count, voided or not: neither withdrawn, nor not counted yet."""

    def reverted(self, locators: Sequence[int]) -> list[int]:
        """Return those of these events that a reverted backfill had loaded: it is as if they had never claimed."""

    def receipt(self, spans: Sequence[RowSpan], shown_max: int = RECEIPT_OUTCOMES_MAX) -> Receipt:
        """The outcomes of the events of one request, in these spans, which ascend."""

    def corrections(self, scope: Scope, source: str, event_id: str) -> list[CorrectionRecord]:
        """The last `CORRECTIONS_MAX` voids, restorations and amendments of this identity, in log order."""

    def facts(self, scope: Scope, subject: Subject, of: str) -> tuple[Fact, ...]:
        """The facts about an id in log order; empty when there never were any. Those of customers: `customer`."""

    def facts_named(self, scope: Scope, subject: Subject, ids: Sequence[str]) -> dict[str, tuple[Fact, ...]]:
        """The facts about at most `PAGE_ROWS_MAX` ids, deleted ones included, unknown ids left out."""

    def all_facts(self, scope: Scope, subject: Subject) -> Iterator[tuple[str, tuple[Fact, ...]]]:
        """All ids of a subject, deleted ones included, with their facts, in the order of their first use.

        One query, read in batches within the memory limit of the store. The snapshot must not be asked anything else
        until the iterator is exhausted.
        """

    def ids(self, scope: Scope, subject: Subject, after: str | None, limit: int) -> list[str]:
        """A page of the ids of a subject, deleted ones included, in ascending order."""

    def api_keys(self, scope: Scope) -> list[ApiKeyRecord]:
        """All API keys of the scope, revoked ones included, in the order of their issue."""

    def all_api_keys(self) -> list[ApiKeyRecord]:
        """All API keys of every scope, revoked ones included."""

    def prices(
        self,
        scope: Scope,
        provider: str | None,
        model: str | None,
        after: PriceCursor | None,
        limit: int,
        owners: Owners = ANY_OWNER,
    ) -> list[PriceRecord]:
        """A page of the scope's own prices, those of its customers, and list prices of models that its usage met.

        In the order in which the scope came to know them.
        """

    def price_at(self, scope: Scope, position: int) -> PriceRecord | None:
        """The price that the log record at this position set; None when the scope does not know it."""

    def repricings(self, scope: Scope, after: str | None, limit: int) -> list[RepricingRecord]:
        """A page of the re-pricing runs of a scope, in ascending order of name."""

    def repricing(self, scope: Scope, name: str) -> RepricingRecord | None:
        """The re-pricing run of this name; None when there is none."""

    def correction_runs(self, scope: Scope, after: str | None, limit: int) -> list[CorrectionRunRecord]:
        """A page of the correction runs of a scope, in ascending order of name."""

    def correction_run(self, scope: Scope, name: str) -> CorrectionRunRecord | None:
        """The correction run of this name; None when there is none."""

    def run_corrections(self, scope: Scope, locator: int) -> list[CorrectionRecord]:
        """What correction runs and replacements did about the event at a locator, oldest first; of many the last."""

    def differing_deliveries(self, spans: Sequence[RowSpan], known_at: int) -> list[tuple[int, int]]:
        """The events that deliveries in these spans repeat with other content than they have now: both locators.

        Of several deliveries of an event the first one counts. Events that were counted or amended after the log
        position `known_at` are left out.
        """

    def replacement_receipt(
        self, spans: Sequence[RowSpan], received: Sequence[int], shown_max: int = RECEIPT_OUTCOMES_MAX
    ) -> Receipt:
        """The outcomes of the events of one request, after those at the locators `received` replaced others.

        These are among the counted ones. Of the others, one that repeats an event is a duplicate if the event is like
        it now, else a conflict.
        """

    def replaced_by(self, locator: int) -> int | None:
        """The locator of the delivery that an event equals now; None where no replacement was its last amendment."""

    def corrected_totals(self, scope: Scope, question: CorrectionQuestion) -> CorrectedTotals:
        """All that a correction run would change."""

    def corrected_customers(
        self, scope: Scope, question: CorrectionQuestion, after: str | None, limit: int
    ) -> list[CorrectedCustomer]:
        """A page of the customers with events that a correction run would change, in ascending order of id."""

    def corrected_sums(
        self, scope: Scope, question: CorrectionQuestion, spans: Sequence[CustomerSpan]
    ) -> list[CorrectedSums]:
        """What a correction run would change in each span, in the given order; those of a customer do not overlap."""

    def unpriced_corrected(
        self, scope: Scope, question: CorrectionQuestion, after: tuple[int, int] | None, limit: int
    ) -> pa.Table | None:
        """A page of the events of unknown cost that a correction run would change; None behind the last one.

        Columns and cursor are those of `rows_to_reprice`.
        """

    def series_in(self, scope: Scope, question: CorrectionQuestion) -> list[tuple[str, str | None, str | None]]:
        """Type, provider and model of each series that has events, voided ones too, in the filter of a run."""

    def amended_events(self, scope: Scope, question: CorrectionQuestion, pricing: ScopePricing) -> pa.Table:
        """`AMENDED_EVENTS`: all events that a correction run would amend, with the costs that prices give them.

        The caller bounds how many there may be, by the events that `corrected_totals` tells.
        """

    def run_steps(self, scope: Scope, positions: Sequence[int]) -> dict[int, RunStep]:
        """What re-pricing and correction runs of a scope did at some of these log positions, by position."""

    def backfills(self, scope: Scope, after: str | None, limit: int) -> list[BackfillRecord]:
        """A page of the backfills of a scope, in ascending order of name."""

    def backfill(self, scope: Scope, name: str) -> BackfillRecord | None:
        """The backfill of this name; None when there is none."""

    def late_in_backfill(self, scope: Scope, backfill: BackfillRecord) -> int:
        """How many live events of the range count that came after the preview that was committed, else the opening."""

    def backfill_steps(self, scope: Scope, positions: Sequence[int]) -> dict[int, RunStep]:
        """What backfills of a scope did at some of these log positions to events, by position."""

    def rows_to_reprice(
        self, scope: Scope, asked: RepricingRange, after: tuple[int, int] | None, limit: int
    ) -> pa.Table | None:
        """A page of the rows in the range of a re-pricing, as the fold would price them; None behind the last one.

        Its columns: `locator`, `customer_key`, `customer_id`, `kind_key`, `time`, `cost_usd`, and those of quantities.
        They ascend by customer key and locator, which are the cursor.
        """

    def scope_pricing(self, scope: Scope) -> ScopePricing | None:
        """The prices that the fold knows, for rows of a scope; None for a scope that the store has never heard of."""

    def change_sums(self, scope: Scope, question: ChangesQuestion) -> list[ChangeSum]:
        """What changed events since an earlier position: the sums of the changes of each kind, by kind, then run."""

    def event_changes(
        self, scope: Scope, question: ChangesQuestion, after: ChangeCursor | None, limit: int
    ) -> list[EventChange]:
        """A page of the changes of single events since an earlier position, in the order of `ChangeCursor`."""

    def markup_facts(
        self, scope: Scope, question: ChangesQuestion, after: ChangeCursor | None, limit: int
    ) -> list[MarkupFact]:
        """A page of the facts since an earlier position that may have changed a markup, by position, then customer."""

    def discounts(self, scope: Scope, after: int, limit: int, owners: Owners = ANY_OWNER) -> list[DiscountRecord]:
        """A page of the discounts of the scope and of its customers; the cursor is the log position."""

    def discounts_at(self, scope: Scope, positions: Sequence[int]) -> list[DiscountRecord]:
        """The discounts that the log records at these positions set, in the given order."""

    def listed_models(self, after: tuple[str, str] | None, limit: int) -> list[ListedModel]:
        """A page of the models of every scope, by provider and model; the cursor is those two."""

    def source_counts(self, scope: Scope) -> list[SourceCounts]:
        """Outcome counts of every usage stream of the scope, and by how many its backfills changed them."""

    def sources(self, after: str | None, limit: int) -> list[SourceRecord]:
        """A page of Kafka partitions of every scope, by stream; the cursor is the stream."""

    def totals(self, after: int = 0, gained: bool = False) -> OutcomeCounts:
        """Outcome counts over every scope, of the log records after position `after`.

        `gained`: what each record added to an outcome, without what the commit or the revert of a backfill took away.
        """

    def rejections(self, after: int = 0) -> dict[str, int]:
        """Rejected events by reason over every scope, of the log records after position `after`."""

    def scopes(self) -> list[Scope]:
        """Every scope that the log names."""


class ReceivedEvents(Protocol):
    """Events as they were received. Safe to use by several threads."""

    def counted(self, snapshot: Snapshot, scope: Scope, source: str, event_id: str) -> UsageEventRow | None:
        """Return the event counted under this identity, voided or not; None when none was counted."""

    def row(self, locator: int) -> StoredRow | None:
        """Return the columns of the event at a locator as it was received; None when intake rejected it."""

    def members(self, locator: int) -> Members | None:
        """Return what the event at a locator said, rebuilt from the log; None when intake rejected it."""

    def amended_members(self, position: int, locator: int) -> Members:
        """Return what the event at a locator said as the amendment at this log position made it."""


class TriedBackfills(Protocol):
    """Commits of backfills that are only tried. Safe to use by several threads."""

    def effect(self, snapshot: Snapshot, scope: Scope, backfill: LoadedBackfill) -> BackfillEffect:
        """Return what the commit of an open backfill would do at the position of the snapshot."""


class ReadStore(Protocol):
    """A read store that a projector keeps up to date; safe for use from several threads."""

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Open a snapshot at the last folded position."""

    def all_counted(self, spans: Sequence[RowSpan]) -> bool:
        """Whether every event of these folded spans is known, without a query, to be counted.

        False means that it is not known: ask a snapshot for their receipt.
        """
