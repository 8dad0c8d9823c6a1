"""Schedules of the five common units become price lists that say the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.prices.conversion import own_price_list, price_list_of, unit_prices_at
from domain.prices.cost import event_cost
from domain.prices.price_list import applied_price
from domain.prices.schedule import PriceTier, PriceVersion, UnitPrices
from domain.units.registry import COMMON_UNITS
from tests.domain.prices.generated_prices import fitting_tokens, prices

Tokens = tuple[int, int, int, int, int]  # input, cached input, cache write, output, reasoning
MAY, JUNE = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
CHEAP, DEAR, DEAREST = (UnitPrices(Decimal(price), Decimal(4 * price)) for price in (1, 2, 3))

unit_prices = st.builds(
    UnitPrices, prices, prices, st.none() | prices, st.none() | prices, st.none() | prices, st.none() | prices
)
tiers = st.lists(st.builds(PriceTier, st.sampled_from([0, 1_000, 128_000, 10**10]), unit_prices), max_size=3).map(tuple)
versions = st.builds(PriceVersion, st.none(), unit_prices, tiers)


def plain_cost(version: PriceVersion, tokens: Tokens) -> Fraction:
    """What a version of a schedule means."""
    level = version.prices
    for tier in sorted(version.tiers, key=lambda tier: tier.input_tokens_above):
        if tokens[0] > tier.input_tokens_above:
            level = tier.prices
    whole_input, cached, written, whole_output, reasoning = tokens
    per_million = (
        (whole_input - cached - written) * Fraction(level.input)
        + cached * Fraction(level.input if level.cached_input is None else level.cached_input)
        + written * Fraction(level.input if level.cache_write is None else level.cache_write)
        + (whole_output - reasoning) * Fraction(level.output)
        + reasoning * Fraction(level.output if level.reasoning is None else level.reasoning)
    )
    return per_million / 10**6 + Fraction(level.request or 0)


@given(versions, fitting_tokens)
def test_a_request_costs_what_the_schedule_says(version: PriceVersion, tokens: Tokens) -> None:
    cost = event_cost(own_price_list(version), MAY, dict(zip(COMMON_UNITS, tokens, strict=True)))
    assert cost is not None
    assert Fraction(cost) == Fraction(round(plain_cost(version, tokens) * 10**12), 10**12)


def test_the_version_in_force_is_the_one_that_started_last() -> None:
    before_may = MAY - timedelta(microseconds=1)
    ever, from_may, from_june = PriceVersion(None, CHEAP), PriceVersion(MAY, DEAR), PriceVersion(JUNE, DEAREST)
    assert input_prices([from_june, ever, from_may], before_may, MAY, JUNE) == [1, 2, 3]
    assert input_prices([from_june, PriceVersion(JUNE, CHEAP)], JUNE) == [1]
    assert input_prices([from_may], before_may, MAY) == [None, 2]
    assert input_prices([], MAY) == [None]


def input_prices(versions: list[PriceVersion], *instants: datetime) -> list[Decimal | None]:
    prices = price_list_of(versions)
    return [unit_prices_at(applied_price(prices, at).rates, 0)["input"] for at in instants]


@pytest.mark.parametrize(("input_tokens", "request_price"), [(10, "0.01"), (11, "0.02")])
def test_a_price_list_shows_the_prices_of_the_common_units(input_tokens: int, request_price: str) -> None:
    tier = UnitPrices(Decimal(1), Decimal(4), cached_input=Decimal("0.5"), request=Decimal("0.02"))
    base = UnitPrices(Decimal(1), Decimal(4), cached_input=Decimal("0.5"), request=Decimal("0.01"))
    rates = own_price_list(PriceVersion(None, base, (PriceTier(10, tier),))).standard[0].rates
    assert unit_prices_at(rates, input_tokens) == {
        "input": Decimal(1),
        "output": Decimal(4),
        "cached_input": Decimal("0.5"),
        "cache_write": None,
        "reasoning": None,
        "request": Decimal(request_price),
    }
