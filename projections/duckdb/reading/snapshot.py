"""The query interface over a DuckDB read store: every method of `projections.queries.snapshot.Snapshot`.

A snapshot is a read transaction on a cursor of its own, used by one thread at a time; results are fetched whole, but
for all budgets, which come in batches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any

import duckdb
import msgspec

from domain.errors import InvalidInput
from domain.scope import Scope
from domain.usage.block_schema import REQUEST_TYPE
from domain.usage.outcomes import EventOutcome, Outcome, OutcomeCounts
from domain.values.instants import aware_or_none, naive
from projections.duckdb.memory.change_tracking import Changes, CustomerRow
from projections.duckdb.memory.monthly_usage import SETTLED_DAYS, MonthlyUsage, monthly_usage
from projections.duckdb.memory.snapshot_cache import SnapshotCache
from projections.duckdb.reading import customer_pages
from projections.duckdb.reading import customers as fact_rows
from projections.duckdb.reading import events as event_rows
from projections.duckdb.reading.event_pages import EventPaging, Markups, needs_markups
from projections.duckdb.reading.meters import meter_values
from projections.duckdb.reading.usage_sums import UsageSumming, in_order
from projections.duckdb.storage.series import Series, all_series
from projections.duckdb.storage.storage_errors import storage_refusal
from projections.errors import ReadStoreUnavailable
from projections.queries.api_keys import ApiKeyRecord
from projections.queries.customers import CustomerRecord, CustomerSpan, Fact
from projections.queries.events import (
    CorrectionRecord,
    EventFilter,
    EventPage,
    EventQuestion,
    MarkedEvent,
    OutcomeRow,
    RowSpan,
    UsageEventRow,
)
from projections.queries.log import LogPoint, SourceCounts, SourceRecord
from projections.queries.prices import PriceRecord
from projections.queries.snapshot import PAGE_ROWS_MAX
from projections.queries.usage import WINDOWS_MAX, MeterQuestion, MeterValue, Segment, UsageQuestion, UsageSum
from projections.views.markups import markup_at, markup_changes

_COUNTS = (
    "coalesce(sum(counted), 0), coalesce(sum(duplicate), 0), coalesce(sum(conflict), 0), coalesce(sum(rejected), 0)"
)


class DuckDBReads:
    """A read store whose cursors come from `connect`: one for every snapshot, closed with it."""

    def __init__(self, connect: Callable[[], duckdb.DuckDBPyConnection], changes: Changes | None = None) -> None:
        """`changes`: of the fold into this store; without it nothing that may change is remembered."""
        self._connect = connect
        self._changes = changes
        self._keys = SnapshotCache()

    @contextmanager
    def snapshot(self) -> Iterator[DuckDBSnapshot]:
        """A consistent view that lasts as long as the context. Used by one thread at a time.

        Raises `ReadStoreUnavailable` while the storage underneath has failed.
        """
        try:
            cursor = self._connect()
            try:
                cursor.execute("BEGIN TRANSACTION READ ONLY")
                yield DuckDBSnapshot(cursor, self._keys, self._changes)
            finally:
                cursor.close()
        except (duckdb.FatalException, duckdb.ConnectionException) as error:
            # The database was invalidated, or is closed because it is about to be opened again.
            reason = storage_refusal(error) or str(error).splitlines()[0]
            raise ReadStoreUnavailable(f"the read store cannot be read: {reason}") from error

    def all_counted(self, spans: Sequence[RowSpan]) -> bool:
        return self._changes is not None and self._changes.refusals.all_counted(spans)


class DuckDBSnapshot:
    """Reads at one position, on a cursor that is in a transaction."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, keys: SnapshotCache, changes: Changes | None) -> None:
        self._cursor = cursor
        self._keys = keys
        self._changes = changes
        self._point: LogPoint | None = None
        self._days_settled_to = 0
        self._facts: dict[int, list[Fact]] = {}
        self._months: dict[int, MonthlyUsage | None] = {}

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._cursor.execute(sql, list(values)).fetchall()

    def _scope_key(self, scope: Scope) -> int | None:
        key = self._keys.scopes.get(scope)
        if key is None:
            named = [scope.tenant, scope.environment]
            found = self._rows("SELECT scope_key FROM scopes WHERE tenant = ? AND environment = ?", named)
            if found:
                key = self._keys.scopes[scope] = int(found[0][0])
        return key

    # -- the log

    def point(self) -> LogPoint:
        if self._point is None:
            asked = "SELECT position, recorded_at, days_settled_to FROM progress"
            position, recorded_at, self._days_settled_to = self._rows(asked)[0]
            self._point = LogPoint(position, aware_or_none(recorded_at))
        return self._point

    def position_at(self, instant: datetime) -> int:
        found = self._rows("SELECT max(position) FROM log_records WHERE recorded_at < ?", [naive(instant)])
        return found[0][0] or 0

    def source_counts(self, scope: Scope) -> list[SourceCounts]:
        rows = self._rows(
            f"""SELECT stream, {_COUNTS} FROM log_records WHERE scope_key = ? AND received > 0
            GROUP BY stream ORDER BY stream""",
            [self._scope_key(scope)],
        )
        return [SourceCounts(stream, OutcomeCounts(*counts)) for stream, *counts in rows]

    def sources(self, after: str | None, limit: int) -> list[SourceRecord]:
        return fact_rows.sources(self._cursor, after, _page(limit))

    def totals(self) -> OutcomeCounts:
        return OutcomeCounts(*self._rows(f"SELECT {_COUNTS} FROM log_records")[0])

    def scopes(self) -> list[Scope]:
        return [
            Scope(*row) for row in self._rows("SELECT tenant, environment FROM scopes ORDER BY tenant, environment")
        ]

    # -- customers

    def customer(self, scope: Scope, customer_id: str) -> CustomerRecord | None:
        scope_key = self._scope_key(scope)
        row = None if scope_key is None else self._customer_row(scope_key, customer_id)
        if scope_key is None or row is None:
            return None
        facts = self._facts_of(row.key, None)
        return CustomerRecord(customer_id, row.first_position, *self._seen(scope_key, row.key), tuple(facts))

    def _seen(self, scope_key: int, customer_key: int) -> tuple[datetime | None, datetime | None]:
        """When a customer was seen. Who asks that mostly asks for its usage next: both come in one statement."""
        if customer_key not in self._months:
            self._months[customer_key] = self._monthly_usage(customer_key)
        months = self._months[customer_key]
        if months is None:
            return fact_rows.seen(self._cursor, scope_key, customer_key)
        return aware_or_none(months.first_time), aware_or_none(months.last_time)

    def _monthly_usage(self, customer_key: int) -> MonthlyUsage | None:
        position, known = self.point().position, self._keys.usage.get(customer_key)
        if (
            self._changes is not None
            and known is not None
            and self._changes.same_usage(customer_key, known.position, position)
        ):
            return known
        usage = self._monthly_usage_read(customer_key, known)
        if usage is not None and self._changes is not None:
            self._keys.remember_usage(customer_key, usage)
        return usage

    def _monthly_usage_read(self, customer_key: int, known: MonthlyUsage | None) -> MonthlyUsage | None:
        """What is known, or else what is compacted, and what memory has since; or else all of it from the store."""
        position, settled_to = self.point().position, self._days_settled_to
        if self._changes is not None:
            since = self._changes.days.since
            if known is not None and known.position <= position:
                recent = since(customer_key, known.position, position)
                if recent is not None:
                    return known.plus(recent, position)
            recent = since(customer_key, settled_to, position)
            if recent is not None:
                compacted = monthly_usage(self._cursor, customer_key, settled_to, SETTLED_DAYS)
                return None if compacted is None else compacted.plus(recent, position)
        return monthly_usage(self._cursor, customer_key, position)

    def customers(self, scope: Scope, after: str | None, limit: int, prefix: str | None = None) -> list[CustomerRecord]:
        limit, scope_key = _page(limit), self._scope_key(scope)
        return [] if scope_key is None else fact_rows.customers(self._cursor, scope_key, after, limit, prefix)

    def customers_ever_deactivated(self, scope: Scope) -> list[CustomerRecord]:
        scope_key = self._scope_key(scope)
        return [] if scope_key is None else fact_rows.customers_ever_deactivated(self._cursor, scope_key)

    def customer_page(self, scope: Scope, offset: int, limit: int, search: str | None = None) -> list[CustomerRecord]:
        limit, scope_key = _page(limit), self._scope_key(scope)
        if scope_key is None:
            return []
        return customer_pages.customer_page(self._cursor, scope_key, offset, limit, search)

    def customers_blocked(self, scope: Scope, limit: int) -> list[CustomerRecord]:
        limit, scope_key = _page(limit), self._scope_key(scope)
        return [] if scope_key is None else customer_pages.customers_blocked(self._cursor, scope_key, limit)

    # -- usage

    def costs_of(self, scope: Scope, spans: Sequence[CustomerSpan]) -> list[Decimal]:
        scope_key = self._scope_key(scope)
        if scope_key is None:
            return [Decimal(0)] * len(spans)
        keys = [self._customer_row(scope_key, span.customer_id) for span in spans]
        asked = [
            (0 if row is None else row.key, naive(span.start), naive(span.end))
            for row, span in zip(keys, spans, strict=True)
        ]
        kinds = [kind.key for kind in self._kinds() if kind.type == REQUEST_TYPE]
        return customer_pages.costs_of(self._cursor, kinds, asked)

    def usage(self, scope: Scope, question: UsageQuestion) -> list[UsageSum]:
        whose = self._whose(scope, question.customer_id)
        _check_segments(question.segments)
        if whose is None or not question.segments:
            return []
        known, kinds = self._known(question), self._kinds()
        if not question.split_markup:
            return UsageSumming(*whose, known, kinds, {}).answer(self._cursor)
        if whose[1] is None:
            markups = self._all_markups(whose[0], known.as_of)
            return UsageSumming(*whose, known, kinds, markups).answer(self._cursor)
        changes = markup_changes(self._facts_of(whose[1], known.as_of))
        start, end = question.segments[0].start, question.segments[-1].end
        inside = [change for change in changes if start < change.start < end]
        percentage = markup_at(changes, start)
        months = self._months.get(whose[1])
        if months is not None and not inside and months.answers(known):
            return sorted(months.answer(known, kinds, percentage), key=in_order)
        of_customer = {whose[1]: inside} if inside else {}
        return UsageSumming(*whose, known, kinds, of_customer, percentage).answer(self._cursor)

    def _all_markups(self, scope_key: int, as_of: int | None) -> Markups:
        facts = fact_rows.facts_of_marked_customers(self._cursor, scope_key, as_of)
        return {key: changes for key, found in facts.items() if (changes := markup_changes(found))}

    def meter(self, scope: Scope, question: MeterQuestion) -> list[MeterValue]:
        whose = self._whose(scope, question.customer_id)
        _check_segments(question.segments)
        return [] if whose is None else meter_values(self._cursor, *whose, question)

    def _whose(self, scope: Scope, customer_id: str | None) -> tuple[int, int | None] | None:
        """Scope and customer as keys; None when there is no such scope or customer."""
        scope_key = self._scope_key(scope)
        if scope_key is None or customer_id is None:
            return None if scope_key is None else (scope_key, None)
        row = self._customer_row(scope_key, customer_id)
        return None if row is None else (scope_key, row.key)

    def _customer_row(self, scope_key: int, customer_id: str) -> CustomerRow | None:
        known = self._keys.customers.get((scope_key, customer_id))
        if known is None and self._changes is not None:
            known = self._changes.customer(scope_key, customer_id, self.point().position)
        if known is None:
            known = fact_rows.customer_row(self._cursor, scope_key, customer_id)
            if known is not None:
                self._keys.remember(scope_key, customer_id, known)
        return known

    def _kinds(self) -> tuple[Series, ...]:
        position = self.point().position
        loaded_at, kinds = self._keys.kinds
        same = loaded_at == position or (
            loaded_at >= 0 and self._changes is not None and self._changes.same_kinds(loaded_at, position)
        )
        if not same:
            kinds = all_series(self._cursor)
            self._keys.kinds = position, kinds
        return kinds

    def _facts_of(self, customer_key: int, as_of: int | None) -> list[Fact]:
        if customer_key not in self._facts:
            self._facts[customer_key] = self._all_facts_of(customer_key)
        return [fact for fact in self._facts[customer_key] if as_of is None or fact.position <= as_of]

    def _all_facts_of(self, customer_key: int) -> list[Fact]:
        if self._changes is None:
            return fact_rows.facts_of_customer(self._cursor, customer_key)
        position = self.point().position
        if not self._changes.has_facts(customer_key):
            return []
        known = self._keys.facts.get(customer_key)
        if known is not None and self._changes.same_facts(customer_key, known[0], position):
            return known[1]
        facts = fact_rows.facts_of_customer(self._cursor, customer_key)
        self._keys.remember_facts(customer_key, position, facts)
        return facts

    def _known(self, question: UsageQuestion) -> UsageQuestion:
        if question.as_of is None or self._earlier(question.as_of) is not None:
            return question
        return msgspec.structs.replace(question, as_of=None)

    def _earlier(self, as_of: int | None) -> int | None:
        """`as_of` when it lies before this snapshot; None when it asks for what is known now."""
        return as_of if as_of is not None and as_of < self.point().position else None

    # -- events

    def events(
        self, scope: Scope, where: EventFilter, after: tuple[datetime, int] | None, limit: int
    ) -> list[UsageEventRow]:
        limit, whose = _page(limit), self._whose(scope, where.customer_id)
        if whose is None:
            return []
        return event_rows.events(self._cursor, *whose, self._kind_keys(where), where, after, limit)

    def event_page(self, scope: Scope, question: EventQuestion, offset: int, limit: int) -> EventPage:
        limit, whose = _page(limit), self._whose(scope, question.where.customer_id)
        if whose is None:
            return EventPage(0, ())
        markups = self._markups_of(*whose) if needs_markups(question) else {}
        paging = EventPaging(*whose, self._kind_keys(question.where), question, markups)
        total, places = paging.page(self._cursor, offset, limit)
        facts = fact_rows.facts_of_customers(self._cursor, sorted({place.customer_key for place in places}))
        of_page = {key: markup_changes(found) for key, found in facts.items()}
        found = event_rows.events_in(self._cursor, places)
        events = [
            MarkedEvent(event, markup_at(of_page.get(place.customer_key, ()), event.time))
            for place, event in zip(places, found, strict=True)
        ]
        return EventPage(total, tuple(events))

    def _markups_of(self, scope_key: int, customer_key: int | None) -> Markups:
        if customer_key is None:
            return self._all_markups(scope_key, None)
        changes = markup_changes(self._facts_of(customer_key, None))
        return {customer_key: changes} if changes else {}

    def _kind_keys(self, where: EventFilter) -> list[int] | None:
        """The kinds that model and type of a filter mean; None: any."""
        if where.model is None and where.type is None:
            return None
        return [
            kind.key for kind in self._kinds() if where.model in (None, kind.model) and where.type in (None, kind.type)
        ]

    def event(self, scope: Scope, source: str, event_id: str) -> UsageEventRow | None:
        scope_key = self._scope_key(scope)
        return None if scope_key is None else event_rows.event_of_identity(self._cursor, scope_key, source, event_id)

    def event_at(self, locator: int) -> UsageEventRow | None:
        return event_rows.event_at(self._cursor, locator)

    def refusals_of(self, scope: Scope, source: str, event_id: str, limit: int) -> list[OutcomeRow]:
        limit, scope_key = _page(limit), self._scope_key(scope)
        if scope_key is None:
            return []
        return event_rows.refusals_of(self._cursor, scope_key, source, event_id, limit)

    def outcomes(
        self, scope: Scope, outcomes: tuple[Outcome, ...], after: int | None, limit: int, reason: str | None = None
    ) -> list[OutcomeRow]:
        limit, scope_key = _page(limit), self._scope_key(scope)
        if scope_key is None:
            return []
        return event_rows.outcomes(self._cursor, scope_key, outcomes, after, limit, reason)

    def receipt(self, spans: Sequence[RowSpan]) -> tuple[OutcomeCounts, list[EventOutcome]]:
        return event_rows.receipt(self._cursor, spans)

    def corrections(self, scope: Scope, source: str, event_id: str) -> list[CorrectionRecord]:
        scope_key = self._scope_key(scope)
        return [] if scope_key is None else event_rows.corrections(self._cursor, scope_key, source, event_id)

    # -- budgets, meters, keys, prices

    def budget_facts(self, scope: Scope, budget_id: str) -> tuple[Fact, ...]:
        return self.budgets_named(scope, [budget_id]).get(budget_id, ())

    def budget_ids(self, scope: Scope, after: str | None, limit: int) -> list[str]:
        return self._names("budget_facts", "budget_id", scope, after, limit)

    def budgets(self, scope: Scope) -> Iterator[tuple[str, tuple[Fact, ...]]]:
        scope_key = self._scope_key(scope)
        return iter(()) if scope_key is None else customer_pages.budgets(self._cursor, scope_key)

    def budgets_named(self, scope: Scope, budget_ids: Sequence[str]) -> dict[str, tuple[Fact, ...]]:
        scope_key = self._scope_key(scope)
        if scope_key is None or not budget_ids:
            return {}
        return customer_pages.budgets_named(self._cursor, self._keys.budgets, scope_key, budget_ids)

    def meter_facts(self, scope: Scope, code: str) -> tuple[Fact, ...]:
        scope_key = self._scope_key(scope)
        return () if scope_key is None else fact_rows.meter_facts(self._cursor, scope_key, code)

    def meter_codes(self, scope: Scope, after: str | None, limit: int) -> list[str]:
        return self._names("meter_facts", "code", scope, after, limit)

    def _names(self, table: str, column: str, scope: Scope, after: str | None, limit: int) -> list[str]:
        limit, scope_key = _page(limit), self._scope_key(scope)
        return [] if scope_key is None else fact_rows.names(self._cursor, table, column, scope_key, after, limit)

    def api_keys(self, scope: Scope) -> list[ApiKeyRecord]:
        scope_key = self._scope_key(scope)
        return [] if scope_key is None else fact_rows.api_keys(self._cursor, scope_key)

    def all_api_keys(self) -> list[ApiKeyRecord]:
        return fact_rows.api_keys(self._cursor, None)

    def prices(
        self, scope: Scope, provider: str | None, model: str | None, after: int | None, limit: int
    ) -> list[PriceRecord]:
        return fact_rows.prices(self._cursor, self._scope_key(scope), provider, model, after, _page(limit))

    def price_at(self, position: int) -> PriceRecord | None:
        return fact_rows.price_at(self._cursor, position)


def _page(limit: int) -> int:
    if not 1 <= limit <= PAGE_ROWS_MAX:
        raise InvalidInput("limit", f"is 1 to {PAGE_ROWS_MAX}")
    return limit


def _check_segments(segments: Sequence[Segment]) -> None:
    if len(segments) > WINDOWS_MAX:
        raise InvalidInput("window", f"makes more than {WINDOWS_MAX} windows", "too_many_windows")
