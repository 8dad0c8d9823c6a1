"""The cost of a request, and the same cost for each row of a block."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.prices.cost import INT64_MAX, block_costs, cost_column, event_cost, unit_prices_for, version_at
from domain.prices.schedule import PriceTier, PriceVersion, UnitPrices
from domain.values.money import MONEY

Tokens = tuple[int, int, int, int, int]  # input, cached input, cache write, output, reasoning

CHEAP = UnitPrices(input=Decimal(1), output=Decimal(4))
DEAR = UnitPrices(input=Decimal(2), output=Decimal(8))
DEAREST = UnitPrices(input=Decimal(3), output=Decimal(12))


def plain_cost(prices: UnitPrices, tokens: Tokens) -> Fraction:
    whole_input, cached, written, whole_output, reasoning = tokens
    per_million = (
        max(0, whole_input - cached - written) * Fraction(prices.input)
        + cached * Fraction(prices.input if prices.cached_input is None else prices.cached_input)
        + written * Fraction(prices.input if prices.cache_write is None else prices.cache_write)
        + max(0, whole_output - reasoning) * Fraction(prices.output)
        + reasoning * Fraction(prices.output if prices.reasoning is None else prices.reasoning)
    )
    return per_million / 10**6 + Fraction(prices.request or 0)


def cost_of(version: PriceVersion, tokens: Tokens) -> Decimal:
    whole_input, cached, written, whole_output, reasoning = tokens
    return event_cost(
        version,
        input_tokens=whole_input,
        cached_input_tokens=cached,
        cache_write_tokens=written,
        output_tokens=whole_output,
        reasoning_tokens=reasoning,
    )


def columns_of(rows: list[Tokens]) -> list[np.ndarray[tuple[int], np.dtype[np.int64]]]:
    return [np.array([row[index] for row in rows], dtype=np.int64) for index in range(5)]


prices = st.decimals(0, 1_000, places=6) | st.decimals(0, 100, places=13) | st.decimals(0, 10**14, places=18)
unit_prices = st.builds(
    UnitPrices,
    input=prices,
    output=prices,
    cached_input=st.none() | prices,
    cache_write=st.none() | prices,
    reasoning=st.none() | prices,
    request=st.none() | prices,
)
counts = st.integers(0, 300_000) | st.integers(0, 10**12)
token_rows: st.SearchStrategy[Tokens] = st.tuples(counts, counts, counts, counts, counts)
tiers = st.lists(st.builds(PriceTier, st.sampled_from([0, 1_000, 128_000, 200_000, 10**10]), unit_prices), max_size=3)
versions = st.builds(PriceVersion, st.none(), unit_prices, tiers.map(tuple))


@given(versions, token_rows)
def test_a_request_costs_its_tokens_at_their_prices_rounded_half_even(version: PriceVersion, tokens: Tokens) -> None:
    exact = plain_cost(unit_prices_for(version, tokens[0]), tokens)
    assert Fraction(cost_of(version, tokens)) == Fraction(round(exact * 10**12), 10**12)


@given(versions, st.lists(token_rows, max_size=20))
@example(PriceVersion(None, UnitPrices(Decimal("0.0000005"), Decimal(0))), [(n, 0, 0, n, 0) for n in range(9)])
@example(
    PriceVersion(None, CHEAP, (PriceTier(10, DEAR), PriceTier(10, DEAREST))), [(n, 0, 0, 1, 0) for n in (9, 10, 11)]
)
def test_a_block_costs_what_its_requests_cost_one_by_one(version: PriceVersion, rows: list[Tokens]) -> None:
    costs = block_costs(version, *columns_of(rows))
    assert [Decimal(int(cost)).scaleb(-12, MONEY) for cost in costs] == [cost_of(version, row) for row in rows]
    assert cost_column(costs).to_pylist() == [cost_of(version, row) for row in rows]


def test_ordinary_prices_use_int64_and_enormous_counts_do_not_overflow() -> None:
    version = PriceVersion(None, CHEAP)
    ordinary = block_costs(version, *columns_of([(1_000, 10, 5, 50, 20)]))
    enormous = block_costs(version, *columns_of([(INT64_MAX, 0, 0, INT64_MAX, 0), (1, INT64_MAX, INT64_MAX, 0, 0)]))
    assert isinstance(ordinary, np.ndarray)
    assert ordinary.tolist() == [1_200_000_000]
    assert enormous == [INT64_MAX * 5_000_000, INT64_MAX * 2_000_000]


def test_parts_too_large_to_subtract_do_not_overflow_even_when_they_cost_nothing() -> None:
    version = PriceVersion(None, UnitPrices(Decimal(1), Decimal(1), cached_input=Decimal(0), cache_write=Decimal(0)))
    assert block_costs(version, *columns_of([(1, INT64_MAX, INT64_MAX, 0, 0)])) == [0]


@pytest.mark.parametrize("price", [Decimal("99999999999999.000001"), Decimal("1e-25")])
def test_prices_that_do_not_fit_into_int64_do_not_fail(price: Decimal) -> None:
    version = PriceVersion(None, UnitPrices(price, Decimal(0)))
    assert block_costs(version, *columns_of([(0, 0, 0, 9, 0)])) == [0]


def test_a_cost_column_keeps_signs() -> None:
    assert cost_column(np.array([-1, 0, 1])).to_pylist() == [Decimal("-1e-12"), Decimal(0), Decimal("1e-12")]


def test_one_enormous_request_in_an_expensive_tier_keeps_the_order_of_rows() -> None:
    version = PriceVersion(None, CHEAP, (PriceTier(10**9, DEAR),))
    costs = block_costs(version, *columns_of([(1, 0, 0, 0, 0), (10**18, 0, 0, 0, 0), (2, 0, 0, 0, 0)]))
    assert costs == [10**6, 2 * 10**24, 2 * 10**6]


@pytest.mark.parametrize(
    ("input_tokens", "expected"), [(0, CHEAP), (200_000, CHEAP), (200_001, DEAR), (400_000, DEAR), (400_001, DEAREST)]
)
def test_all_tokens_cost_the_prices_of_the_highest_tier_exceeded(input_tokens: int, expected: UnitPrices) -> None:
    version = PriceVersion(None, CHEAP, (PriceTier(400_000, DEAREST), PriceTier(200_000, DEAR)))
    assert unit_prices_for(version, input_tokens) == expected


def test_parts_without_a_price_cost_what_their_whole_costs() -> None:
    version = PriceVersion(None, UnitPrices(Decimal(2), Decimal(10)))
    assert cost_of(version, (1_000_000, 300_000, 200_000, 1_000_000, 900_000)) == Decimal(12)


def test_parts_with_prices_of_their_own_and_the_request_are_added_up() -> None:
    own = UnitPrices(Decimal(2), Decimal(10), Decimal("0.5"), Decimal("2.5"), Decimal(20), Decimal("0.01"))
    cost = cost_of(PriceVersion(None, own), (1_000_000, 300_000, 200_000, 1_000_000, 900_000))
    assert cost == Decimal("1.0") + Decimal("0.15") + Decimal("0.5") + Decimal("1.0") + Decimal("18") + Decimal("0.01")


def test_parts_larger_than_their_whole_leave_no_negative_remainder() -> None:
    version = PriceVersion(None, UnitPrices(Decimal(2), Decimal(10), cached_input=Decimal(1)))
    assert cost_of(version, (100, 1_000_000, 0, 0, 0)) == Decimal(1)


def test_the_version_in_force_is_the_one_that_started_last() -> None:
    may, june = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
    ever, from_may, from_june = PriceVersion(None, CHEAP), PriceVersion(may, DEAR), PriceVersion(june, DEAREST)
    corrected = PriceVersion(june, CHEAP)
    before_may = datetime(2026, 4, 30, 23, 59, 59, 999_999, tzinfo=UTC)
    schedule = [from_june, ever, from_may]
    assert [version_at(schedule, instant) for instant in (before_may, may, june)] == [ever, from_may, from_june]
    assert version_at([from_june, corrected], june) == corrected
    assert version_at([from_may], before_may) is None
    assert version_at([], may) is None
