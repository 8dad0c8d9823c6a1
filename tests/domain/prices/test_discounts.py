"""A price list at a discount has every price times what is left of it, exactly."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from domain.prices.discounts import discounted
from domain.prices.price_list import PriceList, Rates
from tests.domain.prices.generated_prices import Request, column_costs, cost_of, price_lists, requests

percentages = st.lists(st.decimals(0, 100, places=6), max_size=2)


def prices_of(rates: Rates) -> list[Decimal | None]:
    return [price for rate in rates.values() for price in (rate.price, *(tier.price for tier in rate.tiers))]


@given(price_lists, percentages)
def test_every_price_is_multiplied_exactly_and_nothing_else_changes(prices: PriceList, off: list[Decimal]) -> None:
    left = Fraction(1)
    for percentage in off:
        left *= 1 - Fraction(percentage) / 100
    at_discount = discounted(prices, off)
    for before, after in zip(prices.rules, at_discount.rules, strict=True):
        expected = [None if price is None else Fraction(price) * left for price in prices_of(before.rates)]
        assert prices_of(after.rates) == expected
        assert [list(rate.tiers) for rate in before.rates.values() if not rate.tiers] == [
            list(rate.tiers) for rate in after.rates.values() if not rate.tiers
        ]
        assert (before.start, before.hours) == (after.start, after.hours)
    assert at_discount.minimums == prices.minimums


@given(price_lists, percentages, st.lists(requests, min_size=1, max_size=5))
def test_columns_at_a_discount_cost_what_their_requests_cost_one_by_one(
    prices: PriceList, off: list[Decimal], rows: list[Request]
) -> None:
    at_discount = discounted(prices, off)
    assert column_costs(at_discount, rows) == [cost_of(at_discount, row) for row in rows]


@given(price_lists, requests)
def test_a_discount_makes_no_unknown_cost_known_and_no_known_one_unknown(prices: PriceList, row: Request) -> None:
    free = cost_of(discounted(prices, [Decimal(100)]), row)
    assert free == (None if cost_of(prices, row) is None else 0)
