"""Effective-dated prices known at a log position: a tenant's own prices, then list prices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from domain.prices.cost_columns import Picodollars, PriceColumns
from domain.prices.price_list import PriceList
from domain.usage.quantities import Quantities
from domain.values.instants import epoch_microseconds
from domain.values.money import COST_DECIMALS, USD_LIMIT

#: A column of lists of log positions.
POSITIONS: Final = pa.list_(pa.int64())
_EVER = datetime(1, 1, 1, tzinfo=UTC)
#: Every cost, given or computed, is below this limit, so that no sum of a read store can overflow.
_PICODOLLARS_LIMIT: Final = int(USD_LIMIT) * 10**COST_DECIMALS


class KnownPrice(msgspec.Struct, frozen=True):
    """A price that the log record at `position` set. An own price is valid from `effective_from` until the next one."""

    effective_from: datetime
    position: int
    prices: PriceColumns


class PricedRows(NamedTuple):
    """Events with their costs, and the log positions of the price and of the discounts on it that made these."""

    price_position: int
    discount_positions: tuple[int, ...]
    indexes: npt.NDArray[np.intp]
    costs: Picodollars


def discount_lists(rows: int, priced: Iterable[PricedRows]) -> pa.Array:
    """Return the positions of the discounts of so many rows as a column of lists; null without any."""
    lists: list[tuple[int, ...] | None] = [None] * rows
    for found in priced:
        if found.discount_positions:
            for index in found.indexes.tolist():
                lists[index] = found.discount_positions
    return pa.array(lists, POSITIONS)


class PriceBook:
    """The prices folded so far, by scope, provider and model. `scope_key` None stands for list prices.

    A scope's own price applies from its `effective_from` on; before the first of them the list price applies.
    Of two prices with the same `effective_from` the one at the higher position wins. Each listing of a model replaces
    the one before it.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[int | None, str, str], list[KnownPrice]] = {}

    def add(self, scope_key: int | None, provider: str, model: str, position: int, prices: PriceList) -> None:
        """Add the price that the log record at `position` set."""
        known = self._known.setdefault((scope_key, provider, model), [])
        if scope_key is None:
            known[:] = [KnownPrice(_EVER, position, PriceColumns(prices))]
            return
        known.append(KnownPrice(prices.standard[0].start or _EVER, position, PriceColumns(prices)))
        known.sort(key=lambda price: (price.effective_from, price.position))

    def choose(
        self, scope_key: int, provider: str, model: str, times_us: npt.NDArray[np.int64]
    ) -> list[tuple[KnownPrice, npt.NDArray[np.intp]]]:
        """Each price that applies to some of these event times, with the indexes of those times.

        The index of a time without a price appears nowhere.
        """
        chosen: list[tuple[KnownPrice, npt.NDArray[np.intp]]] = []
        open_indexes: npt.NDArray[np.intp] = np.arange(len(times_us), dtype=np.intp)
        for owner in (scope_key, None):
            known = self._known.get((owner, provider, model))
            if not known or not len(open_indexes):
                continue
            starts = np.array([epoch_microseconds(price.effective_from) for price in known], dtype=np.int64)
            current = np.searchsorted(starts, times_us[open_indexes], side="right") - 1
            chosen.extend(
                (known[number], open_indexes[current == number])
                for number in np.unique(current).tolist()
                if number >= 0
            )
            open_indexes = open_indexes[current < 0]
        return chosen

    def costs(
        self,
        scope_key: int,
        provider: str,
        model: str,
        customer_keys: npt.NDArray[np.int64],
        times_us: npt.NDArray[np.int64],
        quantities: Quantities,
    ) -> Iterator[PricedRows]:
        """Yield the costs of events, the index of each at most once.

        An event of unknown cost is left out, and so is one with a cost of 10^15 USD or more.
        """
        for price, indexes in self.choose(scope_key, provider, model, times_us):
            whole = len(indexes) == len(quantities)
            of_price = quantities if whole else quantities.take(indexes)
            for rows, costs in price.prices.costs(times_us if whole else times_us[indexes], of_price):
                priced = indexes[rows]
                if isinstance(costs, list):
                    possible = [number for number, cost in enumerate(costs) if cost < _PICODOLLARS_LIMIT]
                    priced, costs = priced[possible], [costs[number] for number in possible]
                yield PricedRows(price.position, (), priced, costs)
