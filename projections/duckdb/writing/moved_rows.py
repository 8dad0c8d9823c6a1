"""Events that get another customer: their current versions are closed, and versions of the other customer opened."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import duckdb
import pyarrow as pa

from domain.values.instants import naive
from projections.duckdb.storage.generations import Generations
from projections.duckdb.storage.schema import NOTHING_CHANGED
from projections.duckdb.writing.delta_inserts import insert_deltas, insert_taken, insert_unit_deltas
from projections.folding.lifecycle_writes import CustomerMove

_MOVED: Final = "customer_key = {key} AND closed_at IS NULL AND locator IN (SELECT locator FROM versions)"


def rows_of_source(
    cursor: duckdb.DuckDBPyConnection,
    rows: str,
    customer_key: int,
    source: str,
    span: tuple[datetime, datetime],
    above_locator: int,
    rows_max: int,
) -> pa.Table:
    """Return the last versions of events of a customer and a source, of times in the span, ascending by locator."""
    return cursor.sql(
        f"""SELECT * FROM (SELECT * FROM {rows} WHERE customer_key = $1 AND source = $2 AND locator > $3
            QUALIFY row_number() OVER (
                PARTITION BY locator ORDER BY counted_at DESC, closed_at DESC NULLS FIRST) = 1)
        WHERE time >= $4 AND time < $5 ORDER BY locator LIMIT $6""",
        params=[customer_key, source, above_locator, *span, rows_max],
    ).to_arrow_table()


def move_rows(
    cursor: duckdb.DuckDBPyConnection, generations: Generations, move: CustomerMove, versions: pa.Table
) -> None:
    """Close the current versions of these events and open `versions`, with the deltas of days and units.

    An amendment of each is stored, which says that nothing changed. `versions` is found by its name in statements.
    """
    rows, open_rows, open_days = generations.rows(), generations.open_name("rows"), generations.open_name("days")
    current = f"{rows} WHERE {_MOVED.format(key=int(move.customer_key_before))}"
    has_units = versions.column("unit_names").null_count < versions.num_rows
    cursor.execute(insert_deltas(open_days, current, sign="-"))
    if has_units:
        cursor.execute(insert_unit_deltas(current, sign="-"))
    for table in generations.row_tables():
        closed = f"UPDATE {table} SET closed_at = ? WHERE {_MOVED.format(key=int(move.customer_key_before))}"
        cursor.execute(closed, [move.position])
    cursor.execute(f"INSERT INTO {open_rows} BY NAME SELECT * FROM versions")
    cursor.execute(insert_deltas(open_days, "versions WHERE closed_at IS NULL"))
    if has_units:
        cursor.execute(insert_unit_deltas("versions WHERE closed_at IS NULL"))
    cursor.execute(insert_taken(open_days, "versions WHERE closed_at IS NOT NULL"))
    cursor.execute(
        """INSERT INTO amendments SELECT scope_key, locator, counted_at, customer_key, ?::BIGINT, time, content, ?,
        ?::TIMESTAMP FROM versions""",
        [move.customer_key_before, NOTHING_CHANGED, naive(move.recorded_at)],
    )
