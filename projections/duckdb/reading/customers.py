"""Customers, their facts, budgets, meters, keys, prices and sources, as the read store keeps them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import duckdb
import msgspec

from domain.customers.events import CUSTOMER_DEACTIVATED
from domain.prices.schedule import PriceVersion
from domain.scope import Scope
from domain.values.instants import aware, aware_or_none
from projections.duckdb.memory.change_tracking import CustomerRow
from projections.duckdb.reading.bound_query import Query
from projections.queries.api_keys import ApiKeyRecord
from projections.queries.customers import CustomerRecord, Fact
from projections.queries.log import SourceRecord
from projections.queries.prices import PriceRecord

_FACT: Final = "position, effective_at, recorded_at, kind, fields, actor, dialect, reason"
_CUSTOMER: Final = "customer_key, customer_id, first_position"
_KEY: Final = """k.key_id, s.tenant, s.environment, k.scopes, k.prefix, k.secret_hash, k.name, k.issued_at, k.revoked_at
    FROM api_keys k JOIN scopes s ON s.scope_key = k.scope_key"""
_PRICE: Final = """p.position, s.tenant, s.environment, p.provider, p.model, p.versions, p.library, p.recorded_at,
    p.actor FROM prices p LEFT JOIN scopes s ON s.scope_key = p.scope_key"""
_versions: Final = msgspec.json.Decoder(tuple[PriceVersion, ...])

Row = tuple[Any, ...]


def customer_row(cursor: duckdb.DuckDBPyConnection, scope_key: int, customer_id: str) -> CustomerRow | None:
    """None when the store never heard of the customer."""
    rows = cursor.execute(
        "SELECT customer_key, first_position FROM customers WHERE scope_key = ? AND customer_id = ?",
        [scope_key, customer_id],
    ).fetchall()
    return CustomerRow(*rows[0]) if rows else None


def seen(
    cursor: duckdb.DuckDBPyConnection, scope_key: int, customer_key: int
) -> tuple[datetime | None, datetime | None]:
    """The least and the greatest time of any event ever counted for a customer."""
    first, last = cursor.execute(
        "SELECT min(first_time), max(last_time) FROM usage_days WHERE scope_key = ? AND customer_key = ?",
        [scope_key, customer_key],
    ).fetchall()[0]
    return aware_or_none(first), aware_or_none(last)


def facts_of_customer(cursor: duckdb.DuckDBPyConnection, customer_key: int) -> list[Fact]:
    """The facts of a customer, in log order."""
    rows = cursor.execute(
        f"SELECT {_FACT} FROM customer_facts WHERE customer_key = ? ORDER BY position", [customer_key]
    ).fetchall()
    return [fact_of(row) for row in rows]


def customers(
    cursor: duckdb.DuckDBPyConnection, scope_key: int, after: str | None, limit: int, prefix: str | None
) -> list[CustomerRecord]:
    """A page of customers by id."""
    query = Query()
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
    """The records of customers by their rows (key, id, first position), in that order."""
    keys = [row[0] for row in rows]
    facts = facts_of_customers(cursor, keys)
    seen = {row[0]: row[1:] for row in cursor.execute(_SEEN, [scope_key, keys]).fetchall()}
    return [_record(row, seen.get(row[0], (None, None)), facts[row[0]]) for row in rows]


def customers_ever_deactivated(cursor: duckdb.DuckDBPyConnection, scope_key: int) -> list[CustomerRecord]:
    """Customers that have a deactivation among their facts, by id; without when they were seen."""
    rows = cursor.execute(
        f"""SELECT {_CUSTOMER} FROM customers WHERE scope_key = ? AND customer_key IN (
            SELECT customer_key FROM customer_facts WHERE kind = '{CUSTOMER_DEACTIVATED}') ORDER BY customer_id""",
        [scope_key],
    ).fetchall()
    facts = facts_of_customers(cursor, [row[0] for row in rows])
    return [_record(row, (None, None), facts[row[0]]) for row in rows]


_SEEN: Final = """SELECT customer_key, min(first_time), max(last_time) FROM usage_days
    WHERE scope_key = ? AND customer_key IN (SELECT unnest(?::BIGINT[])) GROUP BY customer_key"""


def facts_of_customers(cursor: duckdb.DuckDBPyConnection, keys: Sequence[int]) -> defaultdict[int, list[Fact]]:
    """The facts of each of these customers, in log order."""
    rows = cursor.execute(
        f"""SELECT customer_key, {_FACT} FROM customer_facts
        WHERE customer_key IN (SELECT unnest(?::BIGINT[])) ORDER BY position""",
        [list(keys)],
    ).fetchall()
    return _by_owner(rows)


def facts_of_marked_customers(
    cursor: duckdb.DuckDBPyConnection, scope_key: int, as_of: int | None
) -> defaultdict[int, list[Fact]]:
    """The facts known at `as_of` (None: now) of every customer of a scope that has one about its markup."""
    query = Query()
    known = "true" if as_of is None else f"position <= {query.bind(as_of)}"
    rows = query.rows(
        cursor,
        f"""SELECT customer_key, {_FACT} FROM customer_facts WHERE {known} AND customer_key IN (
            SELECT customer_key FROM customer_facts WHERE {known} AND contains(fields, '"markup_percentage"'))
        AND customer_key IN (SELECT customer_key FROM customers WHERE scope_key = {query.bind(scope_key)})
        ORDER BY position""",
    )
    return _by_owner(rows)


def _by_owner(rows: Sequence[Row]) -> defaultdict[int, list[Fact]]:
    found: defaultdict[int, list[Fact]] = defaultdict(list)
    for owner, *fact in rows:
        found[owner].append(fact_of(tuple(fact)))
    return found


def _record(row: Row, seen: Row, facts: Sequence[Fact]) -> CustomerRecord:
    return CustomerRecord(row[1], row[2], aware_or_none(seen[0]), aware_or_none(seen[1]), tuple(facts))


def fact_of(row: Row) -> Fact:
    """A fact from its columns."""
    position, effective_at, recorded_at, kind, fields, actor, dialect, reason = row
    return Fact(position, aware(effective_at), aware(recorded_at), kind, json.loads(fields), actor, dialect, reason)


def meter_facts(cursor: duckdb.DuckDBPyConnection, scope_key: int, code: str) -> tuple[Fact, ...]:
    """The facts of a meter, in log order."""
    rows = cursor.execute(
        f"SELECT {_FACT} FROM meter_facts WHERE scope_key = ? AND code = ? ORDER BY position", [scope_key, code]
    ).fetchall()
    return tuple(fact_of(row) for row in rows)


def names(
    cursor: duckdb.DuckDBPyConnection, table: str, column: str, scope_key: int, after: str | None, limit: int
) -> list[str]:
    """A page of the names of budgets or meters, ascending. `table` and `column` are names of this package."""
    rows = cursor.execute(
        f"SELECT DISTINCT {column} FROM {table} WHERE scope_key = ? AND {column} > ? ORDER BY {column} LIMIT ?",
        [scope_key, after or "", limit],
    ).fetchall()
    return [row[0] for row in rows]


def api_keys(cursor: duckdb.DuckDBPyConnection, scope_key: int | None) -> list[ApiKeyRecord]:
    """Keys of one scope, or of all, in the order in which they were issued."""
    where, values = ("WHERE k.scope_key = ?", [scope_key]) if scope_key is not None else ("", [])
    rows = cursor.execute(f"SELECT {_KEY} {where} ORDER BY k.issued_position", values).fetchall()
    return [_api_key(row) for row in rows]


def _api_key(row: Row) -> ApiKeyRecord:
    key_id, tenant, environment, scopes, prefix, secret_hash, name, issued_at, revoked_at = row
    allowed = tuple(scopes.split(",")) if scopes else ()
    return ApiKeyRecord(
        key_id,
        Scope(tenant, environment),
        allowed,
        prefix,
        secret_hash,
        name,
        aware(issued_at),
        aware_or_none(revoked_at),
    )


def prices(
    cursor: duckdb.DuckDBPyConnection, scope_key: int | None, provider: str | None, model: str | None,
    after: int | None, limit: int,
) -> list[PriceRecord]:  # fmt: skip
    """A page of a scope's own prices and the list prices, ascending by position."""
    query = Query()
    conditions = [f"(p.scope_key IS NULL OR p.scope_key = {query.bind(scope_key)})"]
    if provider is not None:
        conditions.append(f"p.provider = {query.bind(provider)}")
    if model is not None:
        conditions.append(f"p.model = {query.bind(model)}")
    if after is not None:
        conditions.append(f"p.position > {query.bind(after)}")
    rows = query.rows(
        cursor, f"SELECT {_PRICE} WHERE {' AND '.join(conditions)} ORDER BY p.position LIMIT {query.bind(limit)}"
    )
    return [_price(row) for row in rows]


