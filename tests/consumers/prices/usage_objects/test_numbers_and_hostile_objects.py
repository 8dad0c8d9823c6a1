"""Numbers are exact in every form in which a decoder keeps them, and no object does harm."""

from __future__ import annotations

import json
import time
from decimal import Decimal
from typing import Any

import pytest
from genai_prices.data import providers
from genai_prices.types import ArrayMatch
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from consumers.prices.usage_objects.details import fits_together
from consumers.prices.usage_objects.reading import read_usage
from consumers.prices.usage_objects.received_numbers import ITEM_NAMES
from domain.values.json_numbers import WrittenDecimal, exact_json, number_keeping_decoder, written_decimal
from tests.consumers.prices.usage_objects.test_objects_of_providers import OBJECTS

_PROVIDERS = [None, "", "our-gateway", "\x00", "a" * 10_000, *sorted({case[0] for case in OBJECTS.values() if case[0]})]
_MODELS = [None, "", "gpt-5", "claude-sonnet-4-5", "gemini-2.5-pro", "x-ai/grok-4", "GPT-" + "5" * 10_000]


def member_names(value: Any) -> set[str]:
    if isinstance(value, dict):
        return {*value, *(name for member in value.values() for name in member_names(member))}
    return {name for item in value for name in member_names(item)} if isinstance(value, list) else set()


_NAMES = sorted({name for _, usage, _ in OBJECTS.values() for name in member_names(usage)} | {"usage", "usageMetadata"})
_ANY_NUMBER = st.one_of(
    st.integers(),
    st.integers(-3, 100),
    st.floats(),
    st.decimals(),
    st.sampled_from([10**400, -(10**400), Decimal("1e999999"), Decimal("1e-999999"), Decimal("sNaN")]),
    st.sampled_from([Raw(b"1.5"), Raw(b"1e400"), Raw(b"1E+2"), Raw(b"-0.0"), Raw(b"{}"), Raw(b"\xff"), Raw(b"NaN")]),
    st.sampled_from([WrittenDecimal(False, "12", -1, 3), WrittenDecimal(True, "1", 10**18, 1)]),
)
_ANYTHING = st.recursive(
    st.one_of(_ANY_NUMBER, st.none(), st.booleans(), st.text(max_size=5), st.sampled_from(["TEXT", "5m", "duration"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(st.sampled_from(_NAMES), st.text(max_size=5)), inner, max_size=8),
    ),
    max_leaves=20,
)


@given(st.sampled_from(_PROVIDERS), st.sampled_from(_MODELS), _ANYTHING)
def test_any_object_is_read_without_an_exception_and_exactly(provider: Any, model: Any, usage: Any) -> None:
    read = read_usage(provider, model, usage)
    for quantity in (read or {}).values():
        assert type(quantity) in (int, Decimal)
        assert 0 <= quantity < 10**40


@given(st.sampled_from(sorted(OBJECTS)), st.sampled_from(_MODELS), st.dictionaries(st.sampled_from(_NAMES), _ANYTHING))
def test_a_spoilt_object_is_read_without_an_exception(name: str, model: Any, spoilt: dict[str, Any]) -> None:
    provider, usage, _ = OBJECTS[name]
    read = read_usage(provider, model, usage | spoilt)
    assert read is None or all(quantity >= 0 for quantity in read.values())


@given(st.sampled_from(sorted(OBJECTS)), st.integers(1, 1_000_000), st.integers(0, 4))
def test_a_well_formed_object_of_any_size_fits_together(name: str, factor: int, places: int) -> None:
    provider, usage, quantities = OBJECTS[name]

    def scaled(value: Any) -> Any:
        if isinstance(value, dict):
            return {member: scaled(inner) for member, inner in value.items()}
        if isinstance(value, list):
            return [scaled(item) for item in value]
        return Decimal(repr(value)) * factor / 10**places if isinstance(value, (int, float)) else value

    read = read_usage(provider, None, scaled(usage))
    assert read == {unit: quantity * Decimal(factor) / 10**places for unit, quantity in quantities.items()}
    assert fits_together(dict(read))


@pytest.mark.parametrize("name", sorted(OBJECTS))
def test_the_forms_in_which_decoders_keep_numbers_read_alike(name: str) -> None:
    provider, usage, quantities = OBJECTS[name]
    text = json.dumps(usage)
    assert read_usage(provider, None, number_keeping_decoder().decode(text)) == quantities
    assert read_usage(provider, None, number_keeping_decoder(written_decimal).decode(text)) == quantities
    assert read_usage(provider, None, exact_json(text.encode())) == quantities


@pytest.mark.parametrize(
    ("written", "quantity"),
    [
        ("11.50", Decimal("11.5")),
        ("1e2", 100),
        ("100.0", 100),
        ("0.1", Decimal("0.1")),
        ("12345678901234567890.123456789", Decimal("12345678901234567890.123456789")),
        ("0", 0),
        ("-0.0", 0),
    ],
)
def test_a_number_is_the_one_that_was_written(written: str, quantity: int | Decimal) -> None:
    decoded = number_keeping_decoder().decode(f'{{"type": "duration", "seconds": {written}}}')
    read = read_usage("openai", None, decoded)
    assert read == {"audio_seconds": quantity}
    assert type((read or {})["audio_seconds"]) is type(quantity)


@pytest.mark.parametrize(
    "number", [-1, "1", True, None, float("nan"), float("inf"), 10**38, Raw(b"1e-39"), Raw(b"-1.5")]
)
def test_a_count_that_is_no_quantity_is_read_as_nothing(number: Any) -> None:
    usage = {"inputTokens": number, "outputTokens": 5}
    assert read_usage("bedrock", None, usage) is None


@pytest.mark.parametrize("number", [-1, True, float("nan"), 10**38])
def test_a_part_that_is_no_quantity_spoils_the_object(number: Any) -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 5, "prompt_tokens_details": {"audio_tokens": number}}
    assert read_usage("azure", None, usage) is None


