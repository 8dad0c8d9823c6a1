"""List prices as the library has them: same cost, no network, no surprise from hostile names."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext

import pytest
from genai_prices import Usage, calc_price
from genai_prices.data import providers
from genai_prices.types import (
    ClauseEquals,
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    StartDateConstraint,
    Tier,
    TieredPrices,
    TimeOfDateConstraint,
)
from hypothesis import given
from hypothesis import strategies as st

from consumers.prices.library import ALL_DAY_NOTE, PRICE_LIBRARY, ResolvedPrices, resolve_prices, schedule_of
from domain.prices.cost import event_cost, version_at
from domain.prices.schedule import PriceTier, PriceVersion, UnitPrices

DAYS = [datetime(2024, 1, 1, 12, tzinfo=UTC), datetime(2026, 9, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)]
#: input, cached input, cache write, output, reasoning: below, at and above every threshold in use.
REQUESTS = [
    (0, 0, 0, 0, 0),
    (1_234, 0, 0, 567, 0),
    (90_001, 50_000, 30_000, 7_777, 1_111),
    (200_000, 100_000, 1, 8_191, 8_191),
    (200_001, 100_000, 1, 8_191, 0),
    (999_983, 1, 500_009, 3, 2),
]


def found(provider: str | None, model: str) -> ResolvedPrices:
    resolved = resolve_prices(provider, model)
    assert resolved is not None
    return resolved


def entry_with(prices: ModelPrice | list[ConditionalPrice]) -> ModelInfo:
    return ModelInfo("model", ClauseEquals("model"), prices=prices)


def dated(start: date | None, input_price: int) -> ConditionalPrice:
    constraint = None if start is None else StartDateConstraint(start)
    return ConditionalPrice(constraint, prices=ModelPrice(input_mtok=Decimal(input_price)))


def our_cost(resolved: ResolvedPrices, request: tuple[int, int, int, int, int], at: datetime) -> Decimal:
    version = version_at(resolved.versions, at)
    assert version is not None
    return event_cost(
        version,
        input_tokens=request[0],
        cached_input_tokens=request[1],
        cache_write_tokens=request[2],
        output_tokens=request[3],
        reasoning_tokens=request[4],
    )


def library_cost(provider: str | None, model: str, request: tuple[int, int, int, int, int], at: datetime) -> Decimal:
    usage = Usage(
        input_tokens=request[0],
        cache_read_tokens=request[1],
        cache_write_tokens=request[2],
        output_tokens=request[3],
        output_reasoning_tokens=request[4],
    )
    with localcontext(Context(prec=76, rounding=ROUND_HALF_EVEN)):
        price = calc_price(usage, model, provider_id=provider, genai_request_timestamp=at)
        return price.total_price.quantize(Decimal("1e-12"))


def has_all_day_token_prices(entry: ModelInfo) -> bool:
    """Whether all its prices are for tokens at any hour of the day."""
    conditional = entry.prices if isinstance(entry.prices, list) else [ConditionalPrice(prices=entry.prices)]
    return all(
        not isinstance(price.constraint, TimeOfDateConstraint) and price.prices.input_mtok is not None
        for price in conditional
    )


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "gpt-4o"),
        ("openai", "gpt-4o-2024-08-06"),
        ("anthropic", "claude-3-5-sonnet-latest"),
        ("anthropic", "claude-haiku-5-5"),
        ("google", "gemini-2.5-pro"),
        ("google", "gemini-2.5-flash"),
        ("openrouter", "google/gemini-2.5-pro"),
        ("openrouter", "google/gemini-2.5-flash"),
        ("perplexity", "sonar-deep-research"),
        ("perplexity", "sonar-pro"),
        ("x-ai", "grok-4.20"),
        ("azure", "gpt-4o"),
        ("openai", "text-embedding-3-small"),
        (None, "gpt-4o"),
    ],
)
def test_real_models_cost_what_the_library_says(provider: str | None, model: str) -> None:
    resolved = found(provider, model)
    for at in DAYS:
        for request in REQUESTS:
            assert our_cost(resolved, request, at) == library_cost(provider, model, request, at)


def test_every_all_day_token_price_of_the_library_is_taken_over() -> None:
    compared = 0
    for seller in providers:
        for entry in seller.models:
            if seller.find_model(entry.id, all_providers=providers) is entry and has_all_day_token_prices(entry):
                resolved = found(seller.id, entry.id)
                for at, request in zip(DAYS, REQUESTS[2:5], strict=True):
                    ours, theirs = our_cost(resolved, request, at), library_cost(seller.id, entry.id, request, at)
                    assert (seller.id, entry.id, ours) == (seller.id, entry.id, theirs)
                compared += 1
    assert compared > 1_000


def test_every_metered_unit_and_every_tier_is_taken_over_and_other_units_are_not() -> None:
    prices = ModelPrice(
        input_mtok=TieredPrices(Decimal(1), [Tier(200_000, Decimal(3)), Tier(100_000, Decimal(2))]),
        output_mtok=TieredPrices(Decimal(10), [Tier(200_000, Decimal(20))]),
        cache_read_mtok=Decimal("0.1"),
        cache_write_mtok=Decimal("0.2"),
        cache_write_1h_mtok=Decimal(99),
        output_reasoning_mtok=Decimal(5),
        input_audio_mtok=Decimal(99),
        requests_kcount=Decimal(12),
        web_searches_kcount=None,
    )
    special = (Decimal("0.1"), Decimal("0.2"), Decimal(5), Decimal("0.012"))
    version = PriceVersion(
        None,
        UnitPrices(Decimal(1), Decimal(10), *special),
        (
            PriceTier(100_000, UnitPrices(Decimal(2), Decimal(10), *special)),
            PriceTier(200_000, UnitPrices(Decimal(3), Decimal(20), *special)),
        ),
    )
    assert schedule_of(entry_with(prices)) == ((version,), False)


def test_dated_prices_become_versions_in_order_of_time() -> None:
    entry = entry_with([dated(None, 1), dated(date(2026, 4, 30), 2), dated(date(2026, 6, 1), 3)])
    versions, all_day_only = schedule_of(entry)
    assert not all_day_only
    assert [(version.effective_from, version.prices.input) for version in versions] == [
        (None, Decimal(1)),
        (datetime(2026, 4, 30, tzinfo=UTC), Decimal(2)),
        (datetime(2026, 6, 1, tzinfo=UTC), Decimal(3)),
    ]


@given(st.lists(st.dates(date(2025, 1, 1), date(2025, 2, 1)) | st.none(), min_size=1, max_size=6))
def test_dated_prices_in_any_order_are_those_that_the_library_picks(starts: list[date | None]) -> None:
    entry = entry_with([dated(start, index) for index, start in enumerate(starts)])
    versions, _ = schedule_of(entry)
    for day in range(-1, 33):
        at = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(days=day)
        version = version_at(versions, at)
        assert version is not None
        assert version.prices.input == entry.get_prices(at).input_mtok


def test_of_prices_by_the_hour_the_all_day_one_is_listed_and_that_is_noted() -> None:
    by_night = ConditionalPrice(TimeOfDateConstraint(time(1), time(4)), prices=ModelPrice(input_mtok=Decimal(9)))
    versions, all_day_only = schedule_of(entry_with([dated(None, 1), dated(date(2026, 1, 1), 2), by_night]))
    assert [version.prices.input for version in versions] == [Decimal(1), Decimal(2)]
    assert all_day_only
    assert found("deepseek", "deepseek-chat").matched == "deepseek/deepseek-chat" + ALL_DAY_NOTE


def test_an_embedding_model_has_free_output() -> None:
    versions, _ = schedule_of(entry_with(ModelPrice(input_mtok=Decimal("0.02"))))
    assert versions == (PriceVersion(None, UnitPrices(Decimal("0.02"), Decimal(0))),)


@pytest.mark.parametrize("prices", [ModelPrice(), ModelPrice(audio_hours=Decimal(1)), []])
def test_a_model_without_a_price_for_tokens_is_not_free(prices: ModelPrice | list[ConditionalPrice]) -> None:
    assert schedule_of(entry_with(prices)) == ((), False)


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
    assert resolved is None or resolved.versions


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
