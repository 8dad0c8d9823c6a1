"""Prices, read from their table."""

from __future__ import annotations

from typing import Final

import duckdb
import msgspec

from domain.prices.schedule import PriceVersion
from domain.scope import Scope
from domain.values.instants import aware
from projections.duckdb.reading.bound_query import BoundQuery, Row
from projections.queries.prices import PriceRecord

_PRICE: Final = """p.position, s.tenant, s.environment, p.provider, p.model, p.versions, p.library, p.recorded_at,
    p.actor FROM prices p LEFT JOIN scopes s ON s.scope_key = p.scope_key"""


_versions: Final = msgspec.json.Decoder(tuple[PriceVersion, ...])


def prices(
    cursor: duckdb.DuckDBPyConnection, scope_key: int | None, provider: str | None, model: str | None,
    after: int | None, limit: int,
) -> list[PriceRecord]:  # fmt: skip
    """Return a page of a scope's own prices and the list prices, ascending by position."""
    query = BoundQuery()
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
    """Return the price that was listed or set at a log position."""
    rows = cursor.execute(f"SELECT {_PRICE} WHERE p.position = ?", [position]).fetchall()
    return _price(rows[0]) if rows else None


def _price(row: Row) -> PriceRecord:
    position, tenant, environment, provider, model, versions, library, recorded_at, actor = row
    scope = None if tenant is None else Scope(tenant, environment)
    return PriceRecord(position, scope, provider, model, _versions.decode(versions), library, aware(recorded_at), actor)
