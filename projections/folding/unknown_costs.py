"""Costs for usage that was counted at unknown cost, once its price becomes known."""

from __future__ import annotations

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from domain.usage.block_schema import REQUEST_TYPE
from projections.folding.backfill_store import RawCost
from projections.folding.fold_state import FoldState
from projections.folding.fold_store import FoldStore
from projections.folding.staged_tables import PRICED_ROWS
from projections.pricing.row_costs import NEW_COST, priced_rows

#: Rows that are priced at once.
PRICED_ROWS_MAX: Final = 100_000


def price_unknown_costs(
    store: FoldStore,
    state: FoldState,
    scope_key: int,
    provider: str,
    model: str,
    position: int,
    customer_id: str | None = None,
) -> RawCost:
    """Price rows counted at unknown cost, as far as the price book can; known costs stay. Return what costs grew by.

    Those of one customer alone, if its id is given.
    """
    customer_key, cost = None, RawCost()
    if customer_id is not None:
        customer_key = state.customer_keys.get((scope_key, customer_id))
        if customer_key is None:
            return cost
    for name in {provider, provider or None}:
        kind_key = state.kind_keys.get((REQUEST_TYPE, name, model))
        if kind_key is None or not state.prices.may_price(scope_key, provider, model):
            continue
        above = -1
        while True:
            unknown = store.unknown_cost_rows(kind_key, scope_key, above, PRICED_ROWS_MAX, customer_key)
            if unknown.num_rows == 0:
                break
            above = unknown.column("locator")[-1].as_py()
            priced = priced_rows(state.prices, scope_key, {kind_key: (provider, model)}, unknown)
            if priced.num_rows:
                store.price_rows(staged_costs(priced, None), position)
                cost = cost.plus(RawCost(pc.sum(priced.column(NEW_COST)).as_py(), -priced.num_rows))
    return cost


def staged_costs(priced: pa.Table, repriced_at: int | None) -> pa.Table:
    """Return the new costs of rows for the store; `repriced_at`: the position of the re-pricing that gives them."""
    columns = {name: priced.column(name) for name in PRICED_ROWS.names if name in priced.schema.names}
    columns["cost_usd"] = priced.column(NEW_COST)
    columns["repriced_at"] = pa.array([repriced_at] * priced.num_rows, pa.int64())
    return pa.table(columns, PRICED_ROWS)
