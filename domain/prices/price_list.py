"""Price lists: what a model costs in every unit, by day, hour, number of input tokens and context of the request.

A price is in USD for `Unit.per` of its unit, unless its rate says for how much: for a million tokens, an hour of audio,
a thousand requests.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Final

import msgspec

from domain.units.registry import unit_of
from domain.usage.quantities import NO_CONTEXT, PriceContext

SECONDS_OF_A_DAY: Final = 24 * 60 * 60


class RateTier(msgspec.Struct, frozen=True):
    """The price of ALL of a unit that a request with more than `input_tokens_above` input tokens used."""

    input_tokens_above: int
    price: Decimal | None


class UnitRate(msgspec.Struct, frozen=True):
    """The price of a unit, with tiers in ascending order. Of tiers at one threshold the last one holds.

    None: no price of its own there, so that the unit costs what its whole costs. `per`: how many of the unit the prices
    are for; None: `Unit.per`.
    """

    price: Decimal | None
    tiers: tuple[RateTier, ...] = ()
    per: int | None = None

    def at(self, input_tokens: int) -> Decimal | None:
        """Return the price in a request with this many input tokens."""
        reached = [tier.price for tier in self.tiers if input_tokens > tier.input_tokens_above]
        return reached[-1] if reached else self.price


class UnitPrice(msgspec.Struct, frozen=True):
    """A price in USD for `per` of a unit."""

    price: Decimal
    per: int

    @property
    def of_one(self) -> Fraction:
        """The price of one of the unit."""
        return Fraction(self.price) / self.per


#: Prices by unit.
Rates = dict[str, UnitRate]


class StandardRule(msgspec.Struct, frozen=True):
    """Prices from an instant on, or at some hours of each day.

    `hours`: first second of the UTC day and the one behind the last; through midnight where the second is less.
    """

    rates: Rates
    start: datetime | None = None
    hours: tuple[int, int] | None = None


class VariantRule(msgspec.Struct, frozen=True):
    """Prices that replace those of the standard rule where the context of a request has all of `when`."""

    when: dict[str, str]
    rates: Rates
    start: datetime | None = None
    hours: tuple[int, int] | None = None


class Minimum(msgspec.Struct, frozen=True):
    """The least that is charged of a request that used any of these units.

    The first of `units` that was used counts as `least` at least, and counts so as the quantity of each of them.
    """

    units: tuple[str, ...]
    least: Decimal


class PriceList(msgspec.Struct, frozen=True):
    """The whole price of a model. Of the standard rules in force the last one holds; of none in force, the first.

    Variants hold from first to last, for each unit by itself: the first one that prices it.
    """

    standard: tuple[StandardRule, ...]
    variants: tuple[VariantRule, ...] = ()
    minimums: tuple[Minimum, ...] = ()

    @property
    def rules(self) -> tuple[StandardRule | VariantRule, ...]:
        """The standard rules and the variants."""
        return (*self.standard, *self.variants)


class AppliedPrice(msgspec.Struct, frozen=True):
    """What a price list says of one request: the standard rule in force, the variants that apply, and their prices."""

    rule: StandardRule
    variants: tuple[VariantRule, ...]
    rates: Rates


def prices_at(rates: Rates, input_tokens: int) -> dict[str, UnitPrice]:
    """Return the prices by unit in a request with this many input tokens."""
    found = {unit: rate.at(input_tokens) for unit, rate in rates.items()}
    return {unit: UnitPrice(price, per_of(unit, rates[unit])) for unit, price in found.items() if price is not None}


def per_of(unit: str, rate: UnitRate) -> int:
    """Return how many of `unit` the prices of its rate are for."""
    return unit_of(unit).per if rate.per is None else rate.per


def in_force(rule: StandardRule | VariantRule, at: datetime) -> bool:
    """Whether `rule` has started at the instant `at`, and its hours include it."""
    if rule.start is not None and at < rule.start:
        return False
    if rule.hours is None:
        return True
    of_day = at.astimezone(UTC)
    second = of_day.hour * 3600 + of_day.minute * 60 + of_day.second
    first, end = rule.hours
    return first <= second < end if first <= end else second >= first or second < end


def applied_price(prices: PriceList, at: datetime, context: PriceContext = NO_CONTEXT) -> AppliedPrice:
    """Return what `prices` say of a request at the instant `at` with this context."""
    active = [rule for rule in prices.standard if in_force(rule, at)]
    rule = active[-1] if active else prices.standard[0]
    variants = tuple(one for one in prices.variants if applies_to(one, context) and in_force(one, at))
    return AppliedPrice(rule, variants, overlaid(rule, variants))


def applies_to(variant: VariantRule, context: PriceContext) -> bool:
    """Whether a context has all that the variant asks for."""
    return variant.when.items() <= dict(context).items()


def overlaid(rule: StandardRule, variants: tuple[VariantRule, ...]) -> Rates:
    """Return the prices of a rule, replaced by those of the variants; of two for one unit by the first."""
    own: Rates = {}
    for variant in variants:
        own = variant.rates | own
    return rule.rates | own
