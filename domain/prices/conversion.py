"""Conversion of price schedules of the five common units to price lists, and what such a list shows of them.

A part without a price of its own has that of its whole: so does a part that a price list does not name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import msgspec

from domain.prices.price_list import PriceList, Rates, RateTier, StandardRule, UnitPrice, UnitRate, prices_at
from domain.prices.schedule import PriceVersion, UnitPrices
from domain.units.registry import REQUESTS, UNITS
from domain.values.money import MONEY, PRICE_DECIMALS_MAX

_EVER: Final = datetime(1, 1, 1, tzinfo=UTC)
_REQUESTS_PER_PRICE: Final = Decimal(UNITS[REQUESTS].per)
_LEAST_SHOWN: Final = Decimal(1).scaleb(-PRICE_DECIMALS_MAX)
#: The part of `UnitPrices` that each unit has its price in.
_PARTS: Final[Mapping[str, str]] = {
    "input_tokens": "input",
    "output_tokens": "output",
    "cached_input_tokens": "cached_input",
    "cache_write_tokens": "cache_write",
    "reasoning_tokens": "reasoning",
    REQUESTS: "request",
}


def price_list_of(versions: Sequence[PriceVersion]) -> PriceList:
    """Return the price list that says what these versions say. Before the first one began there is no price."""
    ordered = sorted(versions, key=lambda version: version.effective_from or _EVER)
    rules = tuple(StandardRule(rates_of(version), version.effective_from) for version in ordered)
    if not rules or rules[0].start is not None:
        rules = (StandardRule({}), *rules)
    return PriceList(rules)


def own_price_list(version: PriceVersion) -> PriceList:
    """Return the price list of one version by itself; whoever uses it knows that it holds from its start on."""
    return PriceList((StandardRule(rates_of(version), version.effective_from),))


def set_version_upcast(fields: dict[str, Any]) -> dict[str, Any]:
    """Convert the stored fields of an own price with a version to those of one with a price list."""
    version = msgspec.convert(fields.pop("price"), PriceVersion)
    return fields | {"prices": own_price_list(version)}


def listed_versions_upcast(fields: dict[str, Any]) -> dict[str, Any]:
    """Convert the stored fields of a list price with versions to those of one with a price list."""
    versions = msgspec.convert(fields.pop("versions"), tuple[PriceVersion, ...])
    return fields | {"prices": price_list_of(versions)}


def rates_of(version: PriceVersion) -> Rates:
    """Return the prices of a version by unit."""
    tiers = sorted(version.tiers, key=lambda tier: tier.input_tokens_above)
    rates = {
        unit: UnitRate(
            _price(part, version.prices),
            tuple(RateTier(tier.input_tokens_above, _price(part, tier.prices)) for tier in tiers),
        )
        for unit, part in _PARTS.items()
    }
    return {unit: rate for unit, rate in rates.items() if {rate.price, *(tier.price for tier in rate.tiers)} != {None}}


def _price(part: str, prices: UnitPrices) -> Decimal | None:
    """The price of so much of a unit as a price is for."""
    own: Decimal | None = getattr(prices, part)
    return MONEY.multiply(own, _REQUESTS_PER_PRICE) if own is not None and part == "request" else own


def unit_prices_at(rates: Rates, input_tokens: int) -> dict[str, Decimal | None]:
    """Return the prices of the common units, by the part of `UnitPrices`; `request` is in USD per request.

    A price that was set for another quantity is shown with at most eighteen decimals.
    """
    found = prices_at(rates, input_tokens)
    return {part: _shown(unit, found[unit]) if unit in found else None for unit, part in _PARTS.items()}


def _shown(unit: str, price: UnitPrice) -> Decimal:
    per = 1 if unit == REQUESTS else UNITS[unit].per
    if price.per == per:
        return price.price
    shown = MONEY.divide(MONEY.multiply(price.price, Decimal(per)), Decimal(price.per))
    return shown if price.per == UNITS[unit].per else shown.quantize(_LEAST_SHOWN, context=MONEY)
