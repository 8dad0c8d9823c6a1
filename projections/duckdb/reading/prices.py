"""Prices, read from their table, as one scope knows them."""

from __future__ import annotations

from typing import Final

import duckdb
import msgspec

from domain.prices.price_list import PriceList
from domain.scope import Scope
from domain.usage.block_schema import REQUEST_TYPE
from domain.values.instants import aware
from projections.duckdb.memory.first_uses import UsesBySeries
from projections.duckdb.reading.bound_query import BoundQuery, Row
from projections.queries.prices import ListedModel, PriceCursor, PriceRecord

_prices: Final = msgspec.json.Decoder(PriceList)


class KnownPrices:
    """The prices that a scope knows: its own, and the list prices of the models that its own usage has met.

    List prices are shared by all scopes. One that another scope's usage brought into the log is shown as if it had come
    with the first usage of the scope that asks: when and by whom else a model is used stays with those who use it. For
    the same reason a list price that another one had replaced before that usage is not shown.
    """

    def __init__(self, cursor: duckdb.DuckDBPyConnection, scope_key: int, first_uses: UsesBySeries) -> None:
        """`first_uses`: those of the scope, of every series that a price asked about may belong to."""
        self._cursor = cursor
        self._scope_key = scope_key
        self._first_uses = first_uses

    def page(self, provider: str | None, model: str | None, after: PriceCursor | None, limit: int) -> list[PriceRecord]:
        """Return a page of the prices, in the order in which the scope came to know them."""
        query = BoundQuery()
        conditions = ["true"]
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
            f"""SELECT known_at, tenant, environment, provider, model, prices, library, recorded_at, actor
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
                p.model, p.prices, p.library, p.actor,
                CASE WHEN u.position > p.position THEN u.recorded_at ELSE p.recorded_at END AS recorded_at
            FROM prices p LEFT JOIN scopes s ON s.scope_key = p.scope_key
            LEFT JOIN ({used}) u ON p.scope_key IS NULL AND u.provider = p.provider AND u.model = p.model
            WHERE p.scope_key = {query.bind(self._scope_key)} OR p.scope_key IS NULL AND u.position IS NOT NULL
                AND NOT EXISTS (SELECT 1 FROM prices later WHERE later.scope_key IS NULL AND later.provider = p.provider
                    AND later.model = p.model AND later.position > p.position AND later.position < u.position)"""


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


def _price(row: Row) -> PriceRecord:
    known_at, tenant, environment, provider, model, prices, library, recorded_at, actor = row
    scope = None if tenant is None else Scope(tenant, environment)
    return PriceRecord(known_at, scope, provider, model, _prices.decode(prices), library, aware(recorded_at), actor)
