"""Parts of a usage object that providers and gateways document and the extractors of the price library leave out.

A part is added only if it was not read already, and if the parts still fit into their wholes: so it never contradicts
what an extractor read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Final

from consumers.prices.usage_objects.extractors import Quantities
from consumers.prices.usage_objects.received_numbers import Number, Numbers, Path, is_quantity, whole_as_int
from domain.units.decomposition import excess_of
from domain.units.registry import COMMON_UNITS, REQUESTS, UNIT_ALIASES, UNITS

_Detail = tuple[str, Path]

#: Parts by the member that tells the input, as unit and path; the first path of a unit that has a number counts.
_DETAILS: Final[Mapping[str, tuple[_Detail, ...]]] = {
    "prompt_tokens": (
        ("cached_input_tokens", ("prompt_tokens_details", "cached_tokens")),
        ("cached_input_tokens", ("cache_read_input_tokens",)),  # LiteLLM, Databricks
        ("cached_input_tokens", ("prompt_cache_hit_tokens",)),  # DeepSeek
        ("cached_input_tokens", ("cached_tokens",)),  # Moonshot
        ("cache_write_tokens", ("prompt_tokens_details", "cache_write_tokens")),  # OpenRouter
        ("cache_write_tokens", ("cache_creation_input_tokens",)),  # LiteLLM
        ("cache_write_tokens", ("prompt_tokens_details", "cache_creation_tokens")),  # LiteLLM
        ("cache_write_5m_tokens", ("cache_creation", "ephemeral_5m_input_tokens")),
        ("cache_write_1h_tokens", ("cache_creation", "ephemeral_1h_input_tokens")),
        (
            "cache_write_5m_tokens",
            ("prompt_tokens_details", "cache_creation_token_details", "ephemeral_5m_input_tokens"),
        ),
        (
            "cache_write_1h_tokens",
            ("prompt_tokens_details", "cache_creation_token_details", "ephemeral_1h_input_tokens"),
        ),
        ("input_audio_tokens", ("prompt_tokens_details", "audio_tokens")),
        ("input_image_tokens", ("prompt_tokens_details", "image_tokens")),
        ("input_video_tokens", ("prompt_tokens_details", "video_tokens")),
        ("reasoning_tokens", ("completion_tokens_details", "reasoning_tokens")),
        ("output_audio_tokens", ("completion_tokens_details", "audio_tokens")),
        ("output_image_tokens", ("completion_tokens_details", "image_tokens")),
        ("web_searches", ("server_tool_use", "web_search_requests")),  # OpenRouter, LiteLLM
        ("audio_seconds", ("prompt_audio_seconds",)),  # Mistral
        ("input_audio_seconds", ("prompt_audio_seconds",)),
    ),
    "input_tokens": (
        ("cached_input_tokens", ("input_tokens_details", "cached_tokens")),
        ("cached_input_tokens", ("input_token_details", "cache_read")),  # LangChain
        ("cache_write_tokens", ("input_tokens_details", "cache_write_tokens")),
        ("cache_write_tokens", ("input_token_details", "cache_creation")),
        ("cache_write_5m_tokens", ("cache_creation", "ephemeral_5m_input_tokens")),
        ("cache_write_1h_tokens", ("cache_creation", "ephemeral_1h_input_tokens")),
        ("input_audio_tokens", ("input_tokens_details", "audio_tokens")),
        ("input_audio_tokens", ("input_token_details", "audio")),
        ("input_image_tokens", ("input_tokens_details", "image_tokens")),
        ("reasoning_tokens", ("output_tokens_details", "reasoning_tokens")),
        ("reasoning_tokens", ("output_tokens_details", "thinking_tokens")),  # Anthropic, at other clouds
        ("reasoning_tokens", ("output_token_details", "reasoning")),
        ("output_audio_tokens", ("output_tokens_details", "audio_tokens")),
        ("output_audio_tokens", ("output_token_details", "audio")),
        ("output_image_tokens", ("output_tokens_details", "image_tokens")),
        ("web_searches", ("server_tool_use", "web_search_requests")),
    ),
    "inputTokens": (  # the AI SDK, whose input includes cached tokens
        ("cached_input_tokens", ("inputTokenDetails", "cacheReadTokens")),
        ("cached_input_tokens", ("cachedInputTokens",)),
        ("cache_write_tokens", ("inputTokenDetails", "cacheWriteTokens")),
        ("reasoning_tokens", ("outputTokenDetails", "reasoningTokens")),
        ("reasoning_tokens", ("reasoningTokens",)),
    ),
}
#: By unit of a modality: its part of each unit of cached tokens.
_CACHED_BY_MODALITY: Final[Mapping[str, Mapping[str, str]]] = {
    f"input_{modality}_tokens": {
        "cached_input_tokens": f"cache_{modality}_read_tokens",
        "cache_write_tokens": f"cache_{modality}_write_tokens",
    }
    for modality in ("text", "audio", "image", "video")
}
#: A unit may also stand in the object under its own name, or else under another name of it.
_NAMES: Final[Mapping[Path, str]] = {
    **{(unit,): unit for unit in UNITS if unit != REQUESTS},
    **{(name,): unit for name, unit in UNIT_ALIASES.items()},
}


def with_details(quantities: Quantities, input_member: str | None, numbers: Numbers) -> Quantities:
    """Return the quantities, and those parts of them that the object names further."""
    further: Quantities = {}
    for unit, number in _further(input_member, numbers):
        # Of rare units a 0 is left out: most objects name some, and none of them would say more.
        if unit not in quantities and (number or unit in COMMON_UNITS):
            further.setdefault(unit, whole_as_int(number))
    if not further or fits_together(quantities | further):
        return quantities | further
    for unit, number in further.items():
        if fits_together(quantities | {unit: number}):
            quantities = quantities | {unit: number}
    return quantities


def _further(input_member: str | None, numbers: Numbers) -> Iterator[tuple[str, Number]]:
    for unit, path in _DETAILS.get(input_member or "", ()):
        number = numbers.get(path)
        if number is not None and is_quantity(number):
            yield unit, number
    for path in sorted(numbers.keys() & _NAMES.keys(), key=lambda path: (path[0] not in UNITS, path)):
        if is_quantity(numbers[path]):
            yield _NAMES[path], numbers[path]


def with_implied_parts(quantities: Quantities) -> Quantities:
    """Return the quantities, and the cached tokens of a modality that is the whole input, which are all cached ones.

    Without them, cached tokens and those of the modality would seem to be separate, and exceed the input.
    """
    whole_input = quantities.get("input_tokens")
    modality = next((unit for unit in _CACHED_BY_MODALITY if quantities.get(unit, -1) == whole_input), None)
    if modality is None:
        return quantities
    cached = _CACHED_BY_MODALITY[modality]
    return {part: quantities[whole] for whole, part in cached.items() if whole in quantities} | quantities


def fits_together(quantities: Quantities) -> bool:
    """Whether no parts exceed their whole."""
    return excess_of(_in_one_scale(quantities)) is None


def _in_one_scale(quantities: Quantities) -> Mapping[str, int]:
    """Quantities in the smallest decimal that one of them has."""
    if all(isinstance(quantity, int) for quantity in quantities.values()):
        return {unit: int(quantity) for unit, quantity in quantities.items()}
    places = max(-int(Decimal(quantity).as_tuple().exponent) for quantity in quantities.values())
    return {unit: _scaled(quantity, places) for unit, quantity in quantities.items()}


def _scaled(quantity: Number, places: int) -> int:
    sign, digits, exponent = Decimal(quantity).as_tuple()
    whole = int("".join(map(str, digits))) * int(10 ** (places + int(exponent)))
    return -whole if sign else whole
