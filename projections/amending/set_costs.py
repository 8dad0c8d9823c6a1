"""The costs of rows whose series or customer was set, by the rule of amendments: a cost that was given stays.

Any other is made again where the series or the customer differs, by the prices that are known; it is unknown where
none is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from domain.usage.block_schema import FAILED, REQUEST_TYPE
from projections.amending.set_rows import Series, replaced
from projections.arrow_columns import Bools, integers
from projections.pricing.price_book import PriceBook
from projections.pricing.row_costs import NEW_COST, priced_rows

#: The columns of rows that say what they cost and why.
COST_COLUMNS: Final = ("cost_usd", "cost_origin", "price_position", "discount_positions", "repriced_at")


def costs_differ(before: pa.Table, after: pa.Table) -> Bools:
    """Return which rows get another cost: their series or customer differs, and theirs was not given."""
    given = np.asarray(pc.equal(before.column("cost_origin").cast(pa.utf8()), "producer"), dtype=bool)
    differs: Bools = integers(before, "kind_key") != integers(after, "kind_key")
    differs |= integers(before, "customer_key") != integers(after, "customer_key")
    differs &= ~given
    return differs


def with_costs(
    rows: pa.Table,
    asked: Bools,
    keep_repriced: Iterable[int],
    prices: PriceBook,
    scope_key: int,
    series: Callable[[int], Series],
) -> pa.Table:
    """Return the rows of a scope, those `asked` with the costs that prices give them.

    `keep_repriced`: locators of events whose given cost a re-pricing replaced. They keep the mark of that re-pricing,
    so that its revert brings the given cost back.
    """
    places = np.flatnonzero(asked)
    if not len(places):
        return rows
    of_kinds = {key: series(key) for key in np.unique(integers(rows, "kind_key")[places]).tolist()}
    models = {
        key: (provider or "", model)
        for key, (event_type, provider, model) in of_kinds.items()
        if event_type == REQUEST_TYPE and model is not None
    }
    numbered = rows.drop_columns(["price_position", "discount_positions"])
    numbered = numbered.append_column("row", pa.array(np.arange(rows.num_rows))).take(pa.array(places))
    is_priceable = np.asarray(pc.is_in(numbered.column("kind_key"), pa.array(list(models), pa.int32())), dtype=bool)
    is_priceable &= ~_failed_without_quantities(numbered)
    kept = set(keep_repriced)
    costs: dict[str, list[Any]] = {name: rows.column(name).to_pylist() for name in COST_COLUMNS}
    locators = integers(rows, "locator")
    for place, can_be_priced in zip(places.tolist(), is_priceable.tolist(), strict=True):
        for name in ("cost_usd", "price_position", "discount_positions"):
            costs[name][place] = None
        costs["cost_origin"][place] = "unknown" if can_be_priced else "none"
        if int(locators[place]) not in kept:
            costs["repriced_at"][place] = None
    priced = priced_rows(prices, scope_key, models, numbered.filter(pa.array(is_priceable)))
    for one in priced.select(["row", NEW_COST, "price_position", "discount_positions"]).to_pylist():
        place = one["row"]
        costs["cost_usd"][place], costs["cost_origin"][place] = one[NEW_COST], "price"
        costs["price_position"][place], costs["discount_positions"][place] = (
            one["price_position"],
            one["discount_positions"],
        )
    for name, values in costs.items():
        kind = pa.utf8() if name == "cost_origin" else rows.schema.field(name).type
        rows = replaced(rows, name, pa.array(values, kind))
    return rows


def _failed_without_quantities(rows: pa.Table) -> Bools:
    """Requests that failed and told nothing of what they used: they have no cost."""
    unknown = pc.fill_null(rows.column("quantities_unknown"), False)
    failed = pc.fill_null(pc.equal(rows.column("status").cast(pa.utf8()), FAILED), False)
    return np.asarray(pc.and_(unknown, failed), dtype=bool)
