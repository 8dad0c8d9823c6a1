"""A read store in a read transaction, as verification reads it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date
from typing import Final

import duckdb

from projections.duckdb.storage.database import DuckDBDatabase
from projections.read_side.verification import DayDifference

_DAY: Final = """
    WITH by_rows AS (
        SELECT customer_key, kind_key, count(*) AS events, sum(input_tokens) AS input_tokens,
            sum(output_tokens) AS output_tokens, coalesce(sum(cost_usd), 0) AS cost_usd
        FROM usage_rows WHERE closed_at IS NULL AND time >= $1::DATE AND time < $1::DATE + INTERVAL 1 DAY GROUP BY ALL),
    by_deltas AS (
        SELECT customer_key, kind_key, sum(events) AS events, sum(input_tokens) AS input_tokens,
            sum(output_tokens) AS output_tokens, sum(cost_usd) AS cost_usd
        FROM usage_days WHERE day = $1::DATE GROUP BY ALL HAVING sum(events) <> 0)
    SELECT customer_id, by_rows.events, by_deltas.events FROM by_rows FULL JOIN by_deltas USING (customer_key, kind_key)
    JOIN customers USING (customer_key)
    WHERE (by_rows.events, by_rows.input_tokens, by_rows.output_tokens, by_rows.cost_usd)
        IS DISTINCT FROM (by_deltas.events, by_deltas.input_tokens, by_deltas.output_tokens, by_deltas.cost_usd)
    LIMIT 20"""

#: Customers whose units alone differ; the numbers of events that it tells are those of the rows.
_UNITS_OF_DAY: Final = """
    WITH by_rows AS (
        SELECT customer_key, kind_key, unit, sum(quantity) AS quantity FROM (
            SELECT customer_key, kind_key, unnest(unit_names) AS unit, unnest(unit_quantities) AS quantity
            FROM usage_rows WHERE closed_at IS NULL AND unit_names IS NOT NULL
                AND time >= $1::DATE AND time < $1::DATE + INTERVAL 1 DAY)
        GROUP BY ALL HAVING sum(quantity) <> 0),
    by_deltas AS (
        SELECT customer_key, kind_key, unit, sum(quantity) AS quantity FROM unit_days
        WHERE day = $1::DATE GROUP BY ALL HAVING sum(quantity) <> 0),
    differing AS (
        SELECT DISTINCT customer_key FROM by_rows FULL JOIN by_deltas USING (customer_key, kind_key, unit)
        WHERE by_rows.quantity IS DISTINCT FROM by_deltas.quantity LIMIT 20)
    SELECT customer_id, count(r.customer_key) FROM differing JOIN customers USING (customer_key)
    LEFT JOIN usage_rows r ON r.customer_key = differing.customer_key AND r.closed_at IS NULL
        AND r.time >= $1::DATE AND r.time < $1::DATE + INTERVAL 1 DAY
    GROUP BY customer_id ORDER BY customer_id"""


@contextmanager
def held_cursor(database: DuckDBDatabase) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a cursor that stays at the present position of the store for as long as the context lasts."""
    with closing(database.cursor()) as cursor:
        cursor.execute("BEGIN")
        try:
            yield cursor
        finally:
            cursor.execute("ROLLBACK")


class DuckDBHeldStore:
    """See `projections.read_side.verification.HeldStore`."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection) -> None:
        self._cursor = cursor

    def reached(self) -> tuple[int, bytes]:
        """Return the position up to which this store has folded, and the running hash there."""
        position, running_hash = self._cursor.execute("SELECT position, running_hash FROM progress").fetchall()[0]
        return int(position), bytes(running_hash)

    def running_hash_at(self, position: int) -> bytes | None:
        """Return the running hash after a folded position; None when the store has not folded it."""
        found = self._cursor.execute("SELECT running_hash FROM log_records WHERE position = ?", [position]).fetchall()
        return bytes(found[0][0]) if found else None

    def usage_days(self) -> tuple[date, date] | None:
        """Return the first and the last UTC day with usage; None when there is no usage."""
        first, last = self._cursor.execute("SELECT min(day), max(day) FROM usage_days").fetchall()[0]
        return None if last is None else (first, last)

    def day_differences(self, day: date) -> list[DayDifference]:
        """Return at most 20 customers whose rows of a UTC day differ from its deltas."""
        found = [DayDifference(*row) for row in self._cursor.execute(_DAY, [day]).fetchall()]
        if found:
            return found
        of_units = self._cursor.execute(_UNITS_OF_DAY, [day]).fetchall()
        return [DayDifference(customer_id, events, events) for customer_id, events in of_units]
