"""The queries of a snapshot about re-pricing."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from domain.repricings.repricing_range import RepricingRange
from domain.scope import Scope
from projections.duckdb.reading.cached_reads import CachedReads
from projections.duckdb.reading.correcting.runs import CORRECTION_RUNS
from projections.duckdb.reading.named_runs import run_steps
from projections.duckdb.reading.repricing import runs
from projections.duckdb.reading.repricing.rows import models_of, rows_to_reprice, scope_pricing
from projections.pricing.row_range import row_range
from projections.queries.repricing import RepricingRecord, RunStep, ScopePricing


class RepricingReads:
    """Part of a `Snapshot`: re-pricing runs, the rows that one is about, and the prices for them."""

    _cached: CachedReads

    def repricings(self, scope: Scope, after: str | None, limit: int) -> list[RepricingRecord]:
        """A page of the re-pricing runs of a scope, in ascending order of name."""
        return runs.repricings(self._cached.cursor, self._cached.scope_key(scope), after, limit)

    def repricing(self, scope: Scope, name: str) -> RepricingRecord | None:
        """The re-pricing run of this name; None when there is none."""
        return runs.repricing(self._cached.cursor, self._cached.scope_key(scope), name)

    def rows_to_reprice(
        self, scope: Scope, asked: RepricingRange, after: tuple[int, int] | None, limit: int
    ) -> pa.Table | None:
        """A page of the rows in the range of a re-pricing; None behind the last one."""
        scope_key = self._cached.scope_key(scope)
        if scope_key is None:
            return None

        def customer_key(customer: str, of_scope: int = scope_key) -> int | None:
            row = self._cached.customer_row(of_scope, customer)
            return None if row is None else row.key

        position = self._cached.point().position
        rows = row_range(asked, scope_key, models_of(self._cached.all_series()), customer_key, position)
        return rows_to_reprice(self._cached.cursor, rows, after, limit)

    def scope_pricing(self, scope: Scope) -> ScopePricing | None:
        """The prices that the fold knows, for rows of a scope; None for an unknown one."""
        scope_key = self._cached.scope_key(scope)
        if scope_key is None:
            return None
        return scope_pricing(self._cached.cursor, scope_key, self._cached.all_series())

    def run_steps(self, scope: Scope, positions: Sequence[int]) -> dict[int, RunStep]:
        """What re-pricing and correction runs of a scope did at some of these log positions, by position."""
        tables = (runs.REPRICINGS, CORRECTION_RUNS)
        return run_steps(self._cached.cursor, tables, self._cached.scope_key(scope), positions)
