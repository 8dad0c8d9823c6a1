"""Prepared tables that become part of the store: listed as generations, with the position at which their step counts.

1. Rename the keys of customers and series that the fold gave other keys, and set position and instant.
2. List rows, days and outcomes as generations; add the sums of units.
3. Close the versions of rows that leave.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from domain.usage.locators import LOCATOR_ROW_BITS
from domain.values.instants import naive
from projections.arrow_columns import Ints
from projections.duckdb.memory.change_tracking import ChangeTracker
from projections.duckdb.storage.generations import Generations, refresh_views
from projections.duckdb.writing.backfill_rows import end_replaced, end_withdrawals
from projections.folding.backfill_store import PreparedTables, RenamedKeys, Withdrawal, WithdrawnRows


class AttachingWrites:
    """Writes of `AttachingStore`. Of the whole store it needs the cursor, generations and tracked changes."""

    changes: ChangeTracker
    _cursor: duckdb.DuckDBPyConnection
    _generations: Generations
    _holds_attached: bool

    def load_generations(self) -> None:
        """Load the list of generations again."""
        raise NotImplementedError

    def attach_arriving(self, tables: PreparedTables, renamed: RenamedKeys, position: int, at: datetime) -> None:
        """Make rows, sums and outcomes part of the store."""
        for table in (tables.rows, tables.days, tables.units):
            self._rename(table, "customer_key", renamed.customers)
            self._rename(table, "kind_key", renamed.kinds)
        then = {"position": position, "at": naive(at)}
        self._attach_rows(tables, "counted_at = $position, recorded_at = $at", then)
        self._attach_outcomes(tables, then)
        self._attach_sums(tables, _renamed(tables.customer_keys, renamed.customers))

    def attach_leaving(
        self, tables: PreparedTables, leaving: WithdrawnRows, by: Withdrawal, blocks: Sequence[int] = ()
    ) -> None:
        """Withdraw these events, whose outcomes and sums are in the tables."""
        if leaving.already:
            end_withdrawals(self._cursor, self._generations, str(tables.outcomes), by.position)
        which = f"locator IN (SELECT locator FROM {tables.outcomes})"
        values: dict[str, Any] = {"position": by.position}
        if blocks:  # of which all events leave that are counted
            which = f"locator >> {LOCATOR_ROW_BITS} IN (SELECT unnest($blocks::BIGINT[]))"
            values["blocks"] = list(blocks)
        for table in self._generations.row_tables():
            self._cursor.execute(
                f"UPDATE {table} SET closed_at = $position WHERE closed_at IS NULL AND {which}", values
            )
        self._attach_outcomes(tables, {"position": by.position, "at": naive(by.recorded_at)})
        self._attach_sums(tables, tables.customer_keys)

    def attach_returning(self, tables: PreparedTables, replaced_at: int, position: int) -> None:
        """Count the events again that were withdrawn at a position, by the versions and sums in the tables."""
        end_replaced(self._cursor, self._generations, replaced_at, position)
        self._attach_rows(tables, "counted_at = $position", {"position": position})
        self._attach_sums(tables, tables.customer_keys)

    def _attach_rows(self, tables: PreparedTables, columns: str, values: dict[str, Any]) -> None:
        self._cursor.execute(f"UPDATE {tables.rows} SET {columns}", values)
        rows = self._cursor.execute(f"SELECT count(*) FROM {tables.rows}").fetchall()[0][0]
        self._generations.attach(str(tables.rows), "rows", "settled", rows)

    def _attach_outcomes(self, tables: PreparedTables, values: dict[str, Any]) -> None:
        if tables.outcomes is not None:
            columns = "decided_at = $position, recorded_at = $at"
            self._cursor.execute(f"UPDATE {tables.outcomes} SET {columns}", values)
            self._generations.attach(tables.outcomes, "outcomes", "settled")

    def _attach_sums(self, tables: PreparedTables, customers: Ints) -> None:
        """Attach the sums, and end the attaching of these tables."""
        self._generations.attach(tables.days, "days", "frozen")
        if tables.units is not None:
            owners = self._cursor.execute(f"SELECT DISTINCT scope_key, customer_key FROM {tables.units}").fetchnumpy()
            self.changes.unit_owners.add(np.array(owners["scope_key"]), np.array(owners["customer_key"]))
            self._cursor.execute(f"INSERT INTO unit_days SELECT * FROM {tables.units}")
            self._cursor.execute(f"DROP TABLE {tables.units}")
        refresh_views(self._cursor)
        self.load_generations()
        self._holds_attached = True
        if customers.size:
            self.changes.corrected_usage(customers)

    def _rename(self, table: str | None, column: str, keys: Sequence[tuple[int, int]]) -> None:
        if table is None or not keys:
            return
        before, after = (pa.array(one, pa.int64()) for one in zip(*keys, strict=True))
        renamed = pa.table({"before": before, "after": after})  # which DuckDB finds among the variables here
        self._cursor.execute(f'UPDATE {table} SET {column} = r.after FROM renamed r WHERE {column} = r."before"')
        del renamed


def _renamed(keys: Ints, renamed: Sequence[tuple[int, int]]) -> Ints:
    after = dict(renamed)
    return np.array([after.get(key, key) for key in keys.tolist()], dtype=np.int64) if after else keys
