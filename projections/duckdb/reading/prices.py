"""Prices and discounts, read from their tables, as one scope knows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import duckdb
import msgspec

from domain.prices.price_list import PriceList
from domain.scope import Scope
from domain.usage.block_schema import REQUEST_TYPE
from domain.values.instants import aware, aware_or_none
from projections.duckdb.memory.first_uses import UsesBySeries
from projections.duckdb.reading.bound_query import BoundQuery, Row
from projections.queries.prices import DiscountRecord, ListedModel, Owners, PriceCursor, PriceRecord

_prices: Final = msgspec.json.Decoder(PriceList)
_DISCOUNT: Final = "position, customer_id, provider, model, percentage, effective_from, recorded_at, actor"


class KnownPrices:
    """The prices that a scope knows: its own, its customers', and the list prices of the models that its usage has met.

    List prices are shared by all scopes. One that another scope's usage brought into the log is shown as if it had come
    with the first usage of the scope that asks: when and by whom else a model is used stays with those who use it. For
    the same reason a list price that another one had replaced before that usage is not shown.
    """

    def __init__(self, cursor: duckdb.DuckDBPyConnection, scope_key: int, first_uses: UsesBySeries) -> None:
        """`first_uses`: those of the scope, of every series that a price asked about may belong to."""
        self._cursor = cursor
        self._scope_key = scope_key
        self._first_uses = first_uses

    def page(
        self, provider: str | None, model: str | None, after: PriceCursor | None, limit: int, owners: Owners
    ) -> list[PriceRecord]:
        """Return a page of the prices, in the order in which the scope came to know them."""
        query = BoundQuery()
        conditions = [_owned(query, owners)]
        if provider is not None:
            conditions.append(f"provider = {query.bind(provider)}")
        if model is not None:
            conditions.append(f"model = {query.bind(model)}")
        if after is not None:
            conditions.append(f"known_at >= {query.bind(after.position)}")
        skipped = 0 if after is None else after.rows
        return self._records(
            query,
            f"""WHERE {" AND ".join(conditions)} ORDER BY known_at, provider, model, position
            LIMIT {query.bind(limit)} OFFSET {query.bind(skipped)}""",
        )

    def at(self, position: int) -> PriceRecord | None:
        """Return the price that the log record at `position` set; None when the scope does not know it."""
        query = BoundQuery()
        found = self._records(query, f"WHERE position = {query.bind(position)}")
        return found[0] if found else None

    def _records(self, query: BoundQuery, rest: str) -> list[PriceRecord]:
        rows = query.rows(
            self._cursor,
            f"""SELECT known_at, tenant, environment, provider, model, prices, library, recorded_at, actor, customer_id
            FROM ({self._known(query)}) {rest}""",
        )
        return [_price(row) for row in rows]

    def _known(self, query: BoundQuery) -> str:
        """SQL of all prices that the scope knows; `known_at` is the log position from which it does."""
        uses = self._first_uses
        used = f"""SELECT coalesce(k.provider, '') AS provider, k.model, min(u.position) AS position,
                arg_min(u.recorded_at, u.position) AS recorded_at
            FROM (SELECT unnest({query.bind(list(uses))}::INTEGER[]) AS kind_key,
                unnest({query.bind([use.position for use in uses.values()])}::BIGINT[]) AS position,
                unnest({query.bind([use.recorded_at for use in uses.values()])}::TIMESTAMP[]) AS recorded_at) u
            JOIN kinds k ON k.kind_key = u.kind_key WHERE k.type = '{REQUEST_TYPE}' AND k.model IS NOT NULL
            GROUP BY 1, 2"""
        return f"""SELECT p.position, greatest(p.position, u.position) AS known_at, s.tenant, s.environment, p.provider,
                p.model, p.prices, p.library, p.actor, p.customer_id,
                CASE WHEN u.position > p.position THEN u.recorded_at ELSE p.recorded_at END AS recorded_at
            FROM prices p LEFT JOIN scopes s ON s.scope_key = p.scope_key
            LEFT JOIN ({used}) u ON p.scope_key IS NULL AND u.provider = p.provider AND u.model = p.model
            WHERE p.scope_key = {query.bind(self._scope_key)} OR p.scope_key IS NULL AND u.position IS NOT NULL
                AND NOT EXISTS (SELECT 1 FROM prices later WHERE later.scope_key IS NULL AND later.provider = p.provider
                    AND later.model = p.model AND later.position > p.position AND later.position < u.position)"""


def discounts(
    cursor: duckdb.DuckDBPyConnection, scope_key: int, after: int, limit: int, owners: Owners
) -> list[DiscountRecord]:
    """Return a page of the discounts of a scope behind a log position."""
    query = BoundQuery()
    where = f"scope_key = {query.bind(scope_key)} AND position > {query.bind(after)} AND {_owned(query, owners)}"
    rows = query.rows(
        cursor, f"SELECT {_DISCOUNT} FROM discounts WHERE {where} ORDER BY position LIMIT {query.bind(limit)}"
    )
    return [_discount(row) for row in rows]


def discounts_at(cursor: duckdb.DuckDBPyConnection, scope_key: int, positions: Sequence[int]) -> list[DiscountRecord]:
    """Return the discounts of a scope at these log positions, in the given order."""
    query = BoundQuery()
    rows = query.rows(
        cursor,
        f"""SELECT {_DISCOUNT} FROM discounts WHERE scope_key = {query.bind(scope_key)}
            AND list_contains({query.bind(list(positions))}::BIGINT[], position)""",
    )
    found = {row[0]: _discount(row) for row in rows}
    return [found[position] for position in positions if position in found]


def _owned(query: BoundQuery, owners: Owners) -> str:
    if owners.customer_id is not None:
        return f"customer_id = {query.bind(owners.customer_id)}"
    return "true" if owners.customers_too else "customer_id IS NULL"


def listed_models(cursor: duckdb.DuckDBPyConnection, after: tuple[str, str] | None, limit: int) -> list[ListedModel]:
    """Return a page of the models that any scope used or that were listed, behind the provider and model `after`."""
    query = BoundQuery()
    behind = "" if after is None else f"WHERE (provider, model) > ({query.bind(after[0])}, {query.bind(after[1])})"
    rows = query.rows(
        cursor,
        f"""SELECT provider, model, arg_max(prices, position), arg_max(library, position) FROM (
                SELECT coalesce(provider, '') AS provider, model, NULL AS prices, NULL AS library, 0 AS position
                FROM kinds WHERE type = '{REQUEST_TYPE}' AND model IS NOT NULL
                UNION ALL SELECT provider, model, prices, library, position FROM prices WHERE scope_key IS NULL)
            {behind} GROUP BY provider, model ORDER BY provider, model LIMIT {query.bind(limit)}""",
    )
    return [
        ListedModel(provider, model, None if prices is None else _prices.decode(prices), library)
        for provider, model, prices, library in rows
    ]


def series_priced_at(cursor: duckdb.DuckDBPyConnection, position: int) -> set[int]:
    """Return the keys of the series that the price at a log position is for; of events with no or an empty provider."""
    rows = cursor.execute(
        f"""SELECT k.kind_key FROM prices p JOIN kinds k ON k.model = p.model AND coalesce(k.provider, '') = p.provider
        WHERE p.position = ? AND k.type = '{REQUEST_TYPE}'""",
        [position],
    ).fetchall()
    return {row[0] for row in rows}


def _discount(row: Row) -> DiscountRecord:
    position, customer_id, provider, model, percentage, effective_from, recorded_at, actor = row
    since = aware_or_none(effective_from)
    return DiscountRecord(position, customer_id, provider, model, percentage, since, aware(recorded_at), actor)


def _price(row: Row) -> PriceRecord:
    known_at, tenant, environment, provider, model, prices, library, recorded_at, actor, customer_id = row
    scope = None if tenant is None else Scope(tenant, environment)
    decoded = _prices.decode(prices)
    return PriceRecord(known_at, scope, provider, model, decoded, library, aware(recorded_at), actor, customer_id)
