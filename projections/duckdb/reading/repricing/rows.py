"""The rows in the range of a re-pricing, and the prices that the fold knows for them."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import pyarrow as pa

from domain.usage.block_schema import REQUEST_TYPE
from projections.duckdb.storage.pricing_records import pricing_records_of
from projections.duckdb.storage.range_rows import range_rows
from projections.duckdb.storage.series import Series
from projections.pricing.price_book import PriceBook
from projections.pricing.row_costs import PricedModel
from projections.pricing.row_range import RowRange
from projections.pricing.rules import PricingRecord
from projections.queries.repricing import ScopePricing


def rows_to_reprice(
    cursor: duckdb.DuckDBPyConnection,
    asked: RowRange,
    after: tuple[int, int] | None,
    limit: int,
) -> pa.Table | None:
    """Return a page of the rows in a range, with the columns of `REPRICING_ROWS` and `customer_id`, in their order.

    None behind the last one.
    """
    page, values = range_rows(asked, after, limit)
    found = cursor.sql(
        f"""SELECT page.*, c.customer_id FROM ({page}) page JOIN customers c ON c.customer_key = page.customer_key
        ORDER BY page.customer_key, page.locator""",
        params=values,
    ).to_arrow_table()
    return found if found.num_rows else None


def scope_pricing(cursor: duckdb.DuckDBPyConnection, scope_key: int, series: Sequence[Series]) -> ScopePricing:
    """Return the prices known for rows of a scope."""
    records = pricing_records_of(cursor, scope_key)
    prices = PriceBook(_customer_keys(cursor, scope_key, records))
    for owner, record in records:
        prices.add(owner, record)
    return ScopePricing(scope_key, models_of(series), prices)


def models_of(series: Sequence[Series]) -> dict[int, PricedModel]:
    """Return the provider and the model of each series of requests to a model."""
    return {one.key: (one.provider or "", one.model) for one in series if one.type == REQUEST_TYPE and one.model}


def _customer_keys(
    cursor: duckdb.DuckDBPyConnection, scope_key: int, records: Sequence[tuple[int | None, PricingRecord]]
) -> dict[tuple[int, str], int]:
    """The keys of the customers that these records name, as far as they have one."""
    named = {record.customer_id for _, record in records if record.customer_id is not None}
    if not named:
        return {}
    of_scope = "SELECT customer_id, customer_key FROM customers WHERE scope_key = ? AND customer_id IN"
    found = cursor.execute(f"{of_scope} (SELECT unnest(?::VARCHAR[]))", [scope_key, sorted(named)]).fetchall()
    return {(scope_key, name): key for name, key in found}
