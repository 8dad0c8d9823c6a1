"""Records of customers, read from their tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import duckdb
import msgspec

from domain.customers.events import CUSTOMER_DEACTIVATED, CUSTOMER_DELETED
from domain.values.instants import aware_or_none, naive
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
    cursor: duckdb.DuckDBPyConnection,
    scope_key: int,
    customer_key: int | None,
    as_of: int,
    since: datetime | None = None,
) -> tuple[datetime | None, datetime | None]:
    """Return the earliest and the latest time of the events of a customer that counted at a log position.

    `since`: only of events from this instant on.
    """
    first, last = cursor.execute(
        """SELECT min(time), max(time) FROM usage_rows WHERE scope_key = ? AND customer_key = ?
        AND counted_at <= ? AND (closed_at IS NULL OR closed_at > ?) AND (?::TIMESTAMP IS NULL OR time >= ?)""",
        [scope_key, customer_key, as_of, as_of, *(2 * [None if since is None else naive(since)])],
    ).fetchall()[0]
    return aware_or_none(first), aware_or_none(last)


def life_first_event_at(
    cursor: duckdb.DuckDBPyConnection, customer_key: int, last: datetime | None, facts: Sequence[Fact]
) -> datetime | None:
    """Return the member of `CustomerRecord` of this name, for a customer with this latest event and these facts."""
    died_at = max((fact.effective_at for fact in facts if fact.kind == CUSTOMER_DELETED), default=None)
    if died_at is None or last is None or last < died_at:
        return None
    recorded_at = aware_or_none(cursor.execute("SELECT recorded_at FROM progress").fetchall()[0][0])
    if recorded_at is None or last <= recorded_at:
        return None
    found = cursor.execute(
        "SELECT min(time) FROM usage_rows WHERE customer_key = ? AND time >= ?", [customer_key, naive(died_at)]
    ).fetchall()
    return aware_or_none(found[0][0])


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
    records = [_record(row, seen.get(row[0], (None, None)), facts[row[0]]) for row in rows]
    return [_with_life(cursor, key, record) for key, record in zip(keys, records, strict=True)]


def _with_life(cursor: duckdb.DuckDBPyConnection, key: int, record: CustomerRecord) -> CustomerRecord:
    first = life_first_event_at(cursor, key, record.last_event_at, record.facts)
    return record if first is None else msgspec.structs.replace(record, life_first_event_at=first)


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
