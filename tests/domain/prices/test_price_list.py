"""Which prices of a list hold for a request: by its instant, and by its context."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from domain.prices.price_list import PriceList, Rates, StandardRule, UnitRate, VariantRule, applied_price, prices_at

JUNE = datetime(2026, 6, 1, tzinfo=UTC)
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def rates(**prices: int) -> Rates:
    return {unit: UnitRate(Decimal(price)) for unit, price in prices.items()}


def price_of(prices: PriceList, at: datetime, **context: str) -> dict[str, int]:
    applied = applied_price(prices, at, tuple(sorted(context.items())))
    return {unit: int(price.price) for unit, price in prices_at(applied.rates, 0).items()}


def test_the_last_rule_in_force_holds_whatever_started_later() -> None:
    ever, from_june, late = rates(input_tokens=1), rates(input_tokens=2), rates(input_tokens=3)
    prices = PriceList((StandardRule(ever), StandardRule(late, JUNE + timedelta(1)), StandardRule(from_june, JUNE)))
    found = [price_of(prices, at)["input_tokens"] for at in (JUNE - MICROSECOND, JUNE, JUNE + timedelta(1))]
    assert found == [1, 2, 2]


def test_of_rules_of_which_none_is_in_force_the_first_one_holds() -> None:
    prices = PriceList((StandardRule(rates(input_tokens=1), JUNE), StandardRule(rates(input_tokens=2), JUNE)))
    assert price_of(prices, NOON) == {"input_tokens": 1}


@pytest.mark.parametrize(
    ("hours", "times"),
    [
        ((3600, 7200), {"00:59:59.999999": 1, "01:00:00": 2, "01:59:59.999999": 2, "02:00:00": 1}),
        ((82800, 3600), {"22:59:59.999999": 1, "23:00:00": 2, "00:00:00": 2, "00:59:59.999999": 2, "01:00:00": 1}),
        ((3600, 3600), {"00:00:00": 1, "01:00:00": 1, "02:00:00": 1}),
    ],
)
def test_hours_are_half_open_and_go_through_midnight(hours: tuple[int, int], times: dict[str, int]) -> None:
    prices = PriceList((StandardRule(rates(input_tokens=1)), StandardRule(rates(input_tokens=2), hours=hours)))
    found = {
        time: price_of(prices, datetime.fromisoformat(f"2026-05-01T{time}+00:00"))["input_tokens"] for time in times
    }
    assert found == times


def test_hours_are_of_the_day_in_utc() -> None:
    prices = PriceList((StandardRule(rates(input_tokens=1)), StandardRule(rates(input_tokens=2), hours=(3600, 7200))))
    at = datetime(2026, 5, 1, 3, 30, tzinfo=timezone(timedelta(hours=2)))
    assert price_of(prices, at) == {"input_tokens": 2}


def test_variants_replace_prices_unit_by_unit_and_the_first_that_applies_wins() -> None:
    prices = PriceList(
        (StandardRule(rates(input_tokens=1, output_tokens=2)),),
        (
            VariantRule({"service_tier": "flex", "speed": "fast"}, rates(input_tokens=10)),
            VariantRule({"service_tier": "flex"}, rates(input_tokens=20, web_searches=30)),
            VariantRule({"service_tier": "flex"}, rates(output_tokens=99), JUNE),
        ),
    )
    assert price_of(prices, NOON) == {"input_tokens": 1, "output_tokens": 2}
    assert price_of(prices, NOON, service_tier="Flex") == {"input_tokens": 1, "output_tokens": 2}
    assert price_of(prices, NOON, service_tier="flex") == {"input_tokens": 20, "output_tokens": 2, "web_searches": 30}
    assert price_of(prices, JUNE, service_tier="flex", speed="fast", other="x") == {
        "input_tokens": 10,
        "output_tokens": 99,
        "web_searches": 30,
    }
