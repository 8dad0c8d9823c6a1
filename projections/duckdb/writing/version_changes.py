"""Versions of many events that end at one position, and the sums of rows. Events are named by a relation."""

from __future__ import annotations

from typing import Final

import duckdb
import pyarrow as pa

from projections.duckdb.storage.generations import Generations
from projections.duckdb.writing.delta_inserts import insert_deltas, insert_taken, insert_unit_deltas
from projections.folding.backfill_store import RawCost

_OF_BEFORE: Final = "b.customer_key = r.customer_key AND b.locator = r.locator AND r.closed_at IS NULL"


def close_versions(cursor: duckdb.DuckDBPyConnection, generations: Generations, events: str, position: int) -> None:
    """Close the current versions of `events`, a relation of `customer_key` and `locator`; sums stay as they are."""
    for table in generations.row_tables():
        cursor.execute(
            f"""UPDATE {table} AS r SET closed_at = ? FROM {events} e
            WHERE r.customer_key = e.customer_key AND r.locator = e.locator AND r.closed_at IS NULL""",
            [position],
        )


def add_to_sums(cursor: duckdb.DuckDBPyConnection, generations: Generations, rows: str, sign: str = "") -> RawCost:
    """Add rows to the sums of days and units, or with `sign` "-" take them away; return what they cost."""
    cursor.execute(insert_deltas(generations.open_name("days"), rows, sign=sign))
    cost, with_units = cost_and_units(cursor, rows)
    if with_units:
        cursor.execute(insert_unit_deltas(f"{rows} WHERE unit_names IS NOT NULL", sign=sign))
    return cost


def cost_and_units(cursor: duckdb.DuckDBPyConnection, rows: str) -> tuple[RawCost, int]:
    """Return what rows cost, and how many of them have units."""
    cost, unknown, with_units = cursor.execute(
        f"""SELECT coalesce(sum(cost_usd), 0)::DECIMAL(38, 12), count(*) FILTER (cost_origin = 'unknown'),
        count(unit_names) FROM {rows}"""
    ).fetchall()[0]
    return RawCost(cost, unknown), with_units


def open_versions(
    cursor: duckdb.DuckDBPyConnection, generations: Generations, versions: pa.Table, before: pa.Table, position: int
) -> None:
    """Close the current versions of events, and open `versions` of them, of which some may be closed already.

    `before`: `customer_key` and `locator` of each event. Both tables are found by their names in statements.
    """
    rows, open_days = generations.rows(), generations.open_name("days")
    closed = f"(SELECT r.* FROM {rows} r JOIN before b ON {_OF_BEFORE})"
    cursor.execute(insert_deltas(open_days, closed, sign="-"))
    cursor.execute(insert_unit_deltas(f"{closed} WHERE unit_names IS NOT NULL", sign="-"))
    for table in generations.row_tables():
        cursor.execute(f"UPDATE {table} AS r SET closed_at = {int(position)} FROM before b WHERE {_OF_BEFORE}")
    cursor.execute(f"INSERT INTO {generations.open_name('rows')} BY NAME SELECT * FROM versions")
    cursor.execute(insert_deltas(open_days, "versions WHERE closed_at IS NULL"))
    cursor.execute(insert_unit_deltas("versions WHERE closed_at IS NULL AND unit_names IS NOT NULL"))
    cursor.execute(insert_taken(open_days, "versions WHERE closed_at IS NOT NULL"))