def price_at(cursor: duckdb.DuckDBPyConnection, position: int) -> PriceRecord | None:
    """The price that was listed or set at a log position."""
    rows = cursor.execute(f"SELECT {_PRICE} WHERE p.position = ?", [position]).fetchall()
    return _price(rows[0]) if rows else None


def _price(row: Row) -> PriceRecord:
    position, tenant, environment, provider, model, versions, library, recorded_at, actor = row
    scope = None if tenant is None else Scope(tenant, environment)
    return PriceRecord(position, scope, provider, model, _versions.decode(versions), library, aware(recorded_at), actor)


def sources(cursor: duckdb.DuckDBPyConnection, after: str | None, limit: int) -> list[SourceRecord]:
    """A page of the partitions that were read, by stream."""
    rows = cursor.execute(
        """SELECT stream, topic, partition_number, next_offset, records_lost, commands_refused, position, recorded_at
        FROM sources WHERE stream > ? ORDER BY stream LIMIT ?""",
        [after or "", limit],
    ).fetchall()
    return [_source(row) for row in rows]


def _source(row: Row) -> SourceRecord:
    stream, topic, partition, next_offset, lost, refused, position, recorded_at = row
    return SourceRecord(stream, topic, partition, next_offset, lost, refused, position, aware(recorded_at))
