"""What a tenant may set as its own price, and the price list that it becomes."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from domain.errors import InvalidInput
from domain.prices.conversion import unit_prices_at
from domain.prices.cost import event_cost
from domain.prices.own_price import OwnPrice, checked_price_list
from domain.prices.price_list import PriceList, Rates, RateTier, StandardRule, UnitRate, VariantRule
from domain.prices.schedule import PriceTier, UnitPrices

MAY = datetime(2026, 5, 1, tzinfo=UTC)
TOKENS = UnitPrices(Decimal(2), Decimal(8))


def rate(price: str, *tiers: tuple[int, str], per: int | None = None) -> UnitRate:
    return UnitRate(Decimal(price), tuple(RateTier(above, Decimal(dear)) for above, dear in tiers), per)


def rates(**prices: str) -> Rates:
    return {unit: rate(price) for unit, price in prices.items()}


def variant(when: dict[str, str], **prices: str) -> VariantRule:
    return VariantRule(when, rates(**prices))


def test_unit_prices_rates_and_variants_become_one_price_list() -> None:
    flex = variant({"service_tier": "flex"}, input_tokens="1", stamps="0.5")
    price = OwnPrice(MAY, TOKENS, (), {"stamps": rate("3", (20, "5"), (10, "4"), per=7)}, (flex,))
    base = {
        "input_tokens": rate("2"),
        "output_tokens": rate("8"),
        "stamps": rate("3", (10, "4"), (20, "5"), per=7),
    }
    assert checked_price_list(price) == PriceList((StandardRule(base, MAY),), (flex,))


def test_a_quantity_that_list_prices_have_too_is_not_stored() -> None:
    given = {"web_searches": rate("10", per=1_000), "stamps": rate("3", per=1), "requests": rate("1", per=1)}
    found = checked_price_list(OwnPrice(None, None, (), given)).standard[0].rates
    assert found == {"web_searches": rate("10"), "stamps": rate("3"), "requests": rate("1", per=1)}


@pytest.mark.parametrize(
    ("used", "cost"),
    [
        ({"stamps": Decimal(7)}, "3"),
        ({"stamps": Decimal("0.5"), "web_searches": 3}, "0.244285714286"),
        ({"stamps": 7, "input_tokens": 1_000_000}, "5"),
        ({"coupons": 1}, None),
    ],
)
def test_a_cost_is_by_the_quantity_that_the_price_is_for(used: dict[str, Decimal | int], cost: str | None) -> None:
    prices = checked_price_list(
        OwnPrice(None, TOKENS, (), {"stamps": rate("3", per=7), "web_searches": rate("0.01", per=1)})
    )
    assert event_cost(prices, MAY, used) == (None if cost is None else Decimal(cost))


@pytest.mark.parametrize(("context", "cost"), [({}, "10"), ({"service_tier": "flex"}, "9"), ({"speed": "slow"}, "3")])
def test_the_context_of_a_request_chooses_its_prices(context: dict[str, str], cost: str) -> None:
    slow = variant({"speed": "slow"}, input_tokens="0", output_tokens="3")
    flex = variant({"service_tier": "flex"}, input_tokens="1")
    prices = checked_price_list(OwnPrice(None, TOKENS, (), {}, (flex, slow)))
    used = {"input_tokens": 1_000_000, "output_tokens": 1_000_000}
    assert event_cost(prices, MAY, used, tuple(context.items())) == Decimal(cost)


def test_prices_of_common_units_for_another_quantity_are_shown_for_a_million() -> None:
    given = {"input_tokens": rate("0.003", per=1_000), "output_tokens": rate("1", per=3), "requests": rate("5", per=10)}
    shown = unit_prices_at(checked_price_list(OwnPrice(None, None, (), given)).standard[0].rates, 0)
    assert shown == {
        "input": Decimal(3),
        "output": Decimal("333333.333333333333333333"),
        "cached_input": None,
        "cache_write": None,
        "reasoning": None,
        "request": Decimal("0.5"),
    }


REFUSED: list[tuple[OwnPrice, str, str]] = [
    (OwnPrice(None), "unit_prices", "or rates"),
    (OwnPrice(None, None, (PriceTier(1, TOKENS),), rates(stamps="1")), "tiers", "unit_prices"),
    (OwnPrice(None, TOKENS, (), rates(output_tokens="1")), "rates.output_tokens", "second price"),
    (OwnPrice(None, None, (), rates(prompt_tokens="1")), "rates.prompt_tokens", "named input_tokens"),
    (OwnPrice(None, None, (), {"x" * 65: rate("1")}), "rates", "1 to 64 characters"),
    (OwnPrice(None, None, (), {"": rate("1")}), "rates", "1 to 64 characters"),
    (OwnPrice(None, None, (), rates(**{f"own {n}": "1" for n in range(65)})), "rates", "at most 64"),
    (OwnPrice(None, None, (), {"stamps": rate("-1")}), "rates.stamps.price", "negative"),
    (OwnPrice(None, None, (), {"stamps": UnitRate(None)}), "rates.stamps.price", "given"),
    (OwnPrice(None, None, (), {"stamps": rate("1", per=0)}), "rates.stamps.per", "from 1 to"),
    (OwnPrice(None, None, (), {"stamps": rate("1", per=10**9 + 1)}), "rates.stamps.per", "from 1 to"),
    (
        OwnPrice(None, None, (), {"stamps": rate("1", *((above, "2") for above in range(11)))}),
        "rates.stamps.tiers",
        "at most 10",
    ),
    (OwnPrice(None, None, (), {"stamps": rate("1", (5, "2"), (5, "3"))}), "rates.stamps.tiers", "different"),
    (
        OwnPrice(None, None, (), {"stamps": rate("1", (-1, "2"))}),
        "rates.stamps.tiers.0.input_tokens_above",
        "whole number",
    ),
    (OwnPrice(None, TOKENS, (), {}, (variant({}, stamps="1"),)), "variants.0.when", "service_tier"),
    (OwnPrice(None, TOKENS, (), {}, (variant({"tier": "flex"}, stamps="1"),)), "variants.0.when", "service_tier"),
    (OwnPrice(None, TOKENS, (), {}, (variant({"speed": ""}, stamps="1"),)), "variants.0.when.speed", "characters"),
    (OwnPrice(None, TOKENS, (), {}, (variant({"speed": "fast"}),)), "variants.0.rates", "at least one"),
    (
        OwnPrice(None, TOKENS, (), {}, (variant({"speed": "fast"}, stamps="1"),) * 2),
        "variants.1.when",
        "must differ",
    ),
    (
        OwnPrice(None, TOKENS, (), {}, tuple(variant({"speed": str(n)}, stamps="1") for n in range(21))),
        "variants",
        "at most 20",
    ),
    (
        OwnPrice(None, TOKENS, (), {}, (variant({"speed": "fast"}, stamps="-2"),)),
        "variants.0.rates.stamps.price",
        "negative",
    ),
]


@pytest.mark.parametrize(("price", "field", "rule"), REFUSED)
def test_a_price_that_breaks_a_rule_is_refused_with_its_field(price: OwnPrice, field: str, rule: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        checked_price_list(price)
    assert refused.value.field == field
    assert rule in refused.value.rule


WRITTEN = UnitPrices(Decimal(2), Decimal(8), cached_input=Decimal(1), cache_write=Decimal(3))
UNCOVERED: list[tuple[OwnPrice, str, str]] = [
    (
        OwnPrice(None, TOKENS, (), rates(cache_write_1h_tokens="4")),
        "rates.cache_write_1h_tokens",
        "must come with a price of its whole: price cache_write_tokens too",
    ),
    (
        OwnPrice(None, None, (), rates(cache_write_1h_tokens="4")),
        "rates.cache_write_1h_tokens",
        "must come with a price of its whole: price cache_write_tokens, input_tokens too",
    ),
    (
        OwnPrice(None, WRITTEN, (), rates(input_audio_tokens="4", cache_audio_write_tokens="5")),
        "rates.input_audio_tokens",
        "must come with a price of what cached_input_tokens shares with it: price cache_audio_read_tokens too",
    ),
    (
        OwnPrice(None, WRITTEN, (PriceTier(9, TOKENS),), rates(cache_write_1h_tokens="4")),
        "rates.cache_write_1h_tokens",
        "must come with a price of its whole: price cache_write_tokens too",
    ),
    (
        OwnPrice(None, TOKENS, (), {}, (variant({"speed": "fast"}, cache_write_1h_tokens="4"),)),
        "variants.0.rates.cache_write_1h_tokens",
        "must come with a price of its whole: price cache_write_tokens too",
    ),
    (
        OwnPrice(
            None,
            TOKENS,
            (),
            {},
            (
                variant({"speed": "fast"}, input_audio_tokens="4"),
                variant({"route": "near"}, cached_input_tokens="1"),
            ),
        ),
        "variants.1.rates.cached_input_tokens",
        "must come with a price of what input_audio_tokens shares with it: price cache_audio_read_tokens too",
    ),
]


@pytest.mark.parametrize(("price", "field", "rule"), UNCOVERED)
def test_a_part_without_its_whole_and_a_shared_part_without_a_price_are_refused(
    price: OwnPrice, field: str, rule: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        checked_price_list(price)
    assert (refused.value.field, refused.value.rule) == (field, rule)


def test_variants_that_never_apply_together_need_no_price_of_what_their_units_share() -> None:
    fast = variant({"speed": "fast"}, input_audio_tokens="4")
    slow = variant({"speed": "slow"}, cached_input_tokens="1")
    assert checked_price_list(OwnPrice(None, TOKENS, (), {}, (fast, slow))).variants == (fast, slow)
