"""Costs for usage that was counted at unknown cost, once its price becomes known."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from domain.usage.block_schema import REQUEST_TYPE
from projections.arrow_columns import decimals_of_words, integers, words_of_integers
from projections.folding.fold_state import FoldState
from projections.folding.fold_store import FoldStore
from projections.folding.staged_tables import PRICED_ROWS
from projections.pricing.price_book import discount_lists
from projections.quantity_columns import quantities_of_rows

#: Rows of unknown cost that are priced at once.
PRICED_ROWS_MAX: Final = 100_000


def price_unknown_costs(
    store: FoldStore,
    state: FoldState,
    scope_key: int,
    provider: str,
    model: str,
    position: int,
    customer_id: str | None = None,
) -> None:
    """Price rows counted at unknown cost, as far as the price book can; known costs stay.

    Those of one customer alone, if its id is given.
    """
    customer_key = None
    if customer_id is not None:
        customer_key = state.customer_keys.get((scope_key, customer_id))
        if customer_key is None:
            return
    for name in {provider, provider or None}:
        kind_key = state.kind_keys.get((REQUEST_TYPE, name, model))
        if kind_key is None:
            continue
        above = -1
        while True:
            unknown = store.unknown_cost_rows(kind_key, scope_key, above, PRICED_ROWS_MAX, customer_key)
            if unknown.num_rows == 0:
                break
            above = unknown.column("locator")[-1].as_py()
            priced = _priced(state, unknown, scope_key, provider, model)
            if priced.num_rows:
                store.price_rows(priced, position)


def _priced(state: FoldState, unknown: pa.Table, scope_key: int, provider: str, model: str) -> pa.Table:
    """Those of these rows of unknown cost that have a price now, with their cost."""
    unknown = unknown.combine_chunks()
    customer_keys, times = integers(unknown, "customer_key"), integers(unknown, "time")
    quantities = quantities_of_rows(unknown)
    words = np.zeros((unknown.num_rows, 2), dtype=np.uint64)
    positions = np.zeros(unknown.num_rows, dtype=np.int64)
    found = list(state.prices.costs(scope_key, provider, model, customer_keys, times, quantities))
    for priced in found:
        words[priced.indexes] = words_of_integers(priced.costs)
        positions[priced.indexes] = priced.price_position
    has_price = positions > 0
    return pa.table(
        {
            "locator": unknown.column("locator"),
            "customer_key": unknown.column("customer_key"),
            "cost_usd": decimals_of_words(words, has_price),
            "price_position": pa.array(positions),
            "discount_positions": discount_lists(unknown.num_rows, found),
            "repriced_at": pa.nulls(unknown.num_rows, pa.int64()),
        },
        PRICED_ROWS,
    ).filter(pa.array(has_price))
