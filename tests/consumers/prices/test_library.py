"""List prices as the library has them: same cost, no network, no surprise from hostile names."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal

import pytest
from genai_prices.data import providers
from genai_prices.types import (
    ClauseEquals,
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    PriceVariant,
    Provider,
    StartDateConstraint,
    Tier,
    TieredPrices,
    TimeOfDateConstraint,
)
from hypothesis import given
from hypothesis import strategies as st

from consumers.prices.library import PRICE_LIBRARY, ResolvedPrices, price_list_of_entry, resolve_prices
from domain.prices.cost import event_cost
from domain.prices.discounts import discounted
from domain.prices.price_list import Minimum, PriceList, RateTier, StandardRule, UnitRate, VariantRule
from domain.units.registry import COMMON_UNITS, UNITS, unit_of
from domain.usage.quantities import PriceContext
from tests.consumers.prices.library_costs import library_cost
from tests.domain.prices.generated_prices import PICO, Request, column_costs, cost_of

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
MILLION = 1_000_000


def found(provider: str | None, model: str) -> ResolvedPrices:
    resolved = resolve_prices(provider, model)
    assert resolved is not None
    return resolved


def seller_of(prices: ModelPrice | list[ConditionalPrice], variants: list[PriceVariant] | None = None) -> Provider:
    entry = ModelInfo("model", ClauseEquals("model"), prices=prices, price_variants=variants)
    return Provider("seller", "Seller", "https://seller.test", models=[entry])


def converted(seller: Provider) -> PriceList | None:
    return price_list_of_entry(seller, seller.models[0])


ALL_ENTRIES = [(seller, entry) for seller in providers for entry in seller.models]


def test_every_model_costs_what_the_library_says_at_every_edge_of_its_prices() -> None:
    compared = unknown = 0
    for seller, entry in ALL_ENTRIES:
        prices = price_list_of_entry(seller, entry)
        if prices is None:
            assert not any(vars(price.prices) for price in conditional_prices(entry))
            continue
        requests = list(requests_at_edges(prices))
        expected = [library_cost(seller, entry, request) for request in requests]
        assert (seller.id, entry.id, [cost_of(prices, one) for one in requests]) == (seller.id, entry.id, expected)
        assert column_costs(prices, requests) == expected
        compared += len(requests)
        unknown += expected.count(None)
    assert compared > 8_000
    assert unknown < compared / 20


def conditional_prices(entry: ModelInfo) -> list[ConditionalPrice]:
    return entry.prices if isinstance(entry.prices, list) else [ConditionalPrice(prices=entry.prices)]


def requests_at_edges(prices: PriceList) -> Iterator[Request]:
    """Requests that use every unit with a price, on both sides of each tier, start and hour, and of each variant."""
    rules = prices.rules
    units = {unit for rule in rules for unit in rule.rates if unit != "requests"}
    thresholds = {tier.input_tokens_above for rule in rules for rate in rule.rates.values() for tier in rate.tiers}
    levels = [None, *(above + more for above in sorted(thresholds) for more in (0, 1))]
    contexts = {tuple(sorted(variant.when.items())) for variant in prices.variants}
    for at in instants_at_edges(prices):
        for context in ((), (("service_tier", "unheard of"),), *sorted(contexts)):
            for input_tokens in levels:
                yield request_of(units, at, context, input_tokens)


def instants_at_edges(prices: PriceList) -> list[datetime]:
    rules = prices.rules
    instants = [NOON]
    for rule in rules:
        if rule.start is not None:
            instants += [rule.start - MICROSECOND, rule.start]
        for second in rule.hours or ():
            edge = NOON.replace(hour=0) + timedelta(seconds=second)
            instants += [edge - MICROSECOND, edge]
    return sorted(set(instants))


def request_of(units: set[str], at: datetime, context: PriceContext, input_tokens: int | None) -> Request:
    """A request that used a different number of each unit beside what it used of the parts of that unit."""
    wholes = {one for one in COMMON_UNITS if any(unit_of(unit).is_part_of(unit_of(one)) for unit in units)}
    units = units | wholes
    leaves = {unit: 1_000 + 7 * number for number, unit in enumerate(sorted(units))}
    used = {
        unit: sum(leaf for part, leaf in leaves.items() if unit_of(part).is_part_of(unit_of(unit))) for unit in units
    }
    if input_tokens is not None:
        used["input_tokens"] = max(input_tokens, used.get("input_tokens", 0))
    first, second, third, fourth, fifth = (used.get(unit, 0) for unit in COMMON_UNITS)
    extras = {unit: amount * PICO for unit, amount in used.items() if unit not in COMMON_UNITS}
    return Request(at, (first, second, third, fourth, fifth), extras, context)


@given(st.data())
def test_any_usage_at_any_discounts_costs_what_the_library_says_if_its_price_covers_it(data: st.DataObject) -> None:
    seller, entry = data.draw(st.sampled_from(ALL_ENTRIES))
    prices = price_list_of_entry(seller, entry)
    if prices is None:
        return
    priced = {unit for rule in prices.rules for unit in rule.rates} - {"requests"}
    below = [unit for unit in UNITS if any(unit_of(unit).is_part_of(unit_of(whole)) for whole in priced)]
    units = data.draw(st.sets(st.sampled_from(sorted(below)), max_size=4)) | priced if below else priced
    at = data.draw(st.sampled_from(instants_at_edges(prices)) | st.datetimes(timezones=st.just(UTC)))
    when = [tuple(sorted(variant.when.items())) for variant in prices.variants]
    request = request_of(
        units, at, data.draw(st.sampled_from([(), *when])), data.draw(st.none() | st.integers(0, 10**6))
    )
    percentages = data.draw(st.lists(st.decimals(0, 100, places=6), max_size=2))
    expected = library_cost(seller, entry, request, percentages)
    at_discounts = discounted(prices, percentages)
    assert cost_of(at_discounts, request) == expected
    assert column_costs(at_discounts, [request]) == [expected]


@pytest.mark.parametrize(
    ("provider", "model", "at", "used", "context", "cost"),
    [
        ("deepseek", "deepseek-v4-flash", NOON.replace(hour=8), {"input": MILLION, "output": MILLION}, (), "1.50"),
        ("deepseek", "deepseek-v4-flash", NOON, {"input": MILLION, "output": MILLION}, (), "0.75"),
        ("deepseek", "deepseek-chat", NOON.replace(hour=8), {"input": MILLION, "output": MILLION}, (), "1.37"),
        (
            "anthropic",
            "claude-opus-4-8",
            NOON,
            {"input": 3904, "cache_write": 3904, "cache_write_1h": 3904},
            (),
            "0.03904",
        ),
        ("openai", "gpt-audio-mini", NOON, {"input": 15, "output": 47, "output_audio": 34}, (), "0.0007202"),
        (
            "openai",
            "gpt-5-mini",
            NOON,
            {"input": 2000, "cached_input": 1000, "output": 500},
            (("service_tier", "flex"),),
            "0.0006375",
        ),
    ],
)
def test_models_with_prices_by_hour_by_unit_or_by_tier_of_service_cost_what_they_do(
    provider: str, model: str, at: datetime, used: dict[str, int], context: PriceContext, cost: str
) -> None:
    tokens = {f"{name}_tokens": amount for name, amount in used.items()}
    assert event_cost(found(provider, model).prices, at, tokens, context) == Decimal(cost)


def test_ten_seconds_of_audio_are_the_least_that_groq_charges() -> None:
    prices = found("groq", "whisper-large-v3").prices
    assert prices.minimums == (Minimum(("audio_seconds", "input_audio_seconds"), Decimal(10)),)
    costs = [event_cost(prices, NOON, {"input_audio_seconds": seconds}) for seconds in (0, 3, 10, 3600)]
    assert costs == [Decimal(0), Decimal("0.000308333333"), Decimal("0.000308333333"), Decimal("0.111")]


def test_every_unit_tier_date_hour_and_variant_is_taken_over() -> None:
    prices = [
        ConditionalPrice(
            prices=ModelPrice(
                input_mtok=TieredPrices(Decimal(1), [Tier(200_000, Decimal(3)), Tier(100_000, Decimal(2))]),
                cache_read_mtok=Decimal("0.1"),
                web_searches_kcount=None,
                requests_kcount=Decimal(12),
            )
        ),
        ConditionalPrice(StartDateConstraint(date(2026, 4, 30)), prices=ModelPrice(output_reasoning_mtok=Decimal(5))),
        ConditionalPrice(
            TimeOfDateConstraint(time(23, tzinfo=timezone(timedelta(hours=2))), time(0, 30)),
            prices=ModelPrice(audio_hours=Decimal(4)),
        ),
    ]
    variants = [
        PriceVariant({"processing": "batch"}, ModelPrice(input_mtok=Decimal(1)), TimeOfDateConstraint(time(1), time(2)))
    ]
    assert converted(seller_of(prices, variants)) == PriceList(
        (
            StandardRule(
                {
                    "input_tokens": UnitRate(
                        Decimal(1), (RateTier(100_000, Decimal(2)), RateTier(200_000, Decimal(3)))
                    ),
                    "cached_input_tokens": UnitRate(Decimal("0.1")),
                    "requests": UnitRate(Decimal(12)),
                }
            ),
            StandardRule({"reasoning_tokens": UnitRate(Decimal(5))}, start=datetime(2026, 4, 30, tzinfo=UTC)),
            StandardRule({"audio_seconds": UnitRate(Decimal(4))}, hours=(21 * 3600, 1800)),
        ),
        (VariantRule({"processing": "batch"}, {"input_tokens": UnitRate(Decimal(1))}, hours=(3600, 7200)),),
    )


def test_a_seller_of_the_model_of_another_one_sells_no_variants_of_it() -> None:
    variants = [PriceVariant({"processing": "batch"}, ModelPrice(input_mtok=Decimal(1)))]
    maker = seller_of(ModelPrice(input_mtok=Decimal(2)), variants)
    reseller = Provider("reseller", "Reseller", "https://reseller.test", models=[])
    assert price_list_of_entry(reseller, maker.models[0]) == PriceList(
        (StandardRule({"input_tokens": UnitRate(Decimal(2))}),)
    )


@pytest.mark.parametrize(
    "prices",
    [
        ModelPrice(),
        [],
        ModelPrice(input_mtok=None),
        ModelPrice(input_mtok=Decimal(1), smells_kcount=Decimal(1)),
        [ConditionalPrice(prices=ModelPrice(input_mtok=Decimal(1))), ConditionalPrice(prices=ModelPrice(x=Decimal(1)))],
    ],
)
def test_a_model_without_a_price_or_with_one_in_an_unknown_unit_is_not_listed(
    prices: ModelPrice | list[ConditionalPrice],
) -> None:
    assert converted(seller_of(prices)) is None


@pytest.mark.parametrize("provider", [None, ""])
def test_without_a_provider_the_model_decides(provider: str | None) -> None:
    own = found("openai", "gpt-4o")
    assert (own.library, own.matched) == (PRICE_LIBRARY, "openai/gpt-4o")
    assert resolve_prices(provider, "gpt-4o") == own
    assert resolve_prices(provider, "openai/gpt-4o") == own
    assert found(provider, "claude-sonnet-4-5").matched.startswith("anthropic/")


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("acme", "gpt-4o"),  # whose prices nobody knows, though the model is known elsewhere
        ("openai", "no-such-model"),
        (None, "no-such-model"),
        (None, "no-such-provider/gpt"),
        ("openai", ""),
        ("", ""),
        ("openai", "gpt-4o" * 1_000),
        ("openai" * 1_000, "gpt-4o"),
    ],
)
def test_a_model_without_a_known_token_price_is_unknown(provider: str | None, model: str) -> None:
    assert resolve_prices(provider, model) is None


@given(
    st.none() | st.text(max_size=30) | st.sampled_from(["openai", "litellm", "google", "LITELLM"]),
    st.text(max_size=300) | st.builds("{}/{}".format, st.sampled_from(["openai", "litellm", ""]), st.text()),
)
def test_no_name_raises(provider: str | None, model: str) -> None:
    resolved = resolve_prices(provider, model)
    assert resolved is None or resolved.prices.standard


@pytest.mark.parametrize("name", ["\ud800", "\x00", "../..", "a\nb", "(" * 200, "ß" * 200])
def test_hostile_names_are_unknown(name: str) -> None:
    assert [resolve_prices(name, name), resolve_prices(None, name), resolve_prices("openai", name)] == [None] * 3


def test_nothing_is_asked_of_the_network() -> None:
    program = """
import sys
def refuse(event, arguments):
    if event.startswith("socket.") or event == "urllib.Request":
        raise AssertionError(event)
sys.addaudithook(refuse)
from consumers.prices.library import resolve_prices
print(resolve_prices("openai", "gpt-4o").matched)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "openai/gpt-4o\n", "")
