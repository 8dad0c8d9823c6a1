"""The usage of customers in their present lives: whole days from the rollups, the rest from rows.

Customers whose days do not tell it are read from rows: those that were deleted, those from whose usage something was
taken away, and where cost is asked for, those with a markup.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import duckdb

from domain.customers.events import CUSTOMER_DELETED
from domain.values.instants import aware_or_none, naive
from domain.values.money import marked_up
from projections.duckdb.reading.bound_query import BoundQuery, Row
from projections.duckdb.reading.event_pages import Markups
from projections.duckdb.storage.schema import root_requests
from projections.queries.customer_list import UsageTotals

_ONE: Final = Decimal(1)
#: Digits of a cost that are compared; what lies behind them is the rounding of floats.
COST_DIGITS: Final = 9

#: When the present life of each customer that was ever deleted began.
DIED: Final = f"""SELECT customer_key, max(effective_at) AS at FROM facts WHERE kind = '{CUSTOMER_DELETED}'
    GROUP BY customer_key"""
_LIVING: Final = "LEFT JOIN died x ON x.customer_key = r.customer_key"
_IN_LIFE: Final = "r.closed_at IS NULL AND (x.at IS NULL OR r.time >= x.at)"


def usage_relations(query: BoundQuery, scope_key: int, kind_keys: Sequence[int], markups: Markups) -> dict[str, str]:
    """Return the relation `usage` and those that it is made of, by name, in order.

    It has a row for each customer with usage: requests, tokens, reported cost (as DOUBLE), active days, first and last
    time. `kind_keys`: the series of requests.
    """
    scope, kinds = query.bind(scope_key), query.bind(list(kind_keys))
    changes = [(key, change) for key, of_customer in markups.items() for change in of_customer]
    keys, starts = [key for key, _ in changes], [naive(change.start) for _, change in changes]
    factors = [float(marked_up(_ONE, change.percentage)) for _, change in changes]
    is_request = f"list_contains({kinds}::INTEGER[], kind_key)"
    return {
        "died": DIED,
        "factors": f"""SELECT unnest({query.bind(keys)}::BIGINT[]) AS customer_key,
            unnest({query.bind(starts)}::TIMESTAMP[]) AS start, unnest({query.bind(factors)}::DOUBLE[]) AS factor""",
        "from_rows": f"""SELECT customer_key FROM died UNION SELECT customer_key FROM factors
            UNION SELECT customer_key FROM usage_days WHERE scope_key = {scope} AND taken_events > 0""",
        "days": f"""SELECT customer_key, day, sum(root_requests) FILTER ({is_request}) AS requests,
            sum(input_tokens) FILTER ({is_request}) AS input_tokens,
            sum(output_tokens) FILTER ({is_request}) AS output_tokens,
            sum(cost_usd) FILTER ({is_request})::DOUBLE AS cost, min(first_time) AS first_time,
            max(last_time) AS last_time
            FROM usage_days WHERE scope_key = {scope} AND customer_key NOT IN (SELECT customer_key FROM from_rows)
            GROUP BY ALL HAVING sum(events) > 0""",
        "usage": f"""SELECT customer_key, sum(requests) AS requests, sum(input_tokens) AS input_tokens,
            sum(output_tokens) AS output_tokens, round(sum(cost), {COST_DIGITS}) AS cost, count(*) AS active_days,
            min(first_time) AS first_time, max(last_time) AS last_time FROM days GROUP BY customer_key
            UNION ALL SELECT r.customer_key, {root_requests("r.", is_request)},
            sum(r.input_tokens) FILTER ({is_request}), sum(r.output_tokens) FILTER ({is_request}),
            round(sum(r.cost_usd::DOUBLE * coalesce(m.factor, 1)) FILTER ({is_request}), {COST_DIGITS}),
            count(DISTINCT r.time::DATE), min(r.time), max(r.time)
            FROM (SELECT * FROM usage_rows WHERE scope_key = {scope}
                AND customer_key IN (SELECT customer_key FROM from_rows)) r {_LIVING}
            ASOF LEFT JOIN factors m ON m.customer_key = r.customer_key AND r.time >= m.start
            WHERE {_IN_LIFE} GROUP BY r.customer_key""",
    }


def average_relations(query: BoundQuery, scope_key: int, kind_keys: Sequence[int]) -> dict[str, str]:
    """Return the relation `averages`, of latencies in seconds, and those that it is made of."""
    return {
        "died": DIED,
        "averages": f"""SELECT r.customer_key, avg(r.latency_us) / 1e6 AS latency, avg(r.ttft_us) / 1e6 AS ttft
            FROM usage_rows r {_LIVING} WHERE r.scope_key = {query.bind(scope_key)} AND {_IN_LIFE}
            AND list_contains({query.bind(list(kind_keys))}::INTEGER[], r.kind_key) GROUP BY r.customer_key""",
    }


def usage_totals(
    cursor: duckdb.DuckDBPyConnection, kind_keys: Sequence[int], customer_keys: Sequence[int]
) -> dict[int, UsageTotals]:
    """Return the totals of each of these customers that has usage, from rows."""
    query = BoundQuery()
    keys, kinds = query.bind(list(customer_keys)), query.bind(list(kind_keys))
    is_request = f"list_contains({kinds}::INTEGER[], r.kind_key)"
    of_request = f"FILTER ({is_request})"
    rows = query.rows(
        cursor,
        f"""WITH died AS ({DIED}) SELECT r.customer_key, {root_requests("r.", is_request)},
            coalesce(sum(r.input_tokens) {of_request}, 0), coalesce(sum(r.output_tokens) {of_request}, 0),
            {root_requests("r.", f"{is_request} AND r.cached_input_tokens > 0")},
            count(DISTINCT r.time::DATE), min(r.time), max(r.time),
            avg(r.latency_us) {of_request}, avg(r.ttft_us) {of_request}
        FROM (SELECT * FROM usage_rows WHERE customer_key IN (SELECT unnest({keys}::BIGINT[]))) r {_LIVING}
        WHERE {_IN_LIFE} GROUP BY r.customer_key""",
    )
    return {row[0]: _totals(row) for row in rows}


def _totals(row: Row) -> UsageTotals:
    _, requests, input_tokens, output_tokens, cached, days, first, last, latency, ttft = row
    times = aware_or_none(first), aware_or_none(last)
    return UsageTotals(requests, input_tokens, output_tokens, cached, days, *times, latency, ttft)
