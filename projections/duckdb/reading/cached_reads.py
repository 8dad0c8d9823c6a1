"""What the snapshots of a store share in memory, used by one of them where it is valid at its log position.

Whatever is not in memory, or may have changed since, is read from the store and kept.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final

import duckdb
import msgspec

from domain.scope import Scope
from domain.usage.block_schema import REQUEST_TYPE
from domain.values.instants import aware_or_none
from projections.duckdb.memory.change_tracking import ChangeTracker, CustomerRow, LastWritten
from projections.duckdb.memory.derived_ids import DerivedIds
from projections.duckdb.memory.fact_positions import FactPositions
from projections.duckdb.memory.first_uses import FirstUses, UsesBySeries
from projections.duckdb.memory.kept_answers import KeptAnswers, Reads, kept_or_read
from projections.duckdb.memory.monthly_usage import COMPACTED_DAYS, MonthlyUsage, monthly_usage
from projections.duckdb.memory.recent_days import RecentDays
from projections.duckdb.memory.unit_owners import UnitOwners
from projections.duckdb.reading import customers
from projections.duckdb.reading.customer_lists.usage_totals import usage_totals
from projections.duckdb.reading.event_pages import Markups
from projections.duckdb.reading.facts import facts_of_customer, facts_of_customers_with_markup
from projections.duckdb.reading.usage_sums import UsageSumQuery
from projections.duckdb.storage.series import Series, all_series
from projections.queries.customer_list import UsageTotals
from projections.queries.facts import Fact
from projections.queries.log import LogPoint
from projections.queries.prices import PriceRecord
from projections.queries.usage import GROUPS_MAX, UsageQuestion, UsageSum, sum_sort_key
from projections.views.customers import markup_at, markup_changes

CUSTOMERS_KNOWN_MAX: Final = 100_000
PRICES_KNOWN_MAX: Final = 10_000
#: Facts and monthly sums, of all customers together.
FACTS_KNOWN_MAX: Final = 50_000
SUMS_KNOWN_MAX: Final = 100_000


class SnapshotCache:
    """Cached reads of one store.

    Surrogate keys never change once assigned. Whatever may change is kept with the position at which it was read. A
    part that grows too large is cleared as a whole.
    """

    def __init__(self, unit_owners: UnitOwners | None = None) -> None:
        self.unit_owners = unit_owners  # None: only the store tells
        self.scopes: dict[Scope, int] = {}
        self.customers: dict[tuple[int, str], CustomerRow] = {}
        self.series: tuple[int, tuple[Series, ...]] = (-1, ())  # as of a log position
        self.facts: dict[int, tuple[int, list[Fact]]] = {}  # as of a log position
        self.usage: dict[int, MonthlyUsage] = {}
        self.totals: dict[int, tuple[int, UsageTotals]] = {}  # as of a log position
        self.prices: dict[tuple[int, int], PriceRecord] = {}  # by scope and log position, once the scope knows them
        self.fact_positions = FactPositions()
        self.derived_ids = DerivedIds()
        self.first_uses = FirstUses()
        self.answers = KeptAnswers()
        self.lock = threading.Lock()
        self.facts_kept = 0
        self.sums_kept = 0

    def remember(self, scope_key: int, customer_id: str, row: CustomerRow) -> None:
        """Keep the key of a customer."""
        if len(self.customers) >= CUSTOMERS_KNOWN_MAX:
            self.customers.clear()
        self.customers[scope_key, customer_id] = row

    def remember_totals(self, customer_key: int, position: int, totals: UsageTotals) -> None:
        """Keep the usage of a customer's present life as it is at a position."""
        if len(self.totals) >= CUSTOMERS_KNOWN_MAX:
            self.totals.clear()
        self.totals[customer_key] = position, totals

    def remember_price(self, scope_key: int, position: int, price: PriceRecord) -> None:
        """Keep a price as a scope knows it."""
        if len(self.prices) >= PRICES_KNOWN_MAX:
            self.prices.clear()
        self.prices[scope_key, position] = price

    def make_room(self) -> None:
        """Clear what has grown too large, before something is read to be kept."""
        with self.lock:
            if self.facts_kept >= FACTS_KNOWN_MAX:
                self.facts.clear()
                self.facts_kept = 0
            if self.sums_kept >= SUMS_KNOWN_MAX:
                self.usage.clear()
                self.sums_kept = 0


