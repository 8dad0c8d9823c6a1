"""Many customers in few statements: pages of those that exist, and what each of them spent in a span of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from functools import partial
from itertools import chain, groupby
from operator import itemgetter
from typing import Final

import duckdb

from domain.customers.events import CUSTOMER_BLOCKED, CUSTOMER_DELETED, CUSTOMER_UNBLOCKED
from projections.duckdb.memory.budget_positions import BudgetPositions
from projections.duckdb.reading.bound_query import Query
from projections.duckdb.reading.customers import fact_of, records_of
from projections.duckdb.reading.segments import cut_span
from projections.queries.customers import CustomerRecord, Fact

NOTHING: Final = Decimal(0)
FETCHED_ROWS: Final = 1_000
_FACT: Final = "position, effective_at, recorded_at, kind, fields, actor, dialect, reason"

#: Customers of whom the last thing known is their deletion.
_GONE: Final = f"""SELECT f.customer_key FROM (
        SELECT customer_key, arg_max(kind, (effective_at, position)) AS last_kind, max(effective_at) AS last_at
        FROM customer_facts
        WHERE customer_key IN (SELECT customer_key FROM customer_facts WHERE kind = '{CUSTOMER_DELETED}')
        GROUP BY customer_key) f
    WHERE f.last_kind = '{CUSTOMER_DELETED}' AND NOT EXISTS (
        SELECT 1 FROM usage_days d WHERE d.customer_key = f.customer_key AND d.last_time >= f.last_at)"""

#: Customers whose present name holds a text, in any case.
_NAMED: Final = """SELECT customer_key FROM (
        SELECT customer_key, arg_max(coalesce(fields ->> '$.name', ''), position) AS name FROM customer_facts
        WHERE (contains(fields, '"name"') AND json_exists(fields, '$.name')) OR kind = '{deleted}'
        GROUP BY customer_key)
    WHERE contains(lower(name), {text})"""


def customer_page(
    cursor: duckdb.DuckDBPyConnection, scope_key: int, offset: int, limit: int, search: str | None
) -> list[CustomerRecord]:
    """Customers that exist, by id, from the one at `offset` on; `search` is contained in id or name, in any case."""
    query = Query()
    conditions = [f"scope_key = {query.bind(scope_key)}", f"customer_key NOT IN ({_GONE})"]
    if search is not None:
        text = query.bind(search.lower())
        conditions.append(
            f"(contains(lower(customer_id), {text})"
            f" OR customer_key IN ({_NAMED.format(text=text, deleted=CUSTOMER_DELETED)}))"
        )
    rows = query.rows(
        cursor,
        f"""SELECT customer_key, customer_id, first_position FROM customers WHERE {" AND ".join(conditions)}
        ORDER BY customer_id LIMIT {query.bind(limit)} OFFSET {query.bind(offset)}""",
    )
    return records_of(cursor, scope_key, rows)


def costs_of(
    cursor: duckdb.DuckDBPyConnection, kind_keys: Sequence[int], spans: Sequence[tuple[int, datetime, datetime]]
) -> list[Decimal]:
    """The raw cost of these kinds within each span (customer key, start, end; naive UTC). Spans of one customer may
    overlap."""
    cut = [cut_span(start, end) for _, start, end in spans]
    whole = [n for n, (first, past) in enumerate(cut) if first < past]
    ragged = [n for n, (first, past) in enumerate(cut) if not _covers(spans[n], first, past)]
    costs = [NOTHING] * len(spans)
    for number, cost in _of_days(cursor, kind_keys, spans, cut, whole) + _of_rows(
        cursor, kind_keys, spans, cut, ragged
    ):
        costs[number] += cost
    return costs


def _of_days(
    cursor: duckdb.DuckDBPyConnection, kind_keys: Sequence[int], spans: Sequence[tuple[int, datetime, datetime]],
    cut: Sequence[tuple[date, date]], numbers: Sequence[int],
) -> list[tuple[int, Decimal]]:  # fmt: skip
    if not numbers:
        return []
    query = Query()
    keys, kinds = query.bind([spans[n][0] for n in numbers]), query.bind(list(kind_keys))
    asked = f"""SELECT unnest({query.bind(list(numbers))}::INTEGER[]) AS number, unnest({keys}::BIGINT[]) AS key,
        unnest({query.bind([cut[n][0] for n in numbers])}::DATE[]) AS first,
        unnest({query.bind([cut[n][1] for n in numbers])}::DATE[]) AS past"""
    return _sums(
        query,
        cursor,
        f"""SELECT a.number, sum(d.cost_usd) FROM (
            SELECT customer_key, day, cost_usd FROM usage_days
            WHERE customer_key IN (SELECT unnest({keys}::BIGINT[])) AND list_contains({kinds}::INTEGER[], kind_key)) d
        JOIN ({asked}) a ON d.customer_key = a.key AND d.day >= a.first AND d.day < a.past GROUP BY a.number""",
    )


def _of_rows(
    cursor: duckdb.DuckDBPyConnection, kind_keys: Sequence[int], spans: Sequence[tuple[int, datetime, datetime]],
    cut: Sequence[tuple[date, date]], numbers: Sequence[int],
) -> list[tuple[int, Decimal]]:  # fmt: skip
    """What lies outside of a span's whole days."""
    if not numbers:
        return []
    query = Query()
    keys, kinds = query.bind([spans[n][0] for n in numbers]), query.bind(list(kind_keys))
    first, past = query.bind(min(spans[n][1] for n in numbers)), query.bind(max(spans[n][2] for n in numbers))
    asked = f"""SELECT unnest({query.bind(list(numbers))}::INTEGER[]) AS number, unnest({keys}::BIGINT[]) AS key,
        unnest({query.bind([spans[n][1] for n in numbers])}::TIMESTAMP[]) AS start,
        unnest({query.bind([spans[n][2] for n in numbers])}::TIMESTAMP[]) AS past,
        unnest({query.bind([cut[n][0] for n in numbers])}::DATE[]) AS days_first,
        unnest({query.bind([cut[n][1] for n in numbers])}::DATE[]) AS days_past"""
    return _sums(
        query,
        cursor,
        f"""SELECT a.number, sum(r.cost_usd) FROM (
            SELECT customer_key, time, cost_usd FROM usage_rows
            WHERE customer_key IN (SELECT unnest({keys}::BIGINT[])) AND list_contains({kinds}::INTEGER[], kind_key)
            AND time >= {first} AND time < {past} AND closed_at IS NULL AND cost_usd IS NOT NULL) r
        JOIN ({asked}) a ON r.customer_key = a.key AND r.time >= a.start AND r.time < a.past
            AND (r.time < a.days_first::TIMESTAMP OR r.time >= a.days_past::TIMESTAMP) GROUP BY a.number""",
    )


