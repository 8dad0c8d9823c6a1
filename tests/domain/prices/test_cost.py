"""The cost of a request: leaves at their prices, rounded once, and unknown where the price does not tell it."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.prices.cost import event_cost
from domain.prices.discounts import discounted
from domain.prices.price_list import (
    Minimum,
    PriceList,
    Rates,
    RateTier,
    StandardRule,
    UnitRate,
    applied_price,
    prices_at,
)
from tests.domain.prices.generated_prices import Request, cost_of, price_lists, requests

AT = datetime(2026, 1, 2, tzinfo=UTC)
MILLION = 1_000_000


def priced(**prices: str) -> PriceList:
    return PriceList((StandardRule({unit: UnitRate(Decimal(price)) for unit, price in prices.items()}),))


def test_a_part_without_a_price_costs_what_its_whole_costs() -> None:
    used = {"input_tokens": MILLION, "cached_input_tokens": 300_000, "cache_write_1h_tokens": 0}
    assert event_cost(priced(input_tokens="2"), AT, used) == Decimal(2)


def test_a_part_of_a_part_costs_its_own_price() -> None:
    prices = priced(input_tokens="5", cache_write_tokens="6.25", cache_write_1h_tokens="10")
    used = {"input_tokens": MILLION, "cache_write_tokens": 500_000, "cache_write_1h_tokens": 100_000}
    assert event_cost(prices, AT, used) == Decimal("2.5") + Decimal("2.5") + Decimal("1")


def test_a_price_is_for_so_much_of_its_unit_as_the_unit_says() -> None:
    prices = priced(audio_seconds="0.36", input_document_pages="1", requests="5")
    assert event_cost(prices, AT, {"audio_seconds": Decimal("12.5")}) == Decimal("0.00625")
    assert event_cost(prices, AT, {"input_document_pages": 3}) == Decimal("0.008")


def test_a_cost_is_rounded_once_half_even() -> None:
    prices = priced(input_tokens="0.0000005", audio_seconds="0.0000000018")
    assert event_cost(prices, AT, {"input_tokens": 1}) == Decimal(0)
    assert event_cost(prices, AT, {"input_tokens": 3}) == Decimal("0.000000000002")
    assert event_cost(prices, AT, {"input_tokens": 1, "audio_seconds": 1}) == Decimal("1E-12")


def test_a_request_price_is_for_each_request() -> None:
    prices = priced(requests="10")
    assert [event_cost(prices, AT, {}, requests=count) for count in (0, 1, 7)] == [
        Decimal(0),
        Decimal("0.01"),
        Decimal("0.07"),
    ]


TIERED = PriceList((StandardRule({"input_tokens": UnitRate(Decimal(1), (RateTier(10, Decimal(2)),))}),))
MINIMUM = PriceList(
    priced(audio_seconds="3600", input_audio_seconds="3600").standard,
    minimums=(Minimum(("audio_seconds", "input_audio_seconds"), Decimal(10)),),
)


@pytest.mark.parametrize(
    ("prices", "used"),
    [
        (priced(output_tokens="1"), {"input_tokens": 1}),  # nobody recorded a price of it
        (priced(input_tokens="1", output_tokens="1"), {"web_searches": 1}),
        (priced(audio_seconds="1"), {"input_tokens": 0}),  # the price is for something that was not reported
        (PriceList((StandardRule({}),)), {"input_tokens": 1}),
        (priced(input_tokens="1"), {"input_tokens": 5, "cached_input_tokens": 6}),  # a part exceeds its whole
        (priced(input_tokens="1"), {"input_audio_tokens": 1}),
        (priced(audio_seconds="1", input_audio_seconds="1"), {"input_audio_seconds": 1}),  # the whole was not reported
        (
            priced(input_tokens="1", cached_input_tokens="1", input_audio_tokens="1", cache_audio_read_tokens="1"),
            {"input_tokens": 9, "cached_input_tokens": 5, "input_audio_tokens": 5},  # how much audio was cached?
        ),
    ],
)
def test_a_cost_that_the_price_does_not_tell_is_unknown(prices: PriceList, used: dict[str, int]) -> None:
    assert event_cost(prices, AT, used) is None


def test_quantities_of_0_need_no_price() -> None:
    used = {"input_tokens": 1, "output_tokens": 0, "web_searches": 0}
    assert event_cost(priced(input_tokens="1"), AT, used) == Decimal("0.000001")


@pytest.mark.parametrize(("input_tokens", "cost"), [(10, "0.00001"), (11, "0.000022")])
def test_all_tokens_cost_the_price_of_the_highest_tier_exceeded(input_tokens: int, cost: str) -> None:
    assert event_cost(TIERED, AT, {"input_tokens": input_tokens}) == Decimal(cost)


@pytest.mark.parametrize(("prices", "unit"), [(TIERED, "input_tokens"), (MINIMUM, "audio_seconds")])
def test_what_depends_on_each_request_is_unknown_of_several(prices: PriceList, unit: str) -> None:
    assert event_cost(prices, AT, {unit: 5}, requests=2) is None


@pytest.mark.parametrize(
    ("used", "seconds"),
    [
        ({"audio_seconds": 3}, 10),
        ({"input_audio_seconds": 3}, 10),
        ({"audio_seconds": 12, "input_audio_seconds": 12}, 12),
        ({"audio_seconds": 12, "input_audio_seconds": 2}, 12),
        ({"audio_seconds": 0, "input_audio_seconds": 0}, 0),
    ],
)
def test_a_minimum_is_charged_of_what_was_used(used: dict[str, int], seconds: int) -> None:
    assert event_cost(MINIMUM, AT, used) == Decimal(seconds)


@given(price_lists, st.lists(st.decimals(0, 100, places=6), max_size=2), requests)
def test_the_prices_that_are_said_to_have_applied_make_the_cost(
    listed: PriceList, percentages: list[Decimal], request: Request
) -> None:
    prices = discounted(listed, percentages)
    applied = applied_price(prices, request.at, request.context)
    level = {
        unit: UnitRate(price.price, (), price.per)
        for unit, price in prices_at(applied.rates, request.tokens[0]).items()
    }
    alone = msgspec.structs.replace(request, requests=1)
    assert cost_of(PriceList((StandardRule(level),), (), prices.minimums), alone) == cost_of(prices, alone)


def test_a_rate_of_two_tiers_at_one_threshold_is_the_later_one() -> None:
    rates: Rates = {"input_tokens": UnitRate(Decimal(1), (RateTier(10, Decimal(2)), RateTier(10, Decimal(3))))}
    assert event_cost(PriceList((StandardRule(rates),)), AT, {"input_tokens": 11}) == Decimal("0.000033")