class _KnownCustomer(msgspec.Struct, frozen=True):
    """What the cache held of a customer, and where its data was last written by then; None: only the store tells.

    `written` is asked last: an entry that is cached afterwards may hold a write that it does not name.
    """

    facts: tuple[int, list[Fact]] | None
    usage: MonthlyUsage | None
    totals: tuple[int, UsageTotals] | None
    written: LastWritten


@dataclass
class CachedReads:
    """Reads of one snapshot.

    `changes` are those of the fold into this store; without them only what never changes is shared. Methods that take
    the key of a customer are asked after `customer_row` has found it.
    """

    cursor: duckdb.DuckDBPyConnection
    cache: SnapshotCache
    changes: ChangeTracker | None
    _point: LogPoint | None = field(default=None, init=False)
    _days_compacted_to: int = field(default=0, init=False)
    _known: dict[int, _KnownCustomer] = field(default_factory=dict, init=False)
    _facts: dict[int, list[Fact]] = field(default_factory=dict, init=False)
    #: Monthly usage by customer key, once `first_and_last_seen` has read it; None: too many sums to keep.
    months: dict[int, MonthlyUsage | None] = field(default_factory=dict, init=False)

    def point(self) -> LogPoint:
        """The log position of this snapshot."""
        if self._point is None:
            asked = "SELECT position, recorded_at, days_settled_to FROM progress"
            position, recorded_at, self._days_compacted_to = self.cursor.execute(asked).fetchall()[0]
            self._point = LogPoint(position, aware_or_none(recorded_at))
        return self._point

    def days_compacted_to(self) -> int:
        """The position up to which the days were compacted, and the rows as a rule."""
        self.point()
        return self._days_compacted_to

    def scope_key(self, scope: Scope) -> int | None:
        """The key of a scope; None when the log does not name it."""
        key = self.cache.scopes.get(scope)
        if key is None:
            asked = "SELECT scope_key FROM scopes WHERE tenant = ? AND environment = ?"
            found = self.cursor.execute(asked, [scope.tenant, scope.environment]).fetchall()
            if found:
                key = self.cache.scopes[scope] = int(found[0][0])
        return key

    def customer_row(self, scope_key: int, customer_id: str) -> CustomerRow | None:
        """The key of a customer, and where it is first named; None when the store holds none of this id."""
        row = self.cache.customers.get((scope_key, customer_id))
        if row is None and self.changes is not None:
            row = self.changes.customer(scope_key, customer_id, self.point().position)
        if row is None:
            row = customers.customer_row(self.cursor, scope_key, customer_id)
            if row is not None:
                self.cache.remember(scope_key, customer_id, row)
        if row is not None and self.changes is not None and row.key not in self._known:
            cached = self.cache.facts.get(row.key), self.cache.usage.get(row.key), self.cache.totals.get(row.key)
            self._known[row.key] = _KnownCustomer(*cached, self.changes.last_written(row.key))
        return row

    def facts_of(self, customer_key: int, as_of: int | None) -> list[Fact]:
        """The facts of a customer in log order, up to the position `as_of` if there is one."""
        if customer_key not in self._facts:
            self._facts[customer_key] = self._all_facts_of(customer_key)
        return [fact for fact in self._facts[customer_key] if as_of is None or fact.position <= as_of]

    def _all_facts_of(self, customer_key: int) -> list[Fact]:
        if self.changes is None:
            return facts_of_customer(self.cursor, customer_key)
        known, position = self._known[customer_key], self.point().position
        if known.written.facts_at == 0:
            return []
        if known.facts is not None and known.written.facts_at <= min(known.facts[0], position):
            return known.facts[1]
        self.cache.make_room()
        facts = facts_of_customer(self.cursor, customer_key)
        with self.cache.lock:
            self.cache.facts_kept += 1 + len(facts)
            self.cache.facts[customer_key] = position, facts
        return facts

    def first_and_last_seen(self, scope_key: int, customer_key: int) -> tuple[datetime | None, datetime | None]:
        """The time range of a customer's usage, read with its monthly usage, which is mostly asked for next."""
        if customer_key not in self.months:
            self.months[customer_key] = self._monthly_usage(customer_key)
        months = self.months[customer_key]
        if months is None:
            return customers.first_and_last_seen(self.cursor, scope_key, customer_key)
        return aware_or_none(months.first_time), aware_or_none(months.last_time)

    def _monthly_usage(self, customer_key: int) -> MonthlyUsage | None:
        position = self.point().position
        if self.changes is None:
            return monthly_usage(self.cursor, customer_key, position)
        known = self._known[customer_key]
        before = known.usage
        if before is not None and known.written.usage_at <= min(before.position, position):
            return before
        self.cache.make_room()
        usage = self._monthly_usage_read(self.changes.days, customer_key, before)
        if usage is not None:
            with self.cache.lock:
                replaced = self.cache.usage.get(customer_key)
                self.cache.sums_kept += len(usage.months) + (1 if replaced is None else -len(replaced.months))
                self.cache.usage[customer_key] = usage
        return usage

    def _monthly_usage_read(
        self, days: RecentDays, customer_key: int, before: MonthlyUsage | None
    ) -> MonthlyUsage | None:
        """Usage from the cache, else from the compacted days, plus recent deltas in memory; else all from the store."""
        position, compacted_to = self.point().position, self._days_compacted_to
        if before is not None and before.position <= position:
            recent = days.since(customer_key, before.position, position)
            if recent is not None:
                return before.plus(recent, position)
        recent = days.since(customer_key, compacted_to, position)
        if recent is not None:
            compacted = monthly_usage(self.cursor, customer_key, compacted_to, COMPACTED_DAYS)
            return None if compacted is None else compacted.plus(recent, position)
        return monthly_usage(self.cursor, customer_key, position)

    def usage_totals(self, customer_keys: Sequence[int]) -> dict[int, UsageTotals]:
        """The usage of each of these customers in its present life, which its facts end too."""
        found = {key: totals for key in customer_keys if (totals := self._totals_known(key)) is not None}
        missing = [key for key in customer_keys if key not in found]
        if missing:
            read = usage_totals(self.cursor, self.request_keys(), missing)
            for key in missing:
                found[key] = read.get(key, UsageTotals())
                if self.changes is not None:
                    self.cache.remember_totals(key, self.point().position, found[key])
        return found

    def _totals_known(self, customer_key: int) -> UsageTotals | None:
        known = self._known.get(customer_key)
        if known is None or known.totals is None:
            return None
        read_at, totals = known.totals
        last_written = max(known.written.usage_at, known.written.facts_at)
        return totals if last_written <= min(read_at, self.point().position) else None

    def all_series(self) -> tuple[Series, ...]:
        """Every series of the store."""
        position = self.point().position
        loaded_at, series = self.cache.series
        same = loaded_at == position or (
            loaded_at >= 0 and self.changes is not None and self.changes.same_series(loaded_at, position)
        )
        if not same:
            series = all_series(self.cursor)
            self.cache.series = position, series
        return series

    def may_have_units(self, scope_key: int, customer_key: int | None) -> bool:
        """Whether a customer may have units without a column of their own; without one, any customer of the scope."""
        owners = self.cache.unit_owners
        return owners is None or owners.may_have_units(scope_key, customer_key)

    def request_keys(self) -> list[int]:
        """The keys of all series of requests to models."""
        return [series.key for series in self.all_series() if series.type == REQUEST_TYPE]

    def first_uses(self, scope_key: int, of_series: set[int] | None = None) -> UsesBySeries:
        """The first uses of series by a scope: of these, or of all."""
        position, count = self.point().position, len(self.all_series())
        if of_series is None:
            return self.cache.first_uses.of_scope(self.cursor, scope_key, position, count)
        return self.cache.first_uses.of_series(self.cursor, scope_key, of_series, position, count)


