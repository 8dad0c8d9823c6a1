"""What a commit or revert of a backfill changes, written into tables that nobody reads yet, while the fold goes on.

1. Find what arrives, or leaves.
2. Write its rows, sorted, its sums and its outcomes into tables of their own, a few transactions each in a turn.
3. The fold attaches them (`attaching.py`). Tables that it never attaches are dropped, at the latest when the store is
   opened again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, TypeVar

import duckdb
import msgspec
import numpy as np
import pyarrow as pa

from projections.arrow_columns import integers
from projections.duckdb.storage.chunks import CHUNK_ROWS_MAX
from projections.duckdb.storage.generations import COLUMNS_OF, Generations, transaction
from projections.duckdb.storage.low_priority import at_low_priority
from projections.duckdb.storage.schema import OUTCOME_COLUMNS, UNIT_COLUMNS
from projections.duckdb.writing.backfill_rows import (
    HELD,
    find_in_blocks,
    find_in_range,
    find_returning,
    insert_withdrawn,
    moved_rows,
)
from projections.duckdb.writing.delta_inserts import insert_deltas, insert_unit_deltas
from projections.duckdb.writing.version_changes import cost_and_units
from projections.folding.backfill_store import (
    PreparedTables,
    RawCost,
    Reinstated,
    ReplacedRange,
    Withdrawal,
    WithdrawnRows,
)
from projections.read_side.compaction import WriteTurn

_COLUMNS: Final = COLUMNS_OF | {"units": UNIT_COLUMNS, "outcomes": OUTCOME_COLUMNS}

_SORTED: Final = "ORDER BY scope_key, customer_key, time, locator"

T = TypeVar("T")


class DuckDBPreparation:
    """See `projections.read_side.store.Preparation`. One cursor of its own, in one thread."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, write_turn: WriteTurn) -> None:
        self._cursor = cursor
        self._write_turn = write_turn
        self._made: list[str] = []

    def arriving(self, rows: pa.Table, outcomes: Sequence[pa.Table]) -> PreparedTables:
        """Write rows of events that are to count, of which none is closed, and the outcomes of others."""
        return self._unless_failed(lambda: self._arriving(rows, outcomes))

    def leaving_blocks(self, positions: Sequence[int], by: Withdrawal) -> tuple[WithdrawnRows, PreparedTables]:
        """Write what the withdrawal of the events of these blocks changes; `by` tells who will, but not when."""
        return self._unless_failed(lambda: self._leaving_blocks(positions, by))

    def leaving_range(self, asked: ReplacedRange, by: Withdrawal) -> tuple[WithdrawnRows, PreparedTables] | None:
        """Write what the withdrawal of the events of a range changes, likewise; None where some of them are void."""
        return self._unless_failed(lambda: self._leaving_range(asked, by))

    def returning(self, replaced_at: int) -> tuple[Reinstated, PreparedTables]:
        """Write what changes when the events count again that were withdrawn at a position."""
        return self._unless_failed(lambda: self._returning(replaced_at))

    def drop(self, *prepared: PreparedTables) -> None:
        """Drop tables, except those that the fold has attached. It attaches none of them any more."""
        attached = {name for (name,) in self._cursor.execute("SELECT name FROM generations").fetchall()}
        for tables in prepared:
            names = tables.rows, tables.days, tables.units, tables.outcomes
            self._drop([name for name in names if name not in attached])

    def close(self) -> None:
        """Close the cursor."""
        self._cursor.close()

    def _unless_failed(self, work: Callable[[], T]) -> T:
        self._made = []
        try:
            return work()
        except BaseException:
            with suppress(duckdb.Error):  # what cannot be dropped now is when the store is opened again
                self._drop(self._made)
            raise

    def _drop(self, names: Sequence[str | None]) -> None:
        with self._write_turn():
            for name in names:
                if name is not None:
                    self._cursor.execute(f"DROP TABLE IF EXISTS {name}")

    def _arriving(self, rows: pa.Table, outcomes: Sequence[pa.Table]) -> PreparedTables:
        table = self._created("rows")
        for first in range(0, rows.num_rows, CHUNK_ROWS_MAX):
            self._insert(table, rows.slice(first, CHUNK_ROWS_MAX))
        days, units, _ = self._sums(table)
        refused = self._created("outcomes") if outcomes else None
        for one in outcomes:
            self._insert(str(refused), one)
        return PreparedTables(table, days, units, refused, np.unique(integers(rows, "customer_key")))

    def _leaving_blocks(self, positions: Sequence[int], by: Withdrawal) -> tuple[WithdrawnRows, PreparedTables]:
        already = find_in_blocks(self._cursor, Generations(self._cursor).rows(), positions)
        return self._leaving(already, by)

    def _leaving_range(self, asked: ReplacedRange, by: Withdrawal) -> tuple[WithdrawnRows, PreparedTables] | None:
        before = find_in_range(self._cursor, Generations(self._cursor).rows(), asked)
        if self._cursor.execute("SELECT count(*) FROM leaving WHERE closed_at IS NOT NULL").fetchall()[0][0]:
            self._cursor.execute("DROP TABLE leaving")
            return None
        withdrawn, tables = self._leaving(0, by)
        return msgspec.structs.replace(withdrawn, before=before), tables

    def _leaving(self, already: int, by: Withdrawal) -> tuple[WithdrawnRows, PreparedTables]:
        """Write what the withdrawal of the events of the table `leaving` changes, and drop it."""
        try:
            moved = moved_rows(self._cursor, "leaving")
            days, units, cost = self._sums(HELD, "-")
            outcomes = self._created("outcomes")
            with self._write_turn(), transaction(self._cursor):
                at_low_priority(lambda: insert_withdrawn(self._cursor, outcomes, by))
        finally:
            self._cursor.execute("DROP TABLE leaving")
        tables = PreparedTables(None, days, units, outcomes, moved.customers)
        return WithdrawnRows(np.sort(moved.locators), already, cost), tables

    def _returning(self, replaced_at: int) -> tuple[Reinstated, PreparedTables]:
        locators = find_returning(self._cursor, Generations(self._cursor).rows(), replaced_at, 0)
        try:
            moved = moved_rows(self._cursor, "returning_rows")
            table = self._created("rows")
            self._execute(f"INSERT INTO {table} SELECT * FROM returning_rows {_SORTED}")
        finally:
            self._cursor.execute("DROP TABLE returning_rows")
        days, units, cost = self._sums(table)
        again = Reinstated(locators, cost, moved.unknown_kind_keys)
        return again, PreparedTables(table, days, units, None, moved.customers)

    def _sums(self, rows: str, sign: str = "") -> tuple[str, str | None, RawCost]:
        """Write the sums of rows into tables, of units where some have units; return these, and what the rows cost."""
        days = self._created("days")
        self._execute(insert_deltas(days, rows, sign=sign))
        cost, with_units = cost_and_units(self._cursor, rows)
        units = self._units(f"{rows} WHERE unit_names IS NOT NULL", sign) if with_units else None
        return days, units, cost

    def _units(self, rows: str, sign: str = "") -> str:
        units = self._created("units")
        self._execute(insert_unit_deltas(rows, sign=sign, into=units))
        return units

    def _created(self, kind: str) -> str:
        with self._write_turn():
            name = f"{kind}_{Generations(self._cursor).fresh_number()}"
            self._cursor.execute(f"CREATE TABLE {name} ({_COLUMNS[kind]})")
        self._made.append(name)
        return name

    def _insert(self, table: str, staged: pa.Table) -> None:
        self._execute(f"INSERT INTO {table} BY NAME SELECT * FROM staged", staged)

    def _execute(self, statement: str, staged: pa.Table | None = None) -> None:
        """Execute a statement, which may name the table `staged`, in a turn and a transaction of its own."""
        with self._write_turn(), transaction(self._cursor):
            if staged is not None:
                self._cursor.register("staged", staged)
            try:
                at_low_priority(lambda: self._cursor.execute(statement))
            finally:
                if staged is not None:
                    self._cursor.unregister("staged")
