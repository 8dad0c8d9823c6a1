"""What some snapshot has read and others may use: what never changes, and what `Changes` knows to be as it was."""

from __future__ import annotations

import threading
from typing import Final

from domain.scope import Scope
from projections.duckdb.memory.budget_positions import BudgetPositions
from projections.duckdb.memory.change_tracking import CustomerRow
from projections.duckdb.memory.monthly_usage import MonthlyUsage
from projections.duckdb.storage.series import Series
from projections.queries.customers import Fact

CUSTOMERS_KNOWN_MAX: Final = 100_000
#: Facts of all customers together, and monthly sums of all customers together.
FACTS_KNOWN_MAX: Final = 50_000
SUMS_KNOWN_MAX: Final = 100_000


class SnapshotCache:
    """Shared by all snapshots of a store. Surrogate keys are given in log order and never change; what may change is
    kept with the position at which it was read. What becomes too much is forgotten as a whole."""

    def __init__(self) -> None:
        self.scopes: dict[Scope, int] = {}
        self.customers: dict[tuple[int, str], CustomerRow] = {}
        self.kinds: tuple[int, tuple[Series, ...]] = (-1, ())  # as of a log position
        self.facts: dict[int, tuple[int, list[Fact]]] = {}  # as of a log position
        self.usage: dict[int, MonthlyUsage] = {}
        self.budgets = BudgetPositions()
        self._lock = threading.Lock()
        self._facts_kept = 0
        self._sums_kept = 0

    def remember(self, scope_key: int, customer_id: str, row: CustomerRow) -> None:
        """Keep a customer's key."""
        if len(self.customers) >= CUSTOMERS_KNOWN_MAX:
            self.customers.clear()
        self.customers[scope_key, customer_id] = row

    def remember_facts(self, customer_key: int, position: int, facts: list[Fact]) -> None:
        """Keep the facts that the store at `position` holds of a customer."""
        with self._lock:
            if self._facts_kept >= FACTS_KNOWN_MAX:
                self.facts.clear()
                self._facts_kept = 0
            self._facts_kept += 1 + len(facts)
            self.facts[customer_key] = position, facts

    def remember_usage(self, customer_key: int, usage: MonthlyUsage) -> None:
        """Keep a customer's usage."""
        with self._lock:
            if self._sums_kept >= SUMS_KNOWN_MAX:
                self.usage.clear()
                self._sums_kept = 0
            before = self.usage.get(customer_key)
            self._sums_kept += len(usage.months) + (1 if before is None else -len(before.months))
            self.usage[customer_key] = usage
