"""Records of customers, read from their tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import duckdb

from domain.customers.events import CUSTOMER_DEACTIVATED
from domain.values.instants import aware_or_none
from projections.duckdb.memory.change_tracking import CustomerRow
from projections.duckdb.memory.monthly_usage import held_times
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
    """Return the earliest and the latest time of the events that a customer has, voided ones left out."""
    first, last = _seen(cursor, scope_key, [customer_key]).get(customer_key, (None, None))
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
    seen = _seen(cursor, scope_key, keys)
    return [_record(row, seen.get(row[0], (None, None)), facts[row[0]]) for row in rows]


def customers_ever_deactivated(cursor: duckdb.DuckDBPyConnection, scope_key: int) -> list[CustomerRecord]:
    """Return customers with a deactivation among their facts, by id, without the time range of their usage."""
    rows = cursor.execute(
        f"""SELECT {_CUSTOMER} FROM customers WHERE scope_key = ? AND customer_key IN (
            SELECT customer_key FROM facts WHERE kind = '{CUSTOMER_DEACTIVATED}') ORDER BY customer_id""",
        [scope_key],
    ).fetchall()
    facts = facts_of_customers(cursor, [row[0] for row in rows])
    return [_record(row, (None, None), facts[row[0]]) for row in rows]


_SEEN: Final = """SELECT customer_key, min(first_time), max(last_time), sum(taken_events) FROM usage_days
    WHERE scope_key = ? AND customer_key IN (SELECT unnest(?::BIGINT[])) GROUP BY customer_key"""


def _seen(cursor: duckdb.DuckDBPyConnection, scope_key: int, keys: Sequence[int]) -> dict[int, Row]:
    """The first and the last time of the events of each of these customers that has any (naive UTC).

    The days tell them, but for a customer some of whose events were voided: they are read from its rows.
    """
    rows = cursor.execute(_SEEN, [scope_key, list(keys)]).fetchall()
    seen = {key: (first, last) for key, first, last, taken in rows if not taken}
    return seen | held_times(cursor, [key for key, _, _, taken in rows if taken])


def _record(row: Row, seen: Row, facts: Sequence[Fact]) -> CustomerRecord:
    return CustomerRecord(row[1], row[2], aware_or_none(seen[0]), aware_or_none(seen[1]), tuple(facts))
