"""List prices in the log: one record per provider and model, written once before the first usage that it prices."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from domain.event import Provenance
from domain.log.event_codec import new_record
from domain.log.records import EventLog, NewRecord
from domain.prices.events import PriceListed
from domain.prices.price_list import PriceList
from domain.streams import listed_price_stream
from domain.usage.block_schema import REQUEST_TYPE
from projections.arrow_columns import codes

#: Pairs cached as listed; an evicted one costs one look-up in the log.
LISTED_PAIRS_MAX: Final = 100_000
#: Pairs cached as unknown to the price library; an evicted one costs one look-up in the library.
UNPRICED_PAIRS_MAX: Final = 10_000

Pair = tuple[str, str]


class ResolvedPrice(Protocol):
    """The prices that a library knows for a model."""

    @property
    def prices(self) -> PriceList:
        """The price list."""

    @property
    def library(self) -> str:
        """Name and version of the library."""

    @property
    def matched(self) -> str:
        """The entry of the library that the model matched."""


#: Look up prices by provider (None when the event has none) and model; None when the library does not know them.
PriceResolver = Callable[[str | None, str], ResolvedPrice | None]


class _RecentPairs:
    """A bounded set that evicts the least recently used pair."""

    def __init__(self, size_max: int) -> None:
        self._pairs: OrderedDict[Pair, None] = OrderedDict()
        self._size_max = size_max

    def __contains__(self, pair: Pair) -> bool:
        if pair not in self._pairs:
            return False
        self._pairs.move_to_end(pair)
        return True

    def add(self, pair: Pair) -> None:
        self._pairs[pair] = None
        if len(self._pairs) > self._size_max:
            self._pairs.popitem(last=False)


class PriceListing:
    """Finds the list prices that must be written before some usage. A missing provider is an empty text in the log."""

    def __init__(self, log: EventLog, resolve: PriceResolver) -> None:
        self._log = log
        self._resolve = resolve
        self._listed = _RecentPairs(LISTED_PAIRS_MAX)
        self._unpriced = _RecentPairs(UNPRICED_PAIRS_MAX)

    def missing(self, pairs: Iterable[Pair], recorded_at: datetime) -> dict[Pair, NewRecord]:
        """Return the records to write before usage of `pairs`: for those that have a price and are not listed yet."""
        return {
            pair: record
            for pair in pairs
            if pair not in self._listed
            and pair not in self._unpriced
            and (record := self._record(pair, recorded_at)) is not None
        }

    def mark_listed(self, pairs: Iterable[Pair]) -> None:
        """Note that the prices of these pairs are in the log now."""
        for pair in pairs:
            self._listed.add(pair)

    def _record(self, pair: Pair, recorded_at: datetime) -> NewRecord | None:
        provider, model = pair
        prices = self._resolve(provider or None, model)
        if prices is None:
            self._unpriced.add(pair)
            return None
        if self._log.head_version(listed_price_stream(provider, model)) > 0:
            self._listed.add(pair)
            return None
        return listing_record(pair, prices, 1, recorded_at)


def listing_record(pair: Pair, prices: ResolvedPrice, version: int, recorded_at: datetime) -> NewRecord:
    """Return the record that lists these prices of a model; `version` is its place among the listings of the model."""
    provider, model = pair
    return new_record(
        PriceListed(
            stream=listed_price_stream(provider, model),
            version=version,
            recorded_at=recorded_at,
            effective_at=recorded_at,
            provenance=Provenance("engine"),
            provider=provider,
            model=model,
            prices=prices.prices,
            library=prices.library,
            matched=prices.matched,
        )
    )


def priced_pairs(typed: pa.RecordBatch) -> set[Pair]:
    """Return the (provider, model) pairs of accepted requests with a model; a missing provider is an empty text."""
    columns = pa.Table.from_batches([typed])
    types, type_names = codes(columns, "type")
    if REQUEST_TYPE not in type_names:
        return set()
    (providers, provider_names), (models, model_names) = codes(columns, "provider"), codes(columns, "model")
    accepted = np.asarray(pc.is_null(typed.column("reason")), dtype=bool)
    rows = accepted & (types == type_names.index(REQUEST_TYPE)) & (models >= 0)
    pairs = np.unique((providers[rows] + 1) * len(model_names) + models[rows])
    named = ["", *provider_names]
    return {(named[pair // len(model_names)], model_names[pair % len(model_names)]) for pair in pairs.tolist()}
