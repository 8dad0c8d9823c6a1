"""Cache that the snapshots of a store share: data that never changes, and data that `ChangeTracker` can validate."""

from __future__ import annotations

import threading
from typing import Final

from domain.scope import Scope
from projections.duckdb.memory.budget_positions import BudgetPositions
from projections.duckdb.memory.change_tracking import CustomerRow
from projections.duckdb.memory.monthly_usage import MonthlyUsage
from projections.duckdb.storage.series import Series
from projections.queries.facts import Fact

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
