"""Records of customers, read from their tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import duckdb

from domain.customers.events import CUSTOMER_DEACTIVATED
from domain.values.instants import aware_or_none
from projections.duckdb.memory.change_tracking import CustomerRow
from projections.duckdb.reading.bound_query import BoundQuery, Row
from projections.duckdb.reading.facts import facts_of_customers
from projections.queries.customers import CustomerRecord
from projections.queries.facts import Fact

_CUSTOMER: Final = "customer_key, customer_id, first_position"


def customer_row(cursor: duckdb.DuckDBPyConnection, scope_key: int, customer_id: str) -> CustomerRow | None:
    """Return the row of a customer; None when the store has neither usage nor facts of it."""
    rows = cursor.execute(
        "SELECT customer_key, first_position FROM customers WHERE scope_key = ? AND customer_id = ?",
        [scope_key, customer_id],
    ).fetchall()
    return CustomerRow(*rows[0]) if rows else None


def first_and_last_seen(
    cursor: duckdb.DuckDBPyConnection, scope_key: int, customer_key: int
) -> tuple[datetime | None, datetime | None]:
    """Return the earliest and the latest time of any event ever counted for a customer."""
    first, last = cursor.execute(
        "SELECT min(first_time), max(last_time) FROM usage_days WHERE scope_key = ? AND customer_key = ?",
        [scope_key, customer_key],
    ).fetchall()[0]
    return aware_or_none(first), aware_or_none(last)


def usage_times(
    cursor: duckdb.DuckDBPyConnection, scope_key: int, customer_key: int | None, as_of: int
) -> tuple[datetime | None, datetime | None]:
    """Return the earliest and the latest time of the events of a customer that counted at a log position."""
    first, last = cursor.execute(
        """SELECT min(time), max(time) FROM usage_rows WHERE scope_key = ? AND customer_key = ?
        AND counted_at <= ? AND (closed_at IS NULL OR closed_at > ?)""",
        [scope_key, customer_key, as_of, as_of],
    ).fetchall()[0]
    return aware_or_none(first), aware_or_none(last)


def customers(
    cursor: duckdb.DuckDBPyConnection, scope_key: int, after: str | None, limit: int, prefix: str | None
) -> list[CustomerRecord]:
    """Return a page of customers by id."""
    query = BoundQuery()
    conditions = [f"scope_key = {query.bind(scope_key)}"]
    if after is not None:
        conditions.append(f"customer_id > {query.bind(after)}")
    if prefix is not None:
        conditions.append(f"starts_with(customer_id, {query.bind(prefix)})")
    rows = query.rows(
        cursor,
        f"""SELECT {_CUSTOMER} FROM customers WHERE {" AND ".join(conditions)}
        ORDER BY customer_id LIMIT {query.bind(limit)}""",
    )
    return records_of(cursor, scope_key, rows)


def records_of(cursor: duckdb.DuckDBPyConnection, scope_key: int, rows: Sequence[Row]) -> list[CustomerRecord]:
    """Return the records of customers given as rows (key, id, first position), in that order."""
    keys = [row[0] for row in rows]
    facts = facts_of_customers(cursor, keys)
    seen = {row[0]: row[1:] for row in cursor.execute(_SEEN, [scope_key, keys]).fetchall()}
    return [_record(row, seen.get(row[0], (None, None)), facts[row[0]]) for row in rows]


def customers_ever_deactivated(cursor: duckdb.DuckDBPyConnection, scope_key: int) -> list[CustomerRecord]:
    """Return customers with a deactivation among their facts, by id, without the time range of their usage."""
    rows = cursor.execute(
        f"""SELECT {_CUSTOMER} FROM customers WHERE scope_key = ? AND customer_key IN (
            SELECT customer_key FROM customer_facts WHERE kind = '{CUSTOMER_DEACTIVATED}') ORDER BY customer_id""",
        [scope_key],
    ).fetchall()
    facts = facts_of_customers(cursor, [row[0] for row in rows])
    return [_record(row, (None, None), facts[row[0]]) for row in rows]


_SEEN: Final = """SELECT customer_key, min(first_time), max(last_time) FROM usage_days
    WHERE scope_key = ? AND customer_key IN (SELECT unnest(?::BIGINT[])) GROUP BY customer_key"""


def _record(row: Row, seen: Row, facts: Sequence[Fact]) -> CustomerRecord:
    return CustomerRecord(row[1], row[2], aware_or_none(seen[0]), aware_or_none(seen[1]), tuple(facts))