@pytest.mark.parametrize("usage", [None, 5, "usage", [], [{"prompt_tokens": 1}], b"{}", {1: 2, None: 3}])
def test_what_is_no_object_with_names_is_read_as_nothing(usage: Any) -> None:
    assert read_usage("openai", "gpt-5", usage) is None


def test_deep_and_wide_objects_are_read_as_nothing_and_at_once() -> None:
    deep: Any = {}
    for _ in range(100_000):
        deep = {"usage": deep, "prompt_tokens_details": [deep]}
    wide = {f"member_{number}": number for number in range(100_000)} | {"prompt_tokens": 1, "completion_tokens": 1}
    long_list = {"promptTokensDetails": [{"modality": "TEXT", "tokenCount": 1}] * 100_000, "promptTokenCount": 1}
    assert read_usage("openai", None, deep) is None
    assert read_usage("openai", None, wide) is None
    assert read_usage("google", None, long_list) == {"input_tokens": 1}


def test_an_object_of_a_megabyte_takes_no_more_than_a_moment() -> None:
    item: Any = {"modality": "TEXT", "ttl": "5m"} | {f"text_{n}": "TEXT" for n in range(60)}
    item |= {f"number_{n}": n for n in range(60)}
    nested = [item | {"inner": [item | {"inner": [item] * 20}] * 20}] * 20
    usage = {"promptTokenCount": 1, "promptTokensDetails": nested, "cacheTokensDetails": [item] * 200}
    started = time.process_time()
    assert read_usage(None, None, usage) == {"input_tokens": 1}
    assert time.process_time() - started < 5


def test_items_of_lists_are_named_as_the_library_matches_them() -> None:
    matched = {
        step.field
        for provider in providers
        for extractor in provider.extractors or ()
        for mapping in extractor.mappings
        for step in mapping.path
        if isinstance(step, ArrayMatch)
    }
    assert matched == set(ITEM_NAMES)


def test_the_order_of_members_makes_no_difference() -> None:
    for provider, usage, quantities in OBJECTS.values():
        assert read_usage(provider, None, dict(reversed(usage.items()))) == quantities
