"""A tenant's own price as it is told, and the rules for it: what it becomes is a price list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import combinations
from typing import Final

import msgspec

from domain.errors import InvalidInput
from domain.prices.conversion import rates_of
from domain.prices.price_list import PriceList, Rates, RateTier, StandardRule, UnitRate, VariantRule
from domain.prices.schedule import PriceTier, PriceVersion, UnitPrices
from domain.units.coverage import Uncovered, uncovered
from domain.units.registry import UNIT_ALIASES, unit_of
from domain.usage.quantity_rules import CONTEXT_LENGTH_MAX, CONTEXT_MEMBERS, UNIT_LENGTH_MAX
from domain.values.money import unit_price
from domain.values.periods import ANCHOR_LIMIT, ANCHOR_MIN

RATES_MAX: Final = 64
VARIANTS_MAX: Final = 20
PRICE_TIERS_MAX: Final = 10
TIER_TOKENS_MAX: Final = 2**53 - 1
PER_MAX: Final = 10**9


class OwnPrice(msgspec.Struct, frozen=True):
    """The price of a model from an instant on (None: from the beginning).

    `prices` and `tiers` are those of the common units, `rates` those of any others. Where the context of a request has
    all that a variant asks for, its rates replace them. Members of an error name these as the HTTP API does.
    """

    effective_from: datetime | None
    prices: UnitPrices | None = None
    tiers: tuple[PriceTier, ...] = ()
    rates: Rates = {}
    variants: tuple[VariantRule, ...] = ()


def checked_price_list(price: OwnPrice) -> PriceList:
    """Return the price list that `price` is; `InvalidInput` for one that breaks a rule."""
    since = checked_effective_from(price.effective_from)
    version = _checked_version(price)
    of_version: Rates = {} if version is None else rates_of(version)
    rates = _checked_rates(price.rates, "rates")
    for unit in rates:
        if unit in of_version:
            raise InvalidInput(f"rates.{unit}", "must not have a second price: unit_prices has one")
    variants = _checked_variants(price.variants)
    _check_coverage(version, of_version, rates, variants)
    return PriceList((StandardRule(of_version | rates, since),), variants)


def checked_effective_from(since: datetime | None) -> datetime | None:
    """Return the event time from which a price or a discount holds; `InvalidInput` for one out of range."""
    if since is not None and (since.tzinfo is None or not ANCHOR_MIN <= since < ANCHOR_LIMIT):
        raise InvalidInput("effective_from", "must be an instant with an offset, between 1970 and 2200")
    return since


def _checked_version(price: OwnPrice) -> PriceVersion | None:
    if price.prices is None:
        if price.tiers:
            raise InvalidInput("tiers", "must come with unit_prices; rates have tiers of their own")
        if not price.rates:
            raise InvalidInput("unit_prices", "must be given, or rates")
        return None
    if len(price.tiers) > PRICE_TIERS_MAX:
        raise InvalidInput("tiers", f"must be at most {PRICE_TIERS_MAX}")
    tiers = tuple(sorted((_checked_tier(tier) for tier in price.tiers), key=lambda tier: tier.input_tokens_above))
    if len({tier.input_tokens_above for tier in tiers}) < len(tiers):
        raise InvalidInput("tiers", "must have different values of input_tokens_above")
    return PriceVersion(price.effective_from, _checked_prices(price.prices), tiers)


def _checked_tier(tier: PriceTier) -> PriceTier:
    _check_threshold(tier.input_tokens_above, "input_tokens_above")
    return PriceTier(tier.input_tokens_above, _checked_prices(tier.prices))


def _check_threshold(input_tokens_above: int, field: str) -> None:
    if not 0 <= input_tokens_above <= TIER_TOKENS_MAX:
        raise InvalidInput(field, f"must be a whole number from 0 to {TIER_TOKENS_MAX}")


def _checked_prices(prices: UnitPrices) -> UnitPrices:
    return UnitPrices(
        input=unit_price(prices.input, "input"),
        output=unit_price(prices.output, "output"),
        cached_input=_optional_price(prices.cached_input, "cached_input"),
        cache_write=_optional_price(prices.cache_write, "cache_write"),
        reasoning=_optional_price(prices.reasoning, "reasoning"),
        request=_optional_price(prices.request, "request"),
    )


def _optional_price(price: Decimal | None, field: str) -> Decimal | None:
    return None if price is None else unit_price(price, field)


def _checked_rates(rates: Rates, path: str) -> Rates:
    if len(rates) > RATES_MAX:
        raise InvalidInput(path, f"must be at most {RATES_MAX}")
    return {unit: _checked_rate(unit, rate, path) for unit, rate in rates.items()}


def _checked_rate(unit: str, rate: UnitRate, path: str) -> UnitRate:
    if not 1 <= len(unit) <= UNIT_LENGTH_MAX or "\x00" in unit:
        raise InvalidInput(path, f"must have names of 1 to {UNIT_LENGTH_MAX} characters without NUL")
    field = f"{path}.{unit}"
    if unit in UNIT_ALIASES:
        raise InvalidInput(field, f"must be named {UNIT_ALIASES[unit]}, as which it is counted")
    if rate.per is not None and not 1 <= rate.per <= PER_MAX:
        raise InvalidInput(f"{field}.per", f"must be a whole number from 1 to {PER_MAX}")
    if len(rate.tiers) > PRICE_TIERS_MAX:
        raise InvalidInput(f"{field}.tiers", f"must be at most {PRICE_TIERS_MAX}")
    tiers = [_checked_rate_tier(tier, f"{field}.tiers.{index}") for index, tier in enumerate(rate.tiers)]
    if len({tier.input_tokens_above for tier in tiers}) < len(tiers):
        raise InvalidInput(f"{field}.tiers", "must have different values of input_tokens_above")
    return UnitRate(
        _checked_unit_price(rate.price, f"{field}.price"),
        tuple(sorted(tiers, key=lambda tier: tier.input_tokens_above)),
        None if rate.per == unit_of(unit).per else rate.per,
    )


def _checked_rate_tier(tier: RateTier, path: str) -> RateTier:
    _check_threshold(tier.input_tokens_above, f"{path}.input_tokens_above")
    return RateTier(tier.input_tokens_above, _checked_unit_price(tier.price, f"{path}.price"))


def _checked_unit_price(price: Decimal | None, field: str) -> Decimal:
    if price is None:
        raise InvalidInput(field, "must be given")
    return unit_price(price, field)


def _checked_variants(variants: Sequence[VariantRule]) -> tuple[VariantRule, ...]:
    if len(variants) > VARIANTS_MAX:
        raise InvalidInput("variants", f"must be at most {VARIANTS_MAX}")
    checked = tuple(_checked_variant(variant, f"variants.{index}") for index, variant in enumerate(variants))
    for index, variant in enumerate(checked):
        if any(variant.when == before.when for before in checked[:index]):
            raise InvalidInput(f"variants.{index}.when", "must differ from that of the variants before it")
    return checked


def _checked_variant(variant: VariantRule, path: str) -> VariantRule:
    if not variant.when or not variant.when.keys() <= set(CONTEXT_MEMBERS):
        raise InvalidInput(f"{path}.when", f"must have one or more of the members {', '.join(CONTEXT_MEMBERS)}")
    for member, value in variant.when.items():
        if not 1 <= len(value) <= CONTEXT_LENGTH_MAX:
            raise InvalidInput(f"{path}.when.{member}", f"must have 1 to {CONTEXT_LENGTH_MAX} characters")
    if not variant.rates:
        raise InvalidInput(f"{path}.rates", "must have the price of at least one unit")
    return VariantRule(variant.when, _checked_rates(variant.rates, f"{path}.rates"))


def _check_coverage(
    version: PriceVersion | None, of_version: Rates, rates: Rates, variants: tuple[VariantRule, ...]
) -> None:
    """Refuse parts without their wholes, whatever tier of the version a request reaches, and whichever variants apply.

    Every price of `rates` and of a variant holds in all tiers. Sets of three variants need no look of their own: what a
    unit needs is there in each of the sets, and what two units need is there in that of their two variants.
    """
    tiers = () if version is None else version.tiers
    of_tiers = {
        frozenset(unit for unit, rate in of_version.items() if rate.at(tokens) is not None)
        for tokens in (0, *(tier.input_tokens_above + 1 for tier in tiers))
    }
    for priced in of_tiers:
        for paths, more in _overlaid_units(rates, variants):
            found = uncovered(priced.union(*more))
            if found is not None:
                raise _refusal(found, paths, more)


def _overlaid_units(
    rates: Rates, variants: tuple[VariantRule, ...]
) -> Iterator[tuple[tuple[str, ...], tuple[Rates, ...]]]:
    """Yield the rates that may hold together, last ones first, with their names."""
    yield ("rates",), (rates,)
    named = [(f"variants.{index}.rates", variant) for index, variant in enumerate(variants)]
    for path, variant in named:
        yield (path, "rates"), (variant.rates, rates)
    for (path, one), (later_path, other) in combinations(named, 2):
        if all(other.when.get(member, value) == value for member, value in one.when.items()):
            yield (later_path, path, "rates"), (other.rates, one.rates, rates)


def _refusal(found: Uncovered, paths: tuple[str, ...], more: tuple[Rates, ...]) -> InvalidInput:
    """The refusal of the unit that was named last, of those that need another price."""
    needed = ", ".join(found.needed)
    named = [(path, unit) for path, of_path in zip(paths, more, strict=True) for unit in found.units if unit in of_path]
    path, unit = named[0]
    others = [other for other in found.units if other != unit]
    if not others:
        return InvalidInput(f"{path}.{unit}", f"must come with a price of its whole: price {needed} too")
    rule = f"must come with a price of what {others[0]} shares with it: price {needed} too"
    return InvalidInput(f"{path}.{unit}", rule)
