"""Priced units need the prices that the price library asks for in its own prices."""

from __future__ import annotations

import pytest
from genai_prices.units import _get_registry
from genai_prices.validation import validate_priced_units
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.units.coverage import Uncovered, uncovered
from domain.units.registry import UNITS

_NAMES_OF_LIBRARY = {"cached_input_tokens": "cache_read_tokens", "reasoning_tokens": "output_reasoning_tokens"}
_CLOSE = ["input_tokens", "cached_input_tokens", "input_audio_tokens", "cache_audio_read_tokens", "input_text_tokens"]


def library_accepts(priced: frozenset[str]) -> bool:
    registry = _get_registry()
    try:
        validate_priced_units([registry.units[_NAMES_OF_LIBRARY.get(key, key)] for key in priced], registry)
    except ValueError:
        return False
    return True


@settings(max_examples=300)
@given(st.frozensets(st.sampled_from(_CLOSE) | st.sampled_from(sorted(UNITS)), max_size=6))
def test_the_library_accepts_the_same_units(priced: frozenset[str]) -> None:
    assert (uncovered(priced) is None) == library_accepts(priced)


def test_what_is_needed_completes_the_prices_of_any_units() -> None:
    for key in UNITS:
        priced = frozenset({key})
        while (found := uncovered(priced)) is not None:
            priced |= frozenset(found.needed)
        assert library_accepts(priced)


@pytest.mark.parametrize(
    ("priced", "found"),
    [
        ({"web_searches", "stamps", "requests"}, None),
        ({"input_audio_seconds"}, Uncovered(("input_audio_seconds",), ("audio_seconds",))),
        ({"cache_write_1h_tokens"}, Uncovered(("cache_write_1h_tokens",), ("cache_write_tokens", "input_tokens"))),
        (
            {"input_tokens", "cached_input_tokens", "input_audio_tokens"},
            Uncovered(("cached_input_tokens", "input_audio_tokens"), ("cache_audio_read_tokens",)),
        ),
    ],
)
def test_the_units_that_need_other_prices_are_named(priced: set[str], found: Uncovered | None) -> None:
    assert uncovered(frozenset(priced)) == found
