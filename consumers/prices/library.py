"""List prices from the genai-prices package: bundled data only, no network, no state between calls.

An entry is taken over whole: all units, tiers, start dates, hours of the day, variants, and the minimum that its
provider charges. An entry that prices something that the engine has no unit for is unknown here, and so is one without
any price: a cost of 0 would hide that nobody recorded one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time
from decimal import Decimal
from types import MappingProxyType
from typing import Final

import genai_prices
import msgspec
from genai_prices.data import providers as _providers
from genai_prices.data_snapshot import DataSnapshot
from genai_prices.data_units import unit_data
from genai_prices.types import (
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    Provider,
    StartDateConstraint,
    TieredPrices,
    TimeOfDateConstraint,
)

from domain.prices.price_list import Minimum, PriceList, Rates, RateTier, StandardRule, UnitRate, VariantRule
from domain.units.registry import UNIT_ALIASES, UNITS
from domain.values.identifiers import MODEL_LENGTH_MAX
from domain.values.instants import EPOCH

PRICE_LIBRARY: Final = f"genai-prices {genai_prices.__version__}"

_PROVIDER_IDS: Final = frozenset(provider.id for provider in _providers)


def _unit_of(key: str, per: object) -> str | None:
    """The engine's name of a unit of the library, if a price is for so much of it here too."""
    unit = UNITS.get(UNIT_ALIASES.get(key, key))
    return unit.key if unit is not None and unit.per == per else None


#: The unit of each price of the library; None: one that the engine does not know.
_UNIT_OF_PRICE: Final[Mapping[str, str | None]] = MappingProxyType(
    {str(unit.get("price_key", key)): _unit_of(key, unit["per"]) for key, unit in unit_data.items()}
)
#: Groq charges ten seconds of audio at least; the library has that in code, not in its data.
_TEN_SECONDS: Final = Minimum(("audio_seconds", "input_audio_seconds"), Decimal(10))
_MINIMUMS: Final[Mapping[tuple[str, str], tuple[Minimum, ...]]] = MappingProxyType(
    {("groq", "whisper-large-v3"): (_TEN_SECONDS,), ("groq", "whisper-large-v3-turbo"): (_TEN_SECONDS,)}
)

_Constraint = StartDateConstraint | TimeOfDateConstraint | None


class ResolvedPrices(msgspec.Struct, frozen=True):
    """The price list of a model, the library that it is from, and the matched entry of the library."""

    prices: PriceList
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
    seller, entry = found
    prices = price_list_of_entry(seller, entry)
    return None if prices is None else ResolvedPrices(prices, PRICE_LIBRARY, f"{seller.id}/{entry.id}")


def price_list_of_entry(seller: Provider, entry: ModelInfo) -> PriceList | None:
    """Return the price list of a library entry; None where it has no price, or one in a unit that is not known here.

    A provider that sells the model of another one at its price sells no variants of it.
    """
    own = any(model is entry for model in seller.models)
    conditional = [ConditionalPrice(prices=entry.prices)] if isinstance(entry.prices, ModelPrice) else entry.prices
    standard = tuple(
        StandardRule(_rates(price.prices), _start(price.constraint), _hours(price.constraint)) for price in conditional
    )
    variants = tuple(
        VariantRule(dict(one.when), _rates(one.prices), _start(one.constraint), _hours(one.constraint))
        for one in (entry.price_variants or () if own else ())
    )
    prices = PriceList(standard, variants, _MINIMUMS.get((seller.id, entry.id), ()))
    units = {unit for rule in prices.rules for unit in rule.rates}
    return prices if units and units.issubset(UNITS) else None


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


def _rates(prices: ModelPrice) -> Rates:
    """The prices by unit; one in a unit that is not known here stands under the library's name of the price."""
    return {
        _UNIT_OF_PRICE.get(key) or f"unknown {key}": _rate(price)
        for key, price in vars(prices).items()
        if price is not None and not key.startswith("_")
    }


def _rate(price: Decimal | TieredPrices) -> UnitRate:
    if isinstance(price, TieredPrices):
        return UnitRate(price.base, tuple(RateTier(tier.start, tier.price) for tier in price.tiers))
    return UnitRate(price)


def _start(constraint: _Constraint) -> datetime | None:
    if not isinstance(constraint, StartDateConstraint):
        return None
    return datetime.combine(constraint.start_date, time(), tzinfo=UTC)


def _hours(constraint: _Constraint) -> tuple[int, int] | None:
    if not isinstance(constraint, TimeOfDateConstraint):
        return None
    return _second_of_day(constraint.start_time), _second_of_day(constraint.end_time)


def _second_of_day(at: time) -> int:
    """The second of the UTC day; a time without a zone is UTC."""
    of_day = datetime.combine(EPOCH, at, tzinfo=at.tzinfo or UTC).astimezone(UTC)
    return of_day.hour * 3600 + of_day.minute * 60 + of_day.second
