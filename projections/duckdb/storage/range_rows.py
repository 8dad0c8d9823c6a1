"""The rows in the range of a re-pricing, as a statement that the fold and snapshots share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from domain.repricings.repricing_range import RepricingRange
from domain.usage.block_schema import REQUEST_TYPE, TOKEN_COLUMNS
from domain.values.instants import naive

_COLUMNS: Final = ", ".join(
    f"r.{name}"
    for name in (
        *("locator", "customer_key", "kind_key", "time", "cost_usd"),
        *TOKEN_COLUMNS,
        *("unit_names", "unit_quantities", "requests", "quantities_unknown", "price_context"),
    )
)
#: How producers mark a request that a cache answered: a cost of 0 is right then.
_FROM_CACHE: Final = (
    """(coalesce(r.properties, '') LIKE '%"cache_hit":true%' OR r.id LIKE '%\\_cache\\_hit%' ESCAPE '\')"""
)
_ZERO: Final = f"r.cost_origin = 'producer' AND r.cost_usd = 0 AND NOT {_FROM_CACHE}"

#: Binds a value, and returns its placeholder.
Bind = Callable[[Any], str]


def range_rows(
    bind: Bind,
    scope_key: int | None,
    asked: RepricingRange,
    counted_up_to: int,
    after: tuple[int, int] | None,
    limit: int,
) -> str:
    """Return the SELECT of the first `limit` rows in a range, ascending by customer key, then locator.

    They are current, and in their present version since log position `counted_up_to` or before. `after`: customer key
    and locator that they come after. The columns are those of `REPRICING_ROWS`.
    """
    conditions = [
        f"r.scope_key = {bind(scope_key)}",
        "r.closed_at IS NULL",
        f"r.counted_at <= {bind(counted_up_to)}",
        f"(r.cost_origin = 'price' OR {_ZERO})" if asked.given_costs == "zeros" else "r.cost_origin = 'price'",
        f"r.kind_key IN (SELECT kind_key FROM kinds WHERE {_of_models(bind, asked)})",
    ]
    if asked.customers:
        names = f"SELECT unnest({bind(list(asked.customers))}::VARCHAR[])"
        of_scope = f"scope_key = {bind(scope_key)} AND customer_id IN ({names})"
        conditions.append(f"r.customer_key IN (SELECT customer_key FROM customers WHERE {of_scope})")
    if asked.start is not None:
        conditions.append(f"r.time >= {bind(naive(asked.start))}")
    if asked.end is not None:
        conditions.append(f"r.time < {bind(naive(asked.end))}")
    if after is not None:
        customer, locator = bind(after[0]), bind(after[1])
        conditions.append(f"r.customer_key >= {customer}")
        conditions.append(f"(r.customer_key > {customer} OR r.locator > {locator})")
    return f"""SELECT {_COLUMNS} FROM usage_rows r WHERE {" AND ".join(conditions)}
        ORDER BY r.customer_key, r.locator LIMIT {bind(limit)}"""


def _of_models(bind: Bind, asked: RepricingRange) -> str:
    conditions = [f"type = '{REQUEST_TYPE}' AND model IS NOT NULL"]
    if asked.models:
        conditions.append(f"model IN (SELECT unnest({bind(list(asked.models))}::VARCHAR[]))")
    if asked.provider is not None:
        conditions.append(f"coalesce(provider, '') = {bind(asked.provider)}")
    return " AND ".join(conditions)