#: The keys of a scope, and of a customer; None: all of them.
OwnerKeys = tuple[int, int | None]


def answered_usage(cached: CachedReads, owner: OwnerKeys, question: UsageQuestion) -> list[UsageSum]:
    """Answer a question, whose `as_of` is None unless it lies before the snapshot. `InvalidInput`: too many groups."""
    customer_key = owner[1]
    if cached.changes is None or customer_key is None or not _is_kept(question):
        return _usage(cached, owner, question)

    def read(counted_after: int | None) -> list[UsageSum]:
        return _usage(cached, owner, msgspec.structs.replace(question, counted_after=counted_after))

    reads = Reads(partial(cached.changes.last_written, customer_key), read, _combined, GROUPS_MAX)
    return kept_or_read(cached.cache.answers, ["usage", *owner, question], cached.point().position, reads)


def all_markups(cursor: duckdb.DuckDBPyConnection, scope_key: int, as_of: int | None) -> Markups:
    """Return the changes of markup of every customer that ever had one, by key."""
    facts = facts_of_customers_with_markup(cursor, scope_key, as_of)
    return {key: changes for key, found in facts.items() if (changes := markup_changes(found))}


def _is_kept(question: UsageQuestion) -> bool:
    """Whether many readers ask for it again. Sums at markups are not kept, since a fact changes these."""
    return "subscription" in question.group_by and question.as_of is None and not question.split_markup


