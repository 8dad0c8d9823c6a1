"""Queries over many customers at once: pages, blocked customers, and usage within spans."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time
from typing import Final

import duckdb
import msgspec

from domain.customers.events import CUSTOMER_BLOCKED, CUSTOMER_DELETED, CUSTOMER_UNBLOCKED
from domain.values.money import MONEY
from projections.duckdb.reading.bound_query import BoundQuery, Row
from projections.duckdb.reading.customers import IS_CUSTOMER, records_of
from projections.duckdb.reading.segments import whole_days_of
from projections.duckdb.storage.schema import root_requests
from projections.queries.customers import CustomerRecord, SpanCost, SpanUsage

#: A customer key, a start and an end (naive UTC). Spans of one customer may overlap.
KeyedSpan = tuple[int, datetime, datetime]

#: The facts of the present life of each customer: those after its last deletion.
PRESENT_FACTS: Final = f"""SELECT f.* FROM facts f LEFT JOIN (
        SELECT customer_key, max(position) AS position FROM facts WHERE kind = '{CUSTOMER_DELETED}'
        GROUP BY customer_key) d ON d.customer_key = f.customer_key
    WHERE f.subject = 'customer' AND (d.position IS NULL OR f.position > d.position)"""

_EVER_DELETED: Final = f"SELECT customer_key FROM facts WHERE kind = '{CUSTOMER_DELETED}'"
#: Customers with a deletion after which nothing but usage can have begun another life by an instant.
_DELETED: Final = f"""SELECT customer_key,
    arg_max(effective_at, position) FILTER (kind = '{CUSTOMER_DELETED}') AS last_at FROM facts
    WHERE NOT if_known AND customer_key IN ({_EVER_DELETED}) GROUP BY customer_key
    HAVING arg_max(kind, position) FILTER (effective_at <= {{now}}) = '{CUSTOMER_DELETED}'"""
#: Customers, of those with facts ahead of an instant, of whom nothing else is known.
_TO_COME: Final = """SELECT customer_key FROM facts WHERE subject = 'customer' AND NOT if_known
    AND customer_key IN ({ahead}) AND customer_key NOT IN (
        SELECT customer_key FROM usage_days WHERE customer_key IN ({ahead}))
    GROUP BY customer_key HAVING min(effective_at) > {now}"""

#: Customers whose name at an instant contains a text, ignoring case.
_NAMED: Final = """SELECT customer_key FROM (
        SELECT customer_key, arg_max(coalesce(fields ->> '$.name', ''), (effective_at, position)) AS name FROM (
            {present})
        WHERE effective_at <= {now} AND contains(fields, '"name"') AND json_exists(fields, '$.name')
        GROUP BY customer_key)
    WHERE contains(lower(name), {text})"""


def gone_customers(cursor: duckdb.DuckDBPyConnection, query: BoundQuery, now: datetime) -> str:
    """SQL of the customers of which nothing is known by `now` (naive UTC) but a deletion, or usage that was voided.

    Usage ahead of `now` begins a first life all the same, but none after a deletion. The days tell the last usage of a
    customer, but the rows that of one from whose usage something was taken away, or that has usage ahead of `now`.
    """
    bound = query.bind(now)
    deleted = _DELETED.format(now=bound)
    told_by_rows = query.rows(
        cursor,
        f"""SELECT DISTINCT customer_key FROM usage_days
        WHERE taken_events > 0 OR (last_time > {bound} AND customer_key IN ({_EVER_DELETED}))""",
    )
    gone = f"""SELECT customer_key FROM ({deleted}) f WHERE NOT EXISTS (
            SELECT 1 FROM usage_days d WHERE d.customer_key = f.customer_key AND d.last_time >= f.last_at)"""
    ahead = query.rows(
        cursor,
        f"SELECT DISTINCT customer_key FROM facts WHERE effective_at > {bound} AND customer_key IS NOT NULL",
    )
    if ahead:
        keys = f"SELECT unnest({query.bind([key for (key,) in ahead])}::BIGINT[])"
        gone = f"{gone} UNION {_TO_COME.format(ahead=keys, now=bound)}"
    if not told_by_rows:
        return gone
    asked = f"SELECT unnest({query.bind([key for (key,) in told_by_rows])}::BIGINT[]) AS customer_key"
    held = f"""SELECT customer_key, max(time) FILTER (time <= {bound}) AS last_time FROM usage_rows
        WHERE closed_at IS NULL AND customer_key IN ({asked}) GROUP BY customer_key"""
    return f"""{gone}
        UNION SELECT f.customer_key FROM ({deleted}) f LEFT JOIN ({held}) h ON h.customer_key = f.customer_key
            WHERE f.customer_key IN ({asked}) AND (h.last_time IS NULL OR h.last_time < f.last_at)
        UNION SELECT customer_key FROM ({asked}) WHERE customer_key NOT IN (SELECT customer_key FROM ({held}))
            AND customer_key NOT IN (SELECT customer_key FROM facts WHERE subject = 'customer' AND NOT if_known
                AND effective_at <= {bound})"""


def customer_page(
    cursor: duckdb.DuckDBPyConnection, scope_key: int, now: datetime, offset: int, limit: int, search: str | None
) -> list[CustomerRecord]:
    """Return a page of customers that are not deleted, by id.

    `search` must be in the id, or in the name at `now` (naive UTC), ignoring case.
    """
    query = BoundQuery()
    conditions = [f"scope_key = {query.bind(scope_key)}", IS_CUSTOMER]
    conditions.append(f"customer_key NOT IN ({gone_customers(cursor, query, now)})")
    if search is not None:
        text = query.bind(search.lower())
        named = _NAMED.format(text=text, present=PRESENT_FACTS, now=query.bind(now))
        conditions.append(f"(contains(lower(customer_id), {text}) OR customer_key IN ({named}))")
    rows = query.rows(
        cursor,
        f"""SELECT customer_key, customer_id, first_position FROM customers WHERE {" AND ".join(conditions)}
        ORDER BY customer_id LIMIT {query.bind(limit)} OFFSET {query.bind(offset)}""",
    )
    return records_of(cursor, scope_key, rows)


def customers_blocked(
    cursor: duckdb.DuckDBPyConnection, scope_key: int, now: datetime, limit: int
) -> list[CustomerRecord]:
    """Return customers that are blocked at `now` (naive UTC), deleted ones left out, by id."""
    query = BoundQuery()
    rows = query.rows(
        cursor,
        f"""SELECT customer_key, customer_id, first_position FROM customers
        WHERE scope_key = {query.bind(scope_key)} AND customer_key IN (
            SELECT customer_key FROM ({PRESENT_FACTS})
            WHERE kind IN ('{CUSTOMER_BLOCKED}', '{CUSTOMER_UNBLOCKED}') AND effective_at <= {query.bind(now)}
            GROUP BY customer_key HAVING arg_max(kind, (effective_at, position)) = '{CUSTOMER_BLOCKED}')
            AND customer_key NOT IN ({gone_customers(cursor, query, now)})
        ORDER BY customer_id LIMIT {query.bind(limit)}""",
    )
    return records_of(cursor, scope_key, rows)


class _Sums(msgspec.Struct, frozen=True):
    """What is summed, as SQL on days `d` and rows `r`. `rows_that_add`: the condition on rows that add something."""

    of_days: str
    of_rows: str
    rows_that_add: str = "true"


_COST_OF_DAYS: Final = "sum(d.cost_usd), sum(d.cost_unknown_events)"
_COST_OF_ROWS: Final = "coalesce(sum(r.cost_usd), 0)::DECIMAL(38, 12), count(*) FILTER (r.cost_origin = 'unknown')"
_COSTS: Final = _Sums(_COST_OF_DAYS, _COST_OF_ROWS, "(cost_usd IS NOT NULL OR cost_origin = 'unknown')")
_USAGE: Final = _Sums(f"{_COST_OF_DAYS}, sum(d.root_requests)", f"{_COST_OF_ROWS}, {root_requests('r.')}")


def costs_of(cursor: duckdb.DuckDBPyConnection, kind_keys: Sequence[int], spans: Sequence[KeyedSpan]) -> list[SpanCost]:
    """Return the raw cost of these series within each span."""
    found = [SpanCost()] * len(spans)
    for number, cost, unknown in _sums_of(cursor, kind_keys, spans, _COSTS):
        known = found[number]
        found[number] = SpanCost(MONEY.add(known.cost_usd, cost), known.cost_unknown_events + int(unknown))
    return found


def usage_of(
    cursor: duckdb.DuckDBPyConnection, kind_keys: Sequence[int], spans: Sequence[KeyedSpan]
) -> list[SpanUsage]:
    """Return the usage of these series within each span."""
    found = [SpanUsage()] * len(spans)
    for number, cost, unknown, roots in _sums_of(cursor, kind_keys, spans, _USAGE):
        known = found[number]
        found[number] = SpanUsage(
            MONEY.add(known.cost_usd, cost), known.root_requests + int(roots), known.cost_unknown_events + int(unknown)
        )
    return found


def _sums_of(
    cursor: duckdb.DuckDBPyConnection, kind_keys: Sequence[int], spans: Sequence[KeyedSpan], sums: _Sums
) -> Iterable[Row]:
    """Return rows (number of the span, sums); a span has one of its days, one of its edges, both or none."""
    cut = [whole_days_of(start, end) for _, start, end in spans]
    whole = [n for n, (first, past) in enumerate(cut) if first < past]
    with_edges = [n for n, (first, past) in enumerate(cut) if not _covers(spans[n], first, past)]
    of_days = _from_days(cursor, kind_keys, spans, cut, whole, sums)
    return of_days + _from_rows(cursor, kind_keys, spans, cut, with_edges, sums)


def _from_days(
    cursor: duckdb.DuckDBPyConnection, kind_keys: Sequence[int], spans: Sequence[KeyedSpan],
    cut: Sequence[tuple[date, date]], numbers: Sequence[int], sums: _Sums,
) -> list[Row]:  # fmt: skip
    if not numbers:
        return []
    query = BoundQuery()
    keys, series = query.bind([spans[n][0] for n in numbers]), query.bind(list(kind_keys))
    first, past = query.bind(min(cut[n][0] for n in numbers)), query.bind(max(cut[n][1] for n in numbers))
    asked = f"""SELECT unnest({query.bind(list(numbers))}::INTEGER[]) AS number, unnest({keys}::BIGINT[]) AS key,
        unnest({query.bind([cut[n][0] for n in numbers])}::DATE[]) AS first,
        unnest({query.bind([cut[n][1] for n in numbers])}::DATE[]) AS past"""
    return query.rows(
        cursor,
        f"""SELECT a.number, {sums.of_days} FROM (SELECT * FROM usage_days
            WHERE customer_key IN (SELECT unnest({keys}::BIGINT[])) AND list_contains({series}::INTEGER[], kind_key)
            AND day >= {first} AND day < {past}) d
        JOIN ({asked}) a ON d.customer_key = a.key AND d.day >= a.first AND d.day < a.past GROUP BY a.number""",
    )


def _from_rows(
    cursor: duckdb.DuckDBPyConnection, kind_keys: Sequence[int], spans: Sequence[KeyedSpan],
    cut: Sequence[tuple[date, date]], numbers: Sequence[int], sums: _Sums,
) -> list[Row]:  # fmt: skip
    """The sums outside the whole days of each span."""
    if not numbers:
        return []
    query = BoundQuery()
    keys, series = query.bind([spans[n][0] for n in numbers]), query.bind(list(kind_keys))
    asked = f"""SELECT unnest({query.bind(list(numbers))}::INTEGER[]) AS number, unnest({keys}::BIGINT[]) AS key,
        unnest({query.bind([spans[n][1] for n in numbers])}::TIMESTAMP[]) AS start,
        unnest({query.bind([spans[n][2] for n in numbers])}::TIMESTAMP[]) AS past,
        unnest({query.bind([cut[n][0] for n in numbers])}::DATE[]) AS days_first,
        unnest({query.bind([cut[n][1] for n in numbers])}::DATE[]) AS days_past"""
    at_edges = _at_edges(query, [(spans[n], cut[n]) for n in numbers])
    return query.rows(
        cursor,
        f"""SELECT a.number, {sums.of_rows} FROM (SELECT * FROM usage_rows
            WHERE customer_key IN (SELECT unnest({keys}::BIGINT[])) AND list_contains({series}::INTEGER[], kind_key)
            AND {at_edges} AND closed_at IS NULL AND {sums.rows_that_add}) r
        JOIN ({asked}) a ON r.customer_key = a.key AND r.time >= a.start AND r.time < a.past
            AND (r.time < a.days_first::TIMESTAMP OR r.time >= a.days_past::TIMESTAMP) GROUP BY a.number""",
    )


def _at_edges(query: BoundQuery, cut: Sequence[tuple[KeyedSpan, tuple[date, date]]]) -> str:
    """The condition on rows that lie between the first start and the last end, outside days that all spans cover."""
    start, past = min(span[1] for span, _ in cut), max(span[2] for span, _ in cut)
    within = f"time >= {query.bind(start)} AND time < {query.bind(past)}"
    first, last = max(days[0] for _, days in cut), min(days[1] for _, days in cut)
    if not first < last:
        return within
    outside = f"time < {query.bind(_midnight(first))} OR time >= {query.bind(_midnight(last))}"
    return f"{within} AND ({outside})"


def _covers(span: KeyedSpan, first: date, past: date) -> bool:
    """Whether the span consists of the whole days [first, past)."""
    return (_midnight(first), _midnight(past)) == span[1:]


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min)
