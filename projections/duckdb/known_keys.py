"""What of a store never changes once it is there, remembered from one snapshot to the next."""

from __future__ import annotations

from typing import Final

from domain.scope import Scope
from projections.duckdb.fact_rows import CustomerRow
from projections.duckdb.kinds import Kind

CUSTOMERS_KNOWN_MAX: Final = 100_000


class KnownKeys:
    """Surrogate keys that some snapshot has looked up. They are given in log order and never change: all share them."""

    def __init__(self) -> None:
        self.scopes: dict[Scope, int] = {}
        self.customers: dict[tuple[int, str], CustomerRow] = {}
        self.kinds: tuple[int, tuple[Kind, ...]] = (-1, ())  # as of a log position

    def remember(self, scope_key: int, customer_id: str, row: CustomerRow) -> None:
        """Keep a customer's key; forgets all when they become too many."""
        if len(self.customers) >= CUSTOMERS_KNOWN_MAX:
            self.customers.clear()
        self.customers[scope_key, customer_id] = row
