"""The rows in the range of a re-pricing, and the prices that the fold knows for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import duckdb
import pyarrow as pa

from domain.repricings.repricing_range import RepricingRange
from domain.usage.block_schema import REQUEST_TYPE
from projections.duckdb.storage.price_books import price_book
from projections.duckdb.storage.range_rows import range_rows
from projections.duckdb.storage.series import Series
from projections.queries.repricing import ScopePricing


def rows_to_reprice(
    cursor: duckdb.DuckDBPyConnection,
    scope_key: int,
    asked: RepricingRange,
    position: int,
    after: tuple[int, int] | None,
    limit: int,
) -> pa.Table:
    """Return a page of the rows in a range, with the columns of `REPRICING_ROWS` and `customer_id`, in their order."""
    values: dict[str, Any] = {}

    def bind(value: Any) -> str:
        values[name := f"v{len(values)}"] = value
        return f"${name}"

    page = range_rows(bind, scope_key, asked, position, after, limit)
    return cursor.sql(
        f"""SELECT page.*, c.customer_id FROM ({page}) page JOIN customers c ON c.customer_key = page.customer_key
        ORDER BY page.customer_key, page.locator""",
        params=values,
    ).to_arrow_table()


def scope_pricing(
    cursor: duckdb.DuckDBPyConnection, scope_key: int, position: int, series: Sequence[Series]
) -> ScopePricing:
    """Return the prices known at `position` for rows of a scope."""
    models = {one.key: (one.provider or "", one.model) for one in series if one.type == REQUEST_TYPE and one.model}
    return ScopePricing(scope_key, models, price_book(cursor, position))
