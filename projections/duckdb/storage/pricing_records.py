"""Everything that a price book is made of, read from the tables of prices, discounts and facts."""

from __future__ import annotations

from typing import Any, Final

import duckdb
import msgspec

from domain.customers.events import CUSTOMER_DELETED
from domain.prices.price_list import PriceList
from domain.values.instants import aware, aware_or_none
from projections.pricing.rules import DiscountRule, LifeEnded, PriceRule, PricingRecord

_prices: Final = msgspec.json.Decoder(PriceList)

#: Deletions matter of those customers alone that have a price or a discount of their own.
_RECORDS: Final = f"""
    SELECT position, scope_key, 'price' AS kind, customer_id, life_began_at, provider, model, prices,
        NULL AS percentage, NULL AS at FROM prices
    UNION ALL SELECT position, scope_key, 'discount', customer_id, life_began_at, provider, model, NULL,
        percentage, effective_from FROM discounts
    UNION ALL SELECT f.position, f.scope_key, 'life', c.customer_id, NULL, NULL, NULL, NULL, NULL, f.effective_at
        FROM facts f JOIN customers c ON c.customer_key = f.customer_key
        WHERE f.kind = '{CUSTOMER_DELETED}' AND (c.scope_key, c.customer_id) IN (
            SELECT (scope_key, customer_id) FROM prices WHERE customer_id IS NOT NULL
            UNION SELECT (scope_key, customer_id) FROM discounts WHERE customer_id IS NOT NULL)"""


def pricing_records(cursor: duckdb.DuckDBPyConnection) -> list[tuple[int | None, PricingRecord]]:
    """Return the records of every scope with the keys of their scopes, in the order of the log."""
    return _records(cursor, f"SELECT * FROM ({_RECORDS}) ORDER BY position", [])


def pricing_records_of(cursor: duckdb.DuckDBPyConnection, scope_key: int) -> list[tuple[int | None, PricingRecord]]:
    """Return the records of a scope, and of list prices whoever uses their models, which must not be shown."""
    of_scope = f"SELECT * FROM ({_RECORDS}) WHERE scope_key = ? OR scope_key IS NULL ORDER BY position"
    return _records(cursor, of_scope, [scope_key])


def _records(cursor: duckdb.DuckDBPyConnection, sql: str, values: list[int]) -> list[tuple[int | None, PricingRecord]]:
    return [(row[1], _record(*row)) for row in cursor.execute(sql, values).fetchall()]


def _record(
    position: int, _: int | None, kind: str, customer_id: Any, began_at: Any, provider: Any, model: Any, prices: Any,
    percentage: Any, at: Any,
) -> PricingRecord:  # fmt: skip
    match kind:
        case "price":
            decoded = _prices.decode(prices)
            return PriceRule(position, provider, model, decoded, customer_id, aware_or_none(began_at))
        case "discount":
            since, began = aware_or_none(at), aware_or_none(began_at)
            return DiscountRule(position, percentage, since, provider, model, customer_id, began)
        case _:
            return LifeEnded(position, customer_id, aware(at))
