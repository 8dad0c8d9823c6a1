"""Quantities are decomposed into leaves, as the price library does."""

from __future__ import annotations

from types import SimpleNamespace

from genai_prices.decompose import compute_leaf_values
from genai_prices.units import _get_registry
from hypothesis import given
from hypothesis import strategies as st

from domain.units.decomposition import Excess, excess_of, leaf_factors
from domain.units.registry import REQUESTS, UNITS

_LIBRARY_NAMES = {"cached_input_tokens": "cache_read_tokens", "reasoning_tokens": "output_reasoning_tokens"}
_QUANTITIES = st.dictionaries(
    st.sampled_from([key for key in UNITS if key != REQUESTS]), st.integers(0, 1_000), max_size=8
)


def test_a_leaf_is_the_whole_without_its_parts() -> None:
    units = frozenset({"input_tokens", "cached_input_tokens", "cache_write_tokens", "cache_write_1h_tokens"})
    assert {key: dict(factors) for key, factors in leaf_factors(units).items()} == {
        "cache_write_1h_tokens": {"cache_write_1h_tokens": 1},
        "cache_write_tokens": {"cache_write_tokens": 1, "cache_write_1h_tokens": -1},
        "cached_input_tokens": {"cached_input_tokens": 1},
        "input_tokens": {"input_tokens": 1, "cached_input_tokens": -1, "cache_write_tokens": -1},
    }


def test_a_part_that_is_in_two_parts_is_taken_from_the_whole_once() -> None:
    units = frozenset({"input_tokens", "cached_input_tokens", "input_audio_tokens", "cache_audio_read_tokens"})
    assert leaf_factors(units)["input_tokens"] == {
        "input_tokens": 1,
        "cached_input_tokens": -1,
        "input_audio_tokens": -1,
        "cache_audio_read_tokens": 1,
    }


def test_a_part_that_exceeds_its_whole_by_itself_is_named_alone() -> None:
    quantities = {"input_tokens": 10, "cached_input_tokens": 2, "cache_write_tokens": 11}
    assert excess_of(quantities) == Excess("input_tokens", ("cache_write_tokens",))


def test_parts_that_exceed_their_whole_together_are_all_named() -> None:
    quantities = {"input_tokens": 10, "cached_input_tokens": 6, "cache_write_tokens": 5}
    assert excess_of(quantities) == Excess("input_tokens", ("cached_input_tokens", "cache_write_tokens"))


@given(_QUANTITIES)
def test_leaves_are_those_of_the_library(quantities: dict[str, int]) -> None:
    usage = {_LIBRARY_NAMES.get(key, key): quantity for key, quantity in quantities.items()}
    try:
        expected = compute_leaf_values(set(usage), SimpleNamespace(**usage), _get_registry().units)
    except ValueError:
        assert excess_of(quantities) is not None
        return
    assert excess_of(quantities) is None
    assert {
        _LIBRARY_NAMES.get(key, key): sum(quantities[name] * factor for name, factor in factors.items())
        for key, factors in leaf_factors(frozenset(quantities)).items()
    } == expected
