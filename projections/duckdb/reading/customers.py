"""Records of customers, read from their tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import duckdb
import msgspec

from domain.customers.events import CUSTOMER_DEACTIVATED, CUSTOMER_DELETED
from domain.values.instants import aware, aware_or_none, naive
from projections.duckdb.memory.change_tracking import CustomerRow
from projections.duckdb.memory.monthly_usage import held_times
from projections.duckdb.reading.bound_query import BoundQuery, Row
from projections.duckdb.reading.facts import facts_of_customers
from projections.queries.customers import NO_CUSTOMER, CustomerRecord
from projections.queries.facts import Fact

#: The condition on customers, one of which stands for events that have none.
IS_CUSTOMER: Final = f"customer_id <> '{NO_CUSTOMER}'"
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
        "SELECT min(time) FROM usage_rows WHERE customer_key = ? AND time >= ? AND closed_at IS NULL",
        [customer_key, naive(died_at)],
    ).fetchall()
    return aware_or_none(found[0][0])


def first_event_ever(cursor: duckdb.DuckDBPyConnection, customer_key: int) -> datetime | None:
    """Return the earliest time of the events that a customer ever had: the days tell it while none was taken away."""
    of_days = "SELECT min(first_time), sum(taken_events) FROM usage_days WHERE customer_key = ?"
    first, taken = cursor.execute(of_days, [customer_key]).fetchall()[0]
    if taken:
        of_rows = "SELECT min(time) FROM usage_rows WHERE customer_key = ? AND coalesce(closed_at > counted_at, true)"
        first = cursor.execute(of_rows, [customer_key]).fetchall()[0][0]
    return aware_or_none(first)


def customers(
    cursor: duckdb.DuckDBPyConnection, scope_key: int, after: str | None, limit: int, prefix: str | None
) -> list[CustomerRecord]:
    """Return a page of customers by id."""
    query = BoundQuery()
    conditions = [f"scope_key = {query.bind(scope_key)}", IS_CUSTOMER]
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
    records = [_record(row, seen.get(row[0], (None, None)), facts[row[0]]) for row in rows]
    return [_with_life(cursor, key, record) for key, record in zip(keys, records, strict=True)]


def _with_life(cursor: duckdb.DuckDBPyConnection, key: int, record: CustomerRecord) -> CustomerRecord:
    first = life_first_event_at(cursor, key, record.last_event_at, record.facts)
    return record if first is None else msgspec.structs.replace(record, life_first_event_at=first)


def customers_ever_deactivated(cursor: duckdb.DuckDBPyConnection, scope_key: int) -> list[CustomerRecord]:
    """Return customers with a deactivation among their facts, by id, without the time range of their usage."""
    rows = cursor.execute(
        f"""SELECT {_CUSTOMER} FROM customers WHERE scope_key = ? AND customer_key IN (
            SELECT customer_key FROM facts WHERE kind = '{CUSTOMER_DEACTIVATED}') ORDER BY customer_id""",
        [scope_key],
    ).fetchall()
    facts = facts_of_customers(cursor, [row[0] for row in rows])
    return [_record(row, (None, None), facts[row[0]]) for row in rows]


def customer_deletions(
    cursor: duckdb.DuckDBPyConnection, scope_key: int, ids: Sequence[str] | None
) -> dict[str, list[datetime]]:
    """Return the instants of deletions by customer, of these customers or of all."""
    named = None if ids is None else list(ids)
    rows = cursor.execute(
        f"""SELECT customer_id, effective_at FROM facts JOIN customers USING (customer_key)
        WHERE kind = '{CUSTOMER_DELETED}' AND customers.scope_key = ?
        AND (?::VARCHAR[] IS NULL OR customer_id IN (SELECT unnest(?::VARCHAR[]))) ORDER BY position""",
        [scope_key, named, named],
    ).fetchall()
    found: dict[str, list[datetime]] = {}
    for customer_id, at in rows:
        found.setdefault(customer_id, []).append(aware(at))
    return found


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
