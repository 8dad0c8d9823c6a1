"""The query interface (`projections.queries.snapshot`) over a DuckDB read store.

A snapshot is a read transaction on a cursor of its own, used by one thread at a time. Results are fetched whole, except
for the list of all budgets, which is fetched in batches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from typing import Any, Final

import duckdb
import msgspec

from domain.customers.events import CUSTOMER_DELETED
from domain.errors import InvalidInput
from domain.scope import Scope
from domain.usage.locators import locator_of, position_of
from domain.usage.outcomes import OUTCOMES, REVERTED, Outcome, OutcomeCounts
from domain.values.instants import aware_or_none, naive
from projections.duckdb.memory.change_tracking import ChangeTracker
from projections.duckdb.reading import api_keys, customer_pages, customers, sources
from projections.duckdb.reading import events as event_rows
from projections.duckdb.reading.backfill.reads import BackfillReads
from projections.duckdb.reading.cached_reads import CachedReads, SnapshotCache, all_markups, answered_usage
from projections.duckdb.reading.correcting.reads import CorrectionReads
from projections.duckdb.reading.customer_lists.list_query import customer_count, customer_list
from projections.duckdb.reading.customer_lists.list_query import needs_markups as needs_markups_of_all
from projections.duckdb.reading.diff.reads import DiffReads
from projections.duckdb.reading.event_pages import EventPageQuery, Markups, needs_markups
from projections.duckdb.reading.facts import (
    all_facts,
    distinct_ids,
    facts_named,
    facts_of_customers,
)
from projections.duckdb.reading.meters.kept_values import kept_meter_values
from projections.duckdb.reading.prices import KnownPrices, discounts, discounts_at, listed_models, series_priced_at
from projections.duckdb.reading.repricing.reads import RepricingReads
from projections.duckdb.storage.cursor_as_of import CursorAsOf
from projections.duckdb.storage.missing_rows import ROWS_VIEW
from projections.errors import ReadStoreUnavailable, RowsBeingWritten
from projections.queries.api_keys import ApiKeyRecord
from projections.queries.customer_list import CustomerListQuestion, UsageTotals
from projections.queries.customers import (
    NO_CUSTOMER,
    CustomerRecord,
    CustomerSpan,
    CustomerWithBudgets,
    SpanCost,
    SpanUsage,
)
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
from projections.queries.snapshot import PAGE_ROWS_MAX
from projections.queries.usage import WINDOWS_MAX, Segment, UsageQuestion, UsageSum
from projections.storage_errors import storage_refusal
from projections.views.customers import markup_at, markup_changes

_COUNTS = ", ".join(f"coalesce(sum({outcome}), 0)" for outcome in OUTCOMES)
#: What a replacement withdraws at its commit stands in the record's count of the events that it counts.
_COUNTED = "counted + CASE WHEN topic = 'backfill.committed' THEN withdrawn ELSE 0 END"
_GAINED = ", ".join(f"coalesce(sum(greatest({_COUNTED if o == 'counted' else o}, 0)), 0)" for o in OUTCOMES)


class DuckDBReads:
    """A read store whose snapshots each use a cursor of their own from `connect`, closed with the snapshot."""

    def __init__(self, connect: Callable[[], duckdb.DuckDBPyConnection], changes: ChangeTracker | None = None) -> None:
        """`changes` are those of the fold into this store; without them only what never changes is cached."""
        self._connect = connect
        self._changes = changes
        self._cache = SnapshotCache(None if changes is None else changes.unit_owners)

    @contextmanager
    def snapshot(self) -> Iterator[DuckDBSnapshot]:
        """Open a snapshot for as long as the context lasts. It is used by one thread at a time.

        Raises `ReadStoreUnavailable` while the storage under the read store has failed, and `RowsBeingWritten` where an
        answer needs rows of usage while some are missing: the view of all rows does not exist then.
        """
        try:
            snapshot = DuckDBSnapshot(self._connect, self._cache, self._changes)
            with closing(snapshot.cursor):
                snapshot.cursor.execute("BEGIN TRANSACTION READ ONLY")
                yield snapshot
        except duckdb.CatalogException as error:
            if f"with name {ROWS_VIEW} does not exist" not in str(error):
                raise
            raise RowsBeingWritten("rows of usage are being written again") from error
        except (duckdb.FatalException, duckdb.ConnectionException) as error:
            # A storage error has invalidated the database, or it is closed to be opened again.
            reason = storage_refusal(error) or str(error).splitlines()[0]
            raise ReadStoreUnavailable(f"the read store cannot be read: {reason}") from error

    def all_counted(self, spans: Sequence[RowSpan]) -> bool:
        """Whether every event of these folded spans is known, without a query, to be counted."""
        return self._changes is not None and self._changes.refusals.all_counted(spans)


class DuckDBSnapshot(RepricingReads, DiffReads, CorrectionReads, BackfillReads):
    """A `Snapshot` on a cursor in a read transaction."""

    def __init__(
        self,
        connect: Callable[[], duckdb.DuckDBPyConnection],
        cache: SnapshotCache,
        changes: ChangeTracker | None,
    ) -> None:
        self.cursor: Final = connect()
        self._is_as_of = isinstance(self.cursor, CursorAsOf)
        self._cached = CachedReads(self.cursor, cache, changes)
        self._amended = None if changes is None else changes.amended

    def as_of(self, position: int) -> DuckDBSnapshot:
        """This snapshot as it was at a log position; itself at one that is not before it."""
        if position >= self.point().position:
            return self
        earlier: Any = CursorAsOf(self.cursor, position)
        cache = SnapshotCache()
        cache.scopes, cache.fact_positions = self._cached.cache.scopes, self._cached.cache.fact_positions
        cache.derived_ids = self._cached.cache.derived_ids
        cache.unit_owners = self._cached.cache.unit_owners
        return DuckDBSnapshot(lambda: earlier, cache, None)

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self.cursor.execute(sql, list(values)).fetchall()

    # -- the log

    def point(self) -> LogPoint:
        """The log position of this snapshot."""
        return self._cached.point()

    def require_rows(self) -> None:
        """Raise `RowsBeingWritten`, at the end of the context of the snapshot, while rows of usage are missing."""
        self.cursor.execute(f"SELECT 1 FROM {ROWS_VIEW} LIMIT 0")

    def recorded_at(self, scope: Scope) -> datetime | None:
        """The effective recorded time of the last record of a scope; None when there is none."""
        rows = self._rows(
            "SELECT max(recorded_at) FROM log_records WHERE scope_key = ?", [self._cached.scope_key(scope)]
        )
        return aware_or_none(rows[0][0])

    def position_at(self, instant: datetime) -> int:
        """The last position whose effective recorded time is before `instant`; 0 when there is none."""
        found = self._rows("SELECT max(position) FROM log_records WHERE recorded_at < ?", [naive(instant)])
        return found[0][0] or 0

    def source_counts(self, scope: Scope) -> list[SourceCounts]:
        """Outcome counts of every usage stream of the scope, and what its backfills changed."""
        rows = self._rows(
            f"""SELECT stream, {_COUNTS} FROM log_records WHERE scope_key = ?
                AND (received > 0 OR topic IN ('backfill.committed', 'backfill.reverted'))
            GROUP BY stream ORDER BY stream""",
            [self._cached.scope_key(scope)],
        )
        return [SourceCounts(stream, OutcomeCounts(*counts)) for stream, *counts in rows]

    def sources(self, after: str | None, limit: int) -> list[SourceRecord]:
        """A page of Kafka partitions of every scope, by stream; the cursor is the stream."""
        return sources.sources(self.cursor, after, _page(limit))

    def totals(self, after: int = 0, gained: bool = False) -> OutcomeCounts:
        """Outcome counts over every scope, of the log records after position `after`; what they added, if `gained`."""
        counts = _GAINED if gained else _COUNTS
        return OutcomeCounts(*self._rows(f"SELECT {counts} FROM log_records WHERE position > ?", [after])[0])

    def rejections(self, after: int = 0) -> dict[str, int]:
        """Rejected events by reason over every scope, of the log records after position `after`."""
        asked = "SELECT reason, count(*) FROM outcomes WHERE outcome = 'rejected' AND decided_at > ? GROUP BY reason"
        return dict(self._rows(asked, [after]))

    def scopes(self) -> list[Scope]:
        """Every scope that the log names."""
        return [
            Scope(*row) for row in self._rows("SELECT tenant, environment FROM scopes ORDER BY tenant, environment")
        ]

    # -- customers

    def customer(self, scope: Scope, customer_id: str) -> CustomerRecord | None:
        """The customer with this id; None when neither a fact nor usage of it is known."""
        return self._record(scope, customer_id)

    def _record(self, scope: Scope, customer_id: str, usage_times: bool = True) -> CustomerRecord | None:
        scope_key = self._cached.scope_key(scope)
        if scope_key is None or customer_id == NO_CUSTOMER:
            return None
        row = self._cached.customer_row(scope_key, customer_id)
        if row is None:
            return None
        facts = tuple(self._cached.facts_of(row.key, None))
        if not usage_times:
            return CustomerRecord(customer_id, row.first_position, None, None, facts)
        first, last = self._cached.first_and_last_seen(scope_key, row.key)
        of_life = None
        if any(fact.kind == CUSTOMER_DELETED for fact in facts):
            of_life = customers.life_first_event_at(self.cursor, row.key, last, facts)
        return CustomerRecord(customer_id, row.first_position, first, last, facts, of_life)

    def customer_with_budgets(
        self, scope: Scope, customer_id: str, usage_times: bool = True
    ) -> CustomerWithBudgets | None:
        """The customer with the shared budgets that it ever named; None when neither a fact nor usage is known.

        Without `usage_times`, the record does not tell the time range of its usage.
        """
        record, scope_key = self._record(scope, customer_id, usage_times), self._cached.scope_key(scope)
        if record is None or scope_key is None:
            return None
        named = {fact.fields["budget_id"] for fact in record.facts if fact.fields.get("budget_id") is not None}
        index, position = self._cached.cache.fact_positions, self._cached.point().position
        budgets = facts_named(self.cursor, index, position, scope_key, "budget", sorted(named)) if named else {}
        return CustomerWithBudgets(position, record, budgets)

    def first_event_ever(self, scope: Scope, customer_id: str) -> datetime | None:
        """The earliest time of the events that the customer ever had; None when it never had any."""
        scope_key = self._cached.scope_key(scope)
        row = None if scope_key is None else self._cached.customer_row(scope_key, customer_id)
        return None if row is None else customers.first_event_ever(self.cursor, row.key)

    def customer_of_derived_id(self, scope: Scope, derived: str) -> str | None:
        """The id of the customer with a derived id; None when there is none."""
        scope_key = self._cached.scope_key(scope)
        if scope_key is None:
            return None
        known = self._cached.cache.derived_ids
        return known.customer_id(self.cursor, scope, scope_key, derived, self.point().position)

    def customers(self, scope: Scope, after: str | None, limit: int, prefix: str | None = None) -> list[CustomerRecord]:
        """A page of customers in ascending order of customer_id (binary collation)."""
        limit, scope_key = _page(limit), self._cached.scope_key(scope)
        return [] if scope_key is None else customers.customers(self.cursor, scope_key, after, limit, prefix)

    def customers_ever_deactivated(self, scope: Scope) -> list[CustomerRecord]:
        """Every customer that was ever deactivated, reactivated since or not; without the time range of its usage."""
        scope_key = self._cached.scope_key(scope)
        return [] if scope_key is None else customers.customers_ever_deactivated(self.cursor, scope_key)

    def customer_deletions(self, scope: Scope, ids: Sequence[str] | None) -> dict[str, list[datetime]]:
        """The instants at which each of these customers was deleted, of all customers for None."""
        scope_key = self._cached.scope_key(scope)
        return {} if scope_key is None else customers.customer_deletions(self.cursor, scope_key, ids)

    def customer_page(
        self, scope: Scope, now: datetime, offset: int, limit: int, search: str | None = None
    ) -> list[CustomerRecord]:
        """A page of customers that are not deleted, in ascending order of customer_id, from row `offset` on."""
        limit, scope_key = _page(limit), self._cached.scope_key(scope)
        if scope_key is None:
            return []
        return customer_pages.customer_page(self.cursor, scope_key, naive(now), offset, limit, search)

    def customer_list(
        self, scope: Scope, question: CustomerListQuestion, offset: int, limit: int
    ) -> list[CustomerRecord]:
        """A page of the customers that a question asks for, in its order, from row `offset` on."""
        limit, scope_key = _page(limit), self._cached.scope_key(scope)
        if scope_key is None:
            return []
        markups = all_markups(self.cursor, scope_key, None) if needs_markups_of_all(question) else {}
        rows = customer_list(self.cursor, scope_key, self._cached.request_keys(), question, markups, offset, limit)
        return customers.records_of(self.cursor, scope_key, rows)

    def customer_count(self, scope: Scope, question: CustomerListQuestion) -> int:
        """How many customers a question asks for."""
        scope_key = self._cached.scope_key(scope)
        if scope_key is None:
            return 0
        markups = all_markups(self.cursor, scope_key, None) if needs_markups_of_all(question) else {}
        return customer_count(self.cursor, scope_key, self._cached.request_keys(), question, markups)

    def usage_totals(self, scope: Scope, customer_ids: Sequence[str]) -> list[UsageTotals]:
        """The usage of each of these customers in its present life, in the given order; at most `PAGE_ROWS_MAX`."""
        scope_key = self._cached.scope_key(scope)
        rows = [None if scope_key is None else self._cached.customer_row(scope_key, name) for name in customer_ids]
        found = self._cached.usage_totals([row.key for row in rows if row is not None])
        return [UsageTotals() if row is None else found[row.key] for row in rows]

    def customers_blocked(self, scope: Scope, now: datetime, limit: int) -> list[CustomerRecord]:
        """Customers that are blocked at `now`, deleted ones left out, by id."""
        limit, scope_key = _page(limit), self._cached.scope_key(scope)
        return [] if scope_key is None else customer_pages.customers_blocked(self.cursor, scope_key, naive(now), limit)

    # -- usage

    def costs_of(self, scope: Scope, spans: Sequence[CustomerSpan]) -> list[SpanCost]:
        """The raw cost of each span, in the given order; at most `PAGE_ROWS_MAX` customers."""
        scope_key = self._cached.scope_key(scope)
        if scope_key is None:
            return [SpanCost()] * len(spans)
        return customer_pages.costs_of(self.cursor, self._cached.request_keys(), self._keyed(scope_key, spans))

    def usage_of_spans(self, scope: Scope, spans: Sequence[CustomerSpan]) -> list[SpanUsage]:
        """The usage of each span, in the given order; at most `PAGE_ROWS_MAX` customers."""
        scope_key = self._cached.scope_key(scope)
        if scope_key is None:
            return [SpanUsage()] * len(spans)
        return customer_pages.usage_of(self.cursor, self._cached.request_keys(), self._keyed(scope_key, spans))

    def _keyed(self, scope_key: int, spans: Sequence[CustomerSpan]) -> list[customer_pages.KeyedSpan]:
        keys = [self._cached.customer_row(scope_key, span.customer_id) for span in spans]
        return [
            (0 if row is None else row.key, naive(span.start), naive(span.end))
            for row, span in zip(keys, spans, strict=True)
        ]

    def usage(self, scope: Scope, question: UsageQuestion) -> list[UsageSum]:
        """Usage sums of the groups that hold at least one event, by segment, then group (nulls first), then markup."""
        owner = self._owner_keys(scope, question.customer_id)
        _check_segments(question.segments)
        if owner is None or not question.segments:
            return []
        return answered_usage(self._cached, owner, self._normalized(question))

    def meter(self, scope: Scope, question: MeterQuestion) -> list[MeterValue]:
        """Values of a custom meter for the groups that hold at least one event, by segment, then group."""
        owner = self._owner_keys(scope, question.customer_id)
        _check_segments(question.segments)
        return [] if owner is None else kept_meter_values(self._cached, *owner, question)

    def _owner_keys(self, scope: Scope, customer_id: str | None) -> tuple[int, int | None] | None:
        """The keys of a scope and a customer (None: all customers); None when either does not exist."""
        scope_key = self._cached.scope_key(scope)
        if scope_key is None or customer_id is None:
            return None if scope_key is None else (scope_key, None)
        row = self._cached.customer_row(scope_key, customer_id)
        return None if row is None else (scope_key, row.key)

    def _normalized(self, question: UsageQuestion) -> UsageQuestion:
        if question.as_of is None or self._earlier(question.as_of) is not None:
            return question
        return msgspec.structs.replace(question, as_of=None)

    def _earlier(self, as_of: int | None) -> int | None:
        """`as_of` if it lies before this snapshot; None when it means what is known now."""
        return as_of if as_of is not None and as_of < self.point().position else None

    # -- events

    def events(
        self, scope: Scope, where: EventFilter, after: tuple[datetime, int] | None, limit: int
    ) -> list[UsageEventRow]:
        """A page of counted events, newest first; the cursor is (time, locator)."""
        return event_rows.events_by_location(self.cursor, self._event_locations(scope, where, after, limit))

    def marked_events(
        self, scope: Scope, where: EventFilter, after: tuple[datetime, int] | None, limit: int
    ) -> list[EventWithMarkup]:
        """A page as `events` returns it, of each event with the markup of its customer."""
        return self._with_markups(self._event_locations(scope, where, after, limit))

    def _event_locations(
        self, scope: Scope, where: EventFilter, after: tuple[datetime, int] | None, limit: int
    ) -> list[event_rows.RowLocation]:
        limit, owner = _page(limit), self._owner_keys(scope, where.customer_id)
        if owner is None:
            return []
        return event_rows.event_locations(self.cursor, *owner, self._kind_keys(where), where, after, limit)

    def event_page(self, scope: Scope, question: EventQuestion, offset: int, limit: int) -> EventPage:
        """A page of events in the order of the question, from row `offset` on, with the total number of matches."""
        limit, owner = _page(limit), self._owner_keys(scope, question.where.customer_id)
        if owner is None:
            return EventPage(0, ())
        markups = self._markups_of(*owner) if needs_markups(question) else {}
        page_query = EventPageQuery(*owner, self._kind_keys(question.where), question, markups)
        total, locations = page_query.page(self.cursor, offset, limit)
        return EventPage(total, tuple(self._with_markups(locations)))

    def _with_markups(self, locations: Sequence[event_rows.RowLocation]) -> list[EventWithMarkup]:
        """The events at these locations, each with the markup valid at its time."""
        facts = facts_of_customers(self.cursor, sorted({one.customer_key for one in locations}))
        of_page = {key: markup_changes(found) for key, found in facts.items()}
        found = event_rows.events_by_location(self.cursor, locations)
        return [
            EventWithMarkup(event, markup_at(of_page.get(location.customer_key, ()), event.time))
            for location, event in zip(locations, found, strict=True)
        ]

    def _markups_of(self, scope_key: int, customer_key: int | None) -> Markups:
        if customer_key is None:
            return all_markups(self.cursor, scope_key, None)
        changes = markup_changes(self._cached.facts_of(customer_key, None))
        return {customer_key: changes} if changes else {}

    def _kind_keys(self, where: EventFilter) -> list[int] | None:
        """The keys of the series that match model and type of a filter; None: any."""
        if where.model is None and where.type is None:
            return None
        return [
            series.key
            for series in self._cached.all_series()
            if where.model in (None, series.model) and where.type in (None, series.type)
        ]

    def event(self, scope: Scope, source: str, event_id: str, from_locator: int = 0) -> UsageEventRow | None:
        """The event counted under this identity, voided or not; None when none was counted from this locator on."""
        scope_key = self._cached.scope_key(scope)
        if scope_key is None:
            return None
        return event_rows.event_of_identity(self.cursor, scope_key, source, event_id, from_locator)

    def event_located(self, scope: Scope, location: EventLocation) -> UsageEventRow | None:
        """The counted event at a location; None when there is none."""
        scope_key = self._cached.scope_key(scope)
        name = location.customer_id or NO_CUSTOMER
        customer = None if scope_key is None else self._cached.customer_row(scope_key, name)
        if customer is None:
            return None
        if self._amended is None or location.locator in self._amended:
            amended = event_rows.amended_location(self.cursor, location.locator)
            if amended is not None:
                return event_rows.amended_event(self.cursor, amended)
        located = event_rows.RowLocation(customer.key, location.time, location.locator)
        series, tables = self._cached.all_series(), self._row_tables(location.locator)
        found = event_rows.event_at_location(self.cursor, located, location.customer_id, series, tables)
        if found is None:
            self.require_rows()
        return found

    def _row_tables(self, locator: int) -> list[str]:
        """The tables that may hold an event, the most likely one first. Only the view is as of an earlier position."""
        if self._is_as_of:
            return [event_rows.USAGE_ROWS]
        compacted = locator < locator_of(self._cached.days_compacted_to() + 1, 0)
        # The table is small: to sort it in SQL would take twice the time of reading it.
        generations = self._rows("SELECT name, kind, state FROM generations")
        tables = [((state == "settled") != compacted, name) for name, kind, state in generations if kind == "rows"]
        return [name for _, name in sorted(tables)]

    def event_at(self, locator: int) -> UsageEventRow | None:
        """The counted event at a locator; None when there is none."""
        return event_rows.event_at(self.cursor, locator)

    def event_versions(self, scope: Scope, event: UsageEventRow, limit: int) -> list[UsageEventRow]:
        """Versions of a counted event that were ever in effect, oldest first; of more than `limit` the last ones."""
        if event.counted_at == position_of(event.locator):  # the first version, after which there is no other
            return [] if event.closed_at == event.counted_at else [event]
        limit, owner = _page(limit), self._owner_keys(scope, event.customer_id or NO_CUSTOMER)
        if owner is None or owner[1] is None:
            return []
        return event_rows.event_versions(self.cursor, event, owner[1], limit)

    def amendments_met(self, refusals: Sequence[OutcomeRow]) -> dict[int, int]:
        """The last amendment before each of these deliveries of the event that it repeats: its position, by locator."""
        return event_rows.amendments_met(self.cursor, refusals)

    def identity_history(self, scope: Scope, source: str, event_id: str, limit: int) -> IdentityHistory:
        """What became of an identity besides its counted event; at most `limit` refusals."""
        limit, scope_key = _page(limit), self._cached.scope_key(scope)
        if scope_key is None:
            return IdentityHistory()
        return event_rows.identity_history(self.cursor, scope_key, source, event_id, limit)

    def outcomes(
        self, scope: Scope, outcomes: tuple[Outcome, ...], after: int | None, limit: int, reason: str | None = None
    ) -> list[OutcomeRow]:
        """A page of events that were not counted, newest first; the cursor is the locator."""
        limit, scope_key = _page(limit), self._cached.scope_key(scope)
        if scope_key is None:
            return []
        return event_rows.outcomes(self.cursor, scope_key, outcomes, after, limit, reason)

    def held(self, locators: Sequence[int]) -> list[int]:
        """Those of these events that count, voided or not."""
        rows = self._rows(
            """SELECT DISTINCT locator FROM usage_rows WHERE locator IN (SELECT unnest($1::BIGINT[]))
            EXCEPT SELECT locator FROM outcomes WHERE outcome = 'withdrawn' AND closed_at IS NULL""",
            [list(locators)],
        )
        return [row[0] for row in rows]

    def reverted(self, locators: Sequence[int]) -> list[int]:
        """Those of these events that a backfill had loaded which is reverted."""
        rows = self._rows(
            """SELECT locator FROM outcomes WHERE outcome = 'withdrawn' AND reason = $1 AND closed_at IS NULL
            AND locator IN (SELECT unnest($2::BIGINT[]))""",
            [REVERTED, list(locators)],
        )
        return [row[0] for row in rows]

    def receipt(self, spans: Sequence[RowSpan], shown_max: int = RECEIPT_OUTCOMES_MAX) -> Receipt:
        """The outcomes of the events of one request, in these spans, which ascend."""
        return event_rows.receipt(self.cursor, spans, shown_max)

    def corrections(self, scope: Scope, source: str, event_id: str) -> list[CorrectionRecord]:
        """The last `CORRECTIONS_MAX` voids, restorations and amendments of this identity, in log order."""
        scope_key = self._cached.scope_key(scope)
        return [] if scope_key is None else event_rows.corrections(self.cursor, scope_key, source, event_id)

    # -- facts, keys, prices

    def facts(self, scope: Scope, subject: Subject, of: str) -> tuple[Fact, ...]:
        """The facts about an id in log order; empty when there never were any."""
        return self.facts_named(scope, subject, [of]).get(of, ())

    def facts_named(self, scope: Scope, subject: Subject, ids: Sequence[str]) -> dict[str, tuple[Fact, ...]]:
        """The facts about at most `PAGE_ROWS_MAX` ids, deleted ones included, unknown ids left out."""
        scope_key = self._cached.scope_key(scope)
        if scope_key is None or not ids:
            return {}
        index, position = self._cached.cache.fact_positions, self._cached.point().position
        return facts_named(self.cursor, index, position, scope_key, subject, ids)

    def all_facts(self, scope: Scope, subject: Subject) -> Iterator[tuple[str, tuple[Fact, ...]]]:
        """All ids of a subject, deleted ones included, with their facts, in the order of their first use."""
        scope_key = self._cached.scope_key(scope)
        return iter(()) if scope_key is None else all_facts(self.cursor, scope_key, subject)

    def ids(self, scope: Scope, subject: Subject, after: str | None, limit: int) -> list[str]:
        """A page of the ids of a subject, deleted ones included, in ascending order."""
        limit, scope_key = _page(limit), self._cached.scope_key(scope)
        return [] if scope_key is None else distinct_ids(self.cursor, scope_key, subject, after, limit)

    def api_keys(self, scope: Scope) -> list[ApiKeyRecord]:
        """All API keys of the scope, revoked ones included, in the order of their issue."""
        scope_key = self._cached.scope_key(scope)
        return [] if scope_key is None else api_keys.api_keys(self.cursor, scope_key)

    def all_api_keys(self) -> list[ApiKeyRecord]:
        """All API keys of every scope, revoked ones included."""
        return api_keys.api_keys(self.cursor, None)

    def prices(
        self,
        scope: Scope,
        provider: str | None,
        model: str | None,
        after: PriceCursor | None,
        limit: int,
        owners: Owners = ANY_OWNER,
    ) -> list[PriceRecord]:
        """A page of the scope's own prices, those of its customers, and list prices of models that its usage met."""
        limit, scope_key = _page(limit), self._cached.scope_key(scope)
        if scope_key is None:
            return []
        known = KnownPrices(self.cursor, scope_key, self._cached.first_uses(scope_key))
        return known.page(provider, model, after, limit, owners)

    def price_at(self, scope: Scope, position: int) -> PriceRecord | None:
        """The price that the log record at this position set; None when the scope does not know it."""
        scope_key = self._cached.scope_key(scope)
        if scope_key is None:
            return None
        known = self._cached.cache.prices.get((scope_key, position))
        if known is not None and known.position <= self._cached.point().position:
            return known
        met = self._cached.first_uses(scope_key, series_priced_at(self.cursor, position))
        price = KnownPrices(self.cursor, scope_key, met).at(position)
        if price is not None:
            self._cached.cache.remember_price(scope_key, position, price)
        return price

    def discounts(self, scope: Scope, after: int, limit: int, owners: Owners = ANY_OWNER) -> list[DiscountRecord]:
        """A page of the discounts of the scope and of its customers."""
        limit, scope_key = _page(limit), self._cached.scope_key(scope)
        return [] if scope_key is None else discounts(self.cursor, scope_key, after, limit, owners)

    def discounts_at(self, scope: Scope, positions: Sequence[int]) -> list[DiscountRecord]:
        """The discounts that the log records at these positions set, in the given order."""
        scope_key = self._cached.scope_key(scope)
        return [] if scope_key is None or not positions else discounts_at(self.cursor, scope_key, positions)

    def listed_models(self, after: tuple[str, str] | None, limit: int) -> list[ListedModel]:
        """A page of the models of every scope, by provider and model."""
        return listed_models(self.cursor, after, _page(limit))


def _page(limit: int) -> int:
    if not 1 <= limit <= PAGE_ROWS_MAX:
        raise InvalidInput("limit", f"must be 1 to {PAGE_ROWS_MAX}")
    return limit


def _check_segments(segments: Sequence[Segment]) -> None:
    if len(segments) > WINDOWS_MAX:
        raise InvalidInput("window", f"must not make more than {WINDOWS_MAX} windows", "too_many_windows")
