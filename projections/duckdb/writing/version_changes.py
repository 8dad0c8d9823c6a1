"""Versions of many events that end at one position, and the sums of rows. Events are named by a relation."""

from __future__ import annotations

import duckdb

from projections.duckdb.storage.generations import Generations
from projections.duckdb.writing.delta_inserts import insert_deltas, insert_unit_deltas
from projections.folding.backfill_store import RawCost


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
