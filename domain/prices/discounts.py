"""Price lists at a discount: every price of them times what the discounts leave of it, without a rounding."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Final, TypeVar

import msgspec

from domain.prices.price_list import PriceList, Rates, RateTier, StandardRule, UnitRate, VariantRule
from domain.values.money import MONEY

_ALL: Final = Decimal(100)

R = TypeVar("R", StandardRule, VariantRule)


def discounted(prices: PriceList, percentages: Iterable[Decimal]) -> PriceList:
    """Return a price list after discounts, each of so many percent of what the others leave.

    Two discounts and a price have fewer digits than money is calculated with, so that the product is exact.
    """
    factor = Decimal(1)
    for percentage in percentages:
        factor = MONEY.multiply(factor, MONEY.subtract(_ALL, percentage).scaleb(-2, MONEY))
    if factor == 1:
        return prices
    return PriceList(
        tuple(_rule(rule, factor) for rule in prices.standard),
        tuple(_rule(rule, factor) for rule in prices.variants),
        prices.minimums,
    )


def _rule(rule: R, factor: Decimal) -> R:
    return msgspec.structs.replace(rule, rates=_rates(rule.rates, factor))


def _rates(rates: Rates, factor: Decimal) -> Rates:
    return {unit: _rate(rate, factor) for unit, rate in rates.items()}


def _rate(rate: UnitRate, factor: Decimal) -> UnitRate:
    tiers = tuple(RateTier(tier.input_tokens_above, _price(tier.price, factor)) for tier in rate.tiers)
    return UnitRate(_price(rate.price, factor), tiers, rate.per)


def _price(price: Decimal | None, factor: Decimal) -> Decimal | None:
    return None if price is None else MONEY.multiply(price, factor)
