"""List prices from the genai-prices package: bundled data only, no network, no state between calls.

Taken over: input, output, cached input, cache write, reasoning and per-request prices, with their start dates and
tiers. Left out: prices of units that are not metered (audio, images, pages, searches, the one-hour share of cache
writes), variants such as batch, and prices by the hour of the day. A model with the latter is listed with its all-day
price, and `matched` says so.

A model with an input price and no output price (an embedding model) has free output, as in the library. A model without
an input price is unknown here: either it is sold by another unit, or nobody recorded its price, and a cost of 0 would
hide that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Final

import genai_prices
import msgspec
from genai_prices.data import providers as _providers
from genai_prices.data_snapshot import DataSnapshot
from genai_prices.types import (
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    Provider,
    StartDateConstraint,
    Tier,
    TieredPrices,
    TimeOfDateConstraint,
)

from domain.prices.schedule import PriceTier, PriceVersion, UnitPrices
from domain.values.identifiers import MODEL_LENGTH_MAX
from domain.values.money import MONEY

PRICE_LIBRARY: Final = f"genai-prices {genai_prices.__version__}"
ALL_DAY_NOTE: Final = " (all-day price; prices for hours of the day left out)"

_REQUESTS_PER_PRICE_EXPONENT: Final = 3  # the library prices a thousand requests
_PROVIDER_IDS: Final = frozenset(provider.id for provider in _providers)
_PRICE_KEYS: Final = (
    "input_mtok",
    "output_mtok",
    "cache_read_mtok",
    "cache_write_mtok",
    "output_reasoning_mtok",
    "requests_kcount",
)

_Price = Decimal | TieredPrices


class ResolvedPrices(msgspec.Struct, frozen=True):
    """The price schedule of a model, oldest version first, the library it is from, and the matched library entry."""

    versions: tuple[PriceVersion, ...]
    library: str
    matched: str


def resolve_prices(provider: str | None, model: str) -> ResolvedPrices | None:
    """Return the list prices of a model; None when the library does not know them. Never raises, whatever the name.

    Without a provider, a model name with a known provider as its prefix ("groq/...") means that provider; otherwise the
    model name alone decides.
    """
    found = _find_entry(provider or None, model)
    if found is None:
        return None
    provider_entry, entry = found
    versions, all_day_only = schedule_of(entry)
    if not versions:
        return None
    matched = f"{provider_entry.id}/{entry.id}{ALL_DAY_NOTE if all_day_only else ''}"
    return ResolvedPrices(versions, PRICE_LIBRARY, matched)


def schedule_of(entry: ModelInfo) -> tuple[tuple[PriceVersion, ...], bool]:
    """Return the price versions of a library entry in order of time, and whether prices by the hour were left out.

    There is no version where the entry has no price for input tokens.
    """
    if isinstance(entry.prices, ModelPrice):
        version = _version(None, entry.prices)
        return ((version,) if version else ()), False
    all_day = [price for price in entry.prices if not isinstance(price.constraint, TimeOfDateConstraint)]
    starts = sorted({p.constraint.start_date for p in all_day if isinstance(p.constraint, StartDateConstraint)})
    found = (_version(_midnight(start), prices) for start, prices in _in_force(all_day or entry.prices, starts))
    versions = tuple(version for version in found if version is not None)
    return versions, len(all_day) < len(entry.prices)


def _find_entry(provider: str | None, model: str) -> tuple[Provider, ModelInfo] | None:
    if not model or len(model) > MODEL_LENGTH_MAX or len(provider or "") > MODEL_LENGTH_MAX:
        return None
    # A new snapshot for each call: the shared one caches every name that was ever looked up.
    snapshot = DataSnapshot(providers=_providers, from_auto_update=False)
    for provider_id, name in _interpretations(provider, model):
        try:
            return snapshot.find_provider_model(name, None, provider_id, None)
        except LookupError:
            continue
    return None


def _interpretations(provider: str | None, model: str) -> list[tuple[str | None, str]]:
    """Return the possible meanings of the pair, the literal one first."""
    interpretations: list[tuple[str | None, str]] = [(provider, model)]
    prefix, slash, rest = model.partition("/")
    if provider is None and slash and rest and prefix.lower() in _PROVIDER_IDS:
        interpretations.append((prefix, rest))
    return interpretations


def _in_force(prices: Sequence[ConditionalPrice], starts: Sequence[date]) -> list[tuple[date | None, ModelPrice]]:
    """Return the prices in force from each start date on: of those that have begun, the one that is listed last.

    Before the first start date it is the last one without a condition, else the first one listed.
    """
    if not prices:
        return []
    timeless = [price.prices for price in prices if price.constraint is None]
    in_force: list[tuple[date | None, ModelPrice]] = [(None, timeless[-1] if timeless else prices[0].prices)]
    for start in starts:
        begun = [price.prices for price in prices if _has_begun(price, start)]
        in_force.append((start, begun[-1]))
    return in_force


def _has_begun(price: ConditionalPrice, day: date) -> bool:
    return not isinstance(price.constraint, StartDateConstraint) or price.constraint.start_date <= day


def _version(effective_from: datetime | None, prices: ModelPrice) -> PriceVersion | None:
    stored = vars(prices)
    metered: dict[str, _Price] = {key: stored[key] for key in _PRICE_KEYS if stored.get(key) is not None}
    if "input_mtok" not in metered:
        return None
    thresholds = sorted({tier.start for price in metered.values() for tier in _tiers(price)})
    tiers = tuple(
        PriceTier(above, _unit_prices({key: _price_above(price, above) for key, price in metered.items()}))
        for above in thresholds
    )
    return PriceVersion(effective_from, _unit_prices({key: _base(price) for key, price in metered.items()}), tiers)


def _unit_prices(prices: Mapping[str, Decimal]) -> UnitPrices:
    request = prices.get("requests_kcount")
    return UnitPrices(
        input=prices["input_mtok"],
        output=prices.get("output_mtok", Decimal(0)),
        cached_input=prices.get("cache_read_mtok"),
        cache_write=prices.get("cache_write_mtok"),
        reasoning=prices.get("output_reasoning_mtok"),
        request=None if request is None else request.scaleb(-_REQUESTS_PER_PRICE_EXPONENT, MONEY),
    )


def _tiers(price: _Price) -> Sequence[Tier]:
    return price.tiers if isinstance(price, TieredPrices) else ()


def _base(price: _Price) -> Decimal:
    return price.base if isinstance(price, TieredPrices) else price


def _price_above(price: _Price, threshold: int) -> Decimal:
    """Return the price for a request with just over `threshold` input tokens."""
    reached = [tier.price for tier in _tiers(price) if tier.start <= threshold]
    return reached[-1] if reached else _base(price)


def _midnight(day: date | None) -> datetime | None:
    return None if day is None else datetime.combine(day, time(), tzinfo=UTC)