def _combined(sums: Iterable[UsageSum]) -> list[UsageSum]:
    found: dict[tuple[int, tuple[str | None, ...]], UsageSum] = {}
    for one in sums:
        group = one.segment, one.group
        known = found.get(group)
        found[group] = one if known is None else msgspec.structs.replace(known, sums=known.sums.plus(one.sums))
    return sorted(found.values(), key=sum_sort_key)


def _usage(cached: CachedReads, owner: OwnerKeys, question: UsageQuestion) -> list[UsageSum]:
    sums = _sums(cached, owner, question)
    if not question.with_units or not sums or not cached.may_have_units(*owner):
        return sums
    return UsageSumQuery(*owner, question, cached.all_series(), {}).with_units(cached.cursor, sums)


def _sums(cached: CachedReads, owner: OwnerKeys, question: UsageQuestion) -> list[UsageSum]:
    """The answer but for units."""
    (scope_key, customer_key), series = owner, cached.all_series()
    if not question.split_markup:
        return UsageSumQuery(*owner, question, series, {}).answer(cached.cursor)
    if customer_key is None:
        markups = all_markups(cached.cursor, scope_key, question.as_of)
        return UsageSumQuery(*owner, question, series, markups).answer(cached.cursor)
    changes = markup_changes(cached.facts_of(customer_key, question.as_of))
    start, end = question.segments[0].start, question.segments[-1].end
    inside = [change for change in changes if start < change.start < end]
    percentage = markup_at(changes, start)
    months = cached.months.get(customer_key)
    if months is not None and not inside and months.can_answer(question):
        return sorted(months.answer(question, series, percentage), key=sum_sort_key)
    of_customer = {customer_key: inside} if inside else {}
    return UsageSumQuery(*owner, question, series, of_customer, percentage).answer(cached.cursor)
