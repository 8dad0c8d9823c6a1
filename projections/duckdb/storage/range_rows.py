"""The rows in the range of a re-pricing, as a statement that the fold and snapshots share."""

from __future__ import annotations

from typing import Any, Final

from domain.usage.block_schema import TOKEN_COLUMNS
from domain.values.instants import naive
from projections.duckdb.storage.missing_rows import ROWS_VIEW
from projections.pricing.row_range import RowRange

_COLUMNS: Final = ", ".join(
    f"r.{name}"
    for name in (
        *("locator", "customer_key", "kind_key", "time", "cost_usd"),
        *TOKEN_COLUMNS,
        *("unit_names", "unit_quantities", "requests", "quantities_unknown", "price_context"),
    )
)
#: How producers mark a request that a cache answered: a cost of 0 is right then.
_FROM_CACHE: Final = """(contains(r.id, '_cache_hit')
    OR lower(coalesce(json_extract_string(r.properties, '$.cache_hit'), '')) IN ('true', '1'))"""
_ZERO: Final = f"(r.cost_origin = 'producer' AND r.cost_usd = 0 AND NOT {_FROM_CACHE})"


def range_rows(
    asked: RowRange, after: tuple[int, int] | None, limit: int, rows: str = ROWS_VIEW
) -> tuple[str, dict[str, Any]]:
    """Return the SELECT of the first `limit` rows in a range, ascending by customer key, then locator, and its values.

    `after`: customer key and locator that they come after; `rows`: the table or subquery that they are found in. The
    columns are those of `REPRICING_ROWS`. No other table is named: within a fold step, keys of that step are in none.
    """
    values: dict[str, Any] = {}

    def bind(value: Any) -> str:
        values[name := f"v{len(values)}"] = value
        return f"${name}"

    conditions = [
        f"r.scope_key = {bind(asked.scope_key)}",
        "r.closed_at IS NULL",
        f"r.counted_at <= {bind(asked.counted_up_to)}",
        f"(r.cost_origin = 'price' OR {_ZERO})" if asked.given_costs == "zeros" else "r.cost_origin = 'price'",
        f"r.kind_key IN (SELECT unnest({bind(list(asked.kind_keys))}::INTEGER[]))",
    ]
    if asked.customer_keys is not None:
        conditions.append(f"r.customer_key IN (SELECT unnest({bind(list(asked.customer_keys))}::BIGINT[]))")
    if asked.start is not None:
        conditions.append(f"r.time >= {bind(naive(asked.start))}")
    if asked.end is not None:
        conditions.append(f"r.time < {bind(naive(asked.end))}")
    if after is not None:
        customer, locator = bind(after[0]), bind(after[1])
        conditions.append(f"r.customer_key >= {customer}")
        conditions.append(f"(r.customer_key > {customer} OR r.locator > {locator})")
    statement = f"""SELECT {_COLUMNS} FROM {rows} r WHERE {" AND ".join(conditions)}
        ORDER BY r.customer_key, r.locator LIMIT {bind(limit)}"""
    return statement, values
