"""Costs of rows that are stored already, by the prices of a book."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from projections.arrow_columns import decimals_of_words, integers, words_of_integers
from projections.pricing.price_book import PriceBook, discount_lists
from projections.quantity_columns import quantities_of_rows

#: The column with the cost by the prices of the book; that of the row is `cost_usd`.
NEW_COST: Final = "new_cost_usd"
#: The provider (empty: none) and the model of a series.
PricedModel = tuple[str, str]


def priced_rows(prices: PriceBook, scope_key: int, models: Mapping[int, PricedModel], rows: pa.Table) -> pa.Table:
    """Return those of the rows of a scope that have a price, with their new cost and the positions that made it.

    `rows` has `locator`, `customer_key`, `kind_key`, `time` and the columns of quantities; `models` those of its
    series. `new_cost_usd`, `price_position` and `discount_positions` are added.
    """
    rows = rows.combine_chunks()
    customer_keys, times = integers(rows, "customer_key"), integers(rows, "time")
    quantities = quantities_of_rows(rows)
    words = np.zeros((rows.num_rows, 2), dtype=np.uint64)
    positions = np.zeros(rows.num_rows, dtype=np.int64)
    found = []
    for (provider, model), of_model in _by_model(rows, models):
        of_rows = customer_keys[of_model], times[of_model], quantities.take(of_model)
        for priced in prices.costs(scope_key, provider, model, *of_rows):
            indexes = of_model[priced.indexes]
            words[indexes] = words_of_integers(priced.costs)
            positions[indexes] = priced.price_position
            found.append(priced._replace(indexes=indexes))
    has_price = positions > 0
    priced_columns = {
        NEW_COST: decimals_of_words(words, has_price),
        "price_position": pa.array(positions),
        "discount_positions": discount_lists(rows.num_rows, found),
    }
    for name, column in priced_columns.items():
        rows = rows.append_column(name, column)
    return rows.filter(pa.array(has_price))


def changed_rows(priced: pa.Table) -> pa.Table:
    """Return those of priced rows whose new cost is not the one that they have."""
    same = pc.fill_null(pc.equal(priced.column("cost_usd"), priced.column(NEW_COST)), False)
    return priced.filter(pc.invert(same))


def _by_model(rows: pa.Table, models: Mapping[int, PricedModel]) -> Iterator[tuple[PricedModel, npt.NDArray[np.intp]]]:
    kinds = integers(rows, "kind_key")
    for kind in np.unique(kinds).tolist():
        yield models[kind], np.flatnonzero(kinds == kind)
