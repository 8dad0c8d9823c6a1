"""What the snapshots of a store share in memory, used by one of them where it is valid at its log position.

Whatever is not in memory, or may have changed since, is read from the store and kept.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import duckdb

from domain.scope import Scope
from domain.values.instants import aware_or_none
from projections.duckdb.memory.budget_positions import BudgetPositions
from projections.duckdb.memory.change_tracking import ChangeTracker, CustomerRow
from projections.duckdb.memory.monthly_usage import COMPACTED_DAYS, MonthlyUsage, monthly_usage
from projections.duckdb.reading import customers
from projections.duckdb.reading.facts import facts_of_budgets_named, facts_of_customer
from projections.duckdb.storage.series import Series, all_series
from projections.queries.facts import Fact
from projections.queries.log import LogPoint

CUSTOMERS_KNOWN_MAX: Final = 100_000
#: Facts and monthly sums, of all customers together.
FACTS_KNOWN_MAX: Final = 50_000
SUMS_KNOWN_MAX: Final = 100_000


class SnapshotCache:
    """Cached reads of one store.

    Surrogate keys never change once assigned. Whatever may change is kept with the position at which it was read. A
    part that grows too large is cleared as a whole.
    """

    def __init__(self) -> None:
        self.scopes: dict[Scope, int] = {}
        self.customers: dict[tuple[int, str], CustomerRow] = {}
        self.series: tuple[int, tuple[Series, ...]] = (-1, ())  # as of a log position
        self.facts: dict[int, tuple[int, list[Fact]]] = {}  # as of a log position
        self.usage: dict[int, MonthlyUsage] = {}
        self.budgets = BudgetPositions()
        self._lock = threading.Lock()
        self._facts_kept = 0
        self._sums_kept = 0

    def remember(self, scope_key: int, customer_id: str, row: CustomerRow) -> None:
        """Keep the key of a customer."""
        if len(self.customers) >= CUSTOMERS_KNOWN_MAX:
            self.customers.clear()
        self.customers[scope_key, customer_id] = row

    def remember_facts(self, customer_key: int, position: int, facts: list[Fact]) -> None:
        """Keep the facts of a customer as the store holds them at `position`."""
        with self._lock:
            if self._facts_kept >= FACTS_KNOWN_MAX:
                self.facts.clear()
                self._facts_kept = 0
            self._facts_kept += 1 + len(facts)
            self.facts[customer_key] = position, facts

    def remember_usage(self, customer_key: int, usage: MonthlyUsage) -> None:
        """Keep the usage of a customer."""
        with self._lock:
            if self._sums_kept >= SUMS_KNOWN_MAX:
                self.usage.clear()
                self._sums_kept = 0
            before = self.usage.get(customer_key)
            self._sums_kept += len(usage.months) + (1 if before is None else -len(before.months))
            self.usage[customer_key] = usage


class CachedReads:
    """Reads of one snapshot.

    `changes` are those of the fold into this store; without them only what never changes is shared.
    """

    def __init__(self, cursor: duckdb.DuckDBPyConnection, cache: SnapshotCache, changes: ChangeTracker | None) -> None:
        self._cursor = cursor
        self._cache = cache
        self._changes = changes
        self._point: LogPoint | None = None
        self._days_compacted_to = 0
        self._facts: dict[int, list[Fact]] = {}
        self._months: dict[int, MonthlyUsage | None] = {}

    def point(self) -> LogPoint:
        """The log position of this snapshot."""
        if self._point is None:
            asked = "SELECT position, recorded_at, days_settled_to FROM progress"
            position, recorded_at, self._days_compacted_to = self._cursor.execute(asked).fetchall()[0]
            self._point = LogPoint(position, aware_or_none(recorded_at))
        return self._point

    def scope_key(self, scope: Scope) -> int | None:
        """The key of a scope; None when the log does not name it."""
        key = self._cache.scopes.get(scope)
        if key is None:
            asked = "SELECT scope_key FROM scopes WHERE tenant = ? AND environment = ?"
            found = self._cursor.execute(asked, [scope.tenant, scope.environment]).fetchall()
            if found:
                key = self._cache.scopes[scope] = int(found[0][0])
        return key

    def customer_row(self, scope_key: int, customer_id: str) -> CustomerRow | None:
        """The key of a customer, and where it is first named; None when the store holds none of this id."""
        known = self._cache.customers.get((scope_key, customer_id))
        if known is None and self._changes is not None:
            known = self._changes.customer(scope_key, customer_id, self.point().position)
        if known is None:
            known = customers.customer_row(self._cursor, scope_key, customer_id)
            if known is not None:
                self._cache.remember(scope_key, customer_id, known)
        return known

    def first_and_last_seen(self, scope_key: int, customer_key: int) -> tuple[datetime | None, datetime | None]:
        """The time range of a customer's usage, read with its monthly usage, which is mostly asked for next."""
        if customer_key not in self._months:
            self._months[customer_key] = self._monthly_usage(customer_key)
        months = self._months[customer_key]
        if months is None:
            return customers.first_and_last_seen(self._cursor, scope_key, customer_key)
        return aware_or_none(months.first_time), aware_or_none(months.last_time)

    def months_read(self, customer_key: int) -> MonthlyUsage | None:
        """The monthly usage of a customer if `first_and_last_seen` has read it; else None."""
        return self._months.get(customer_key)

    def _monthly_usage(self, customer_key: int) -> MonthlyUsage | None:
        position, known = self.point().position, self._cache.usage.get(customer_key)
        if (
            self._changes is not None
            and known is not None
            and self._changes.same_usage(customer_key, known.position, position)
        ):
            return known
        usage = self._monthly_usage_read(customer_key, known)
        if usage is not None and self._changes is not None:
            self._cache.remember_usage(customer_key, usage)
        return usage

    def _monthly_usage_read(self, customer_key: int, known: MonthlyUsage | None) -> MonthlyUsage | None:
        """Usage from the cache, else from the compacted days, plus recent deltas in memory; else all from the store."""
        position, compacted_to = self.point().position, self._days_compacted_to
        if self._changes is not None:
            since = self._changes.days.since
            if known is not None and known.position <= position:
                recent = since(customer_key, known.position, position)
                if recent is not None:
                    return known.plus(recent, position)
            recent = since(customer_key, compacted_to, position)
            if recent is not None:
                compacted = monthly_usage(self._cursor, customer_key, compacted_to, COMPACTED_DAYS)
                return None if compacted is None else compacted.plus(recent, position)
        return monthly_usage(self._cursor, customer_key, position)

    def all_series(self) -> tuple[Series, ...]:
        """Every series of the store."""
        position = self.point().position
        loaded_at, series = self._cache.series
        same = loaded_at == position or (
            loaded_at >= 0 and self._changes is not None and self._changes.same_series(loaded_at, position)
        )
        if not same:
            series = all_series(self._cursor)
            self._cache.series = position, series
        return series

    def facts_of(self, customer_key: int, as_of: int | None) -> list[Fact]:
        """The facts of a customer in log order, up to the position `as_of` if there is one."""
        if customer_key not in self._facts:
            self._facts[customer_key] = self._all_facts_of(customer_key)
        return [fact for fact in self._facts[customer_key] if as_of is None or fact.position <= as_of]

    def _all_facts_of(self, customer_key: int) -> list[Fact]:
        if self._changes is None:
            return facts_of_customer(self._cursor, customer_key)
        position = self.point().position
        if not self._changes.has_facts(customer_key):
            return []
        known = self._cache.facts.get(customer_key)
        if known is not None and self._changes.same_facts(customer_key, known[0], position):
            return known[1]
        facts = facts_of_customer(self._cursor, customer_key)
        self._cache.remember_facts(customer_key, position, facts)
        return facts

    def budgets_named(self, scope_key: int, budget_ids: Sequence[str]) -> dict[str, tuple[Fact, ...]]:
        """The facts of shared budgets by id; where those stand in the store is kept."""
        return facts_of_budgets_named(self._cursor, self._cache.budgets, scope_key, budget_ids)
