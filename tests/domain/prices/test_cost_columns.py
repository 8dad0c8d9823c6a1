"""Columns of requests cost what the requests cost one by one."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.prices.cost_columns import INT64_MAX, PriceColumns
from domain.prices.price_list import PriceList, RateTier, StandardRule, UnitRate
from tests.domain.prices.generated_prices import (
    PICO,
    Request,
    column_costs,
    cost_of,
    price_lists,
    quantities_of,
    requests,
)

AT = datetime(2026, 1, 2, tzinfo=UTC)
CHEAP = {"input_tokens": UnitRate(Decimal(1)), "output_tokens": UnitRate(Decimal(4))}


def tokens(*counts: int) -> Request:
    five = (*counts, *(0,) * (5 - len(counts)))
    return Request(AT, (five[0], five[1], five[2], five[3], five[4]))


@given(price_lists, st.lists(requests, min_size=1, max_size=12))
@example(
    PriceList((StandardRule({"input_tokens": UnitRate(Decimal("0.0000005"))}),)), [tokens(count) for count in range(9)]
)
def test_columns_cost_what_their_requests_cost_one_by_one(prices: PriceList, rows: list[Request]) -> None:
    assert column_costs(prices, rows) == [cost_of(prices, row) for row in rows]


def test_ordinary_prices_use_int64_and_enormous_counts_do_not_overflow() -> None:
    priced = PriceColumns(PriceList((StandardRule(CHEAP),)))
    ((_, ordinary),) = priced.costs(np.zeros(1, np.int64), quantities_of([tokens(1_000, 10, 5, 50, 20)]))
    ((_, enormous),) = priced.costs(np.zeros(1, np.int64), quantities_of([tokens(INT64_MAX, 0, 0, INT64_MAX)]))
    assert isinstance(ordinary, np.ndarray)
    assert ordinary.tolist() == [1_200_000_000]
    assert enormous == [INT64_MAX * 5_000_000]


def test_parts_too_large_to_subtract_do_not_overflow_even_when_they_cost_nothing() -> None:
    free = PriceList((StandardRule({"input_tokens": UnitRate(Decimal(0))}),))
    assert column_costs(free, [tokens(1, INT64_MAX, INT64_MAX), tokens(1)]) == [None, Decimal(0)]


@pytest.mark.parametrize("price", [Decimal("99999999999999.000001"), Decimal("1e-25")])
def test_prices_that_do_not_fit_into_int64_do_not_fail(price: Decimal) -> None:
    dear = PriceList((StandardRule({"input_tokens": UnitRate(price), "requests": UnitRate(price)}),))
    assert column_costs(dear, [tokens(0), tokens(9)]) == [cost_of(dear, tokens(0)), cost_of(dear, tokens(9))]


def test_one_enormous_request_in_an_expensive_tier_leaves_the_others_as_they_are() -> None:
    tiered = {"input_tokens": UnitRate(Decimal(1), (RateTier(10**9, Decimal(2)),))}
    rows = [tokens(1), tokens(10**18), tokens(2)]
    costs = [Decimal("0.000001"), Decimal(2 * 10**12), Decimal("0.000002")]
    assert column_costs(PriceList((StandardRule(tiered),)), rows) == costs


def test_whole_quantities_of_rare_units_use_int64() -> None:
    searches = PriceList((StandardRule({**CHEAP, "web_searches": UnitRate(Decimal(10))}),))
    row = Request(AT, (1_000, 0, 0, 0, 0), {"web_searches": 3 * PICO})
    ((_, costs),) = PriceColumns(searches).costs(np.zeros(1, np.int64), quantities_of([row]))
    assert isinstance(costs, np.ndarray)
    assert costs.tolist() == [31_000_000_000]
