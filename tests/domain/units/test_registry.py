"""The table of units has the facts of the unit registry of the price library."""

from __future__ import annotations

from genai_prices.units import _get_registry

from domain.units.registry import COMMON_UNITS, EXTRA_UNITS, REQUESTS, UNIT_ALIASES, UNITS, Unit, unit_of

_OWN_NAMES = {"cache_read_tokens": "cached_input_tokens", "output_reasoning_tokens": "reasoning_tokens"}


def test_the_table_equals_the_registry_of_the_library() -> None:
    of_library = {
        _OWN_NAMES.get(unit.usage_key, unit.usage_key): (unit.per, frozenset(unit.dimensions.items()))
        for unit in _get_registry().units.values()
    }
    assert {unit.key: (unit.per, unit.dimensions) for unit in UNITS.values()} == of_library


def test_every_unit_is_common_or_extra_or_the_request_itself() -> None:
    assert set(UNITS) == {*COMMON_UNITS, *EXTRA_UNITS, REQUESTS}
    assert set(UNIT_ALIASES.values()) <= set(COMMON_UNITS)


def test_cached_audio_is_a_part_of_cached_input_and_of_audio_input() -> None:
    cached_audio = unit_of("cache_audio_read_tokens")
    wholes = [key for key, unit in UNITS.items() if cached_audio.is_part_of(unit)]
    assert wholes == ["input_tokens", "cached_input_tokens", "input_audio_tokens", "cache_audio_read_tokens"]


def test_a_unit_of_an_operator_is_part_of_nothing_else() -> None:
    own = unit_of("gpu_seconds")
    assert own == Unit("gpu_seconds", 1, frozenset({("own", "gpu_seconds")}))
    assert not any(own.is_part_of(unit) or unit.is_part_of(own) for unit in UNITS.values())