def _sums(query: Query, cursor: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[int, Decimal]]:
    return [(number, cost) for number, cost in query.rows(cursor, sql) if cost is not None]


def _covers(span: tuple[int, datetime, datetime], first: date, past: date) -> bool:
    """Whether the whole days from `first` to `past` are the span."""
    return (datetime.combine(first, time.min), datetime.combine(past, time.min)) == span[1:]


def budgets(cursor: duckdb.DuckDBPyConnection, scope_key: int) -> Iterator[tuple[str, tuple[Fact, ...]]]:
    """The shared budgets in the order in which their ids were first used: sorted by the store, fetched in batches."""
    asked = cursor.execute(
        f"""SELECT budget_id, {_FACT} FROM (
            SELECT *, min(position) OVER (PARTITION BY budget_id) AS first_position FROM budget_facts
            WHERE scope_key = ?)
        ORDER BY first_position, position""",
        [scope_key],
    )
    rows = chain.from_iterable(iter(partial(asked.fetchmany, FETCHED_ROWS), []))
    for name, found in groupby(rows, key=itemgetter(0)):
        yield name, tuple(fact_of(row[1:]) for row in found)


def budgets_named(
    cursor: duckdb.DuckDBPyConnection, places: BudgetPositions, scope_key: int, budget_ids: Sequence[str]
) -> dict[str, tuple[Fact, ...]]:
    """The facts of each of these shared budgets that there ever was."""
    found: dict[str, list[Fact]] = {}
    asked = frozenset(budget_ids)
    rows = cursor.execute(
        f"""SELECT budget_id, {_FACT} FROM budget_facts
        WHERE position IN (SELECT unnest(?::BIGINT[])) AND scope_key = ? ORDER BY position""",
        [places.positions(cursor, budget_ids), scope_key],
    ).fetchall()
    for name, *fact in rows:
        if name in asked:
            found.setdefault(name, []).append(fact_of(tuple(fact)))
    return {name: tuple(facts) for name, facts in found.items()}


def customers_blocked(cursor: duckdb.DuckDBPyConnection, scope_key: int, limit: int) -> list[CustomerRecord]:
    """Customers whose last block was not taken back, by id; none that was deleted and is not there again."""
    rows = cursor.execute(
        f"""SELECT customer_key, customer_id, first_position FROM customers WHERE scope_key = ? AND customer_key IN (
            SELECT customer_key FROM customer_facts WHERE kind IN ('{CUSTOMER_BLOCKED}', '{CUSTOMER_UNBLOCKED}')
            GROUP BY customer_key HAVING arg_max(kind, position) = '{CUSTOMER_BLOCKED}')
            AND customer_key NOT IN ({_GONE})
        ORDER BY customer_id LIMIT ?""",
        [scope_key, limit],
    ).fetchall()
    return records_of(cursor, scope_key, rows)
