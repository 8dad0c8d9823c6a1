"""The units of usage: what each measures, how many of it a price is for, and which unit is a part of which.

A unit is described by dimensions. A unit that has all dimensions of another one and more is a part of it: cached input
tokens are input tokens, and audio tokens of the input are input tokens too. The table has the facts of the unit
registry of genai-prices 0.2, under the names of usage events: `cached_input_tokens` is `cache_read_tokens` there, and
`reasoning_tokens` is `output_reasoning_tokens`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec


class Unit(msgspec.Struct, frozen=True):
    """A unit of usage. `per` is the quantity that a unit price is for: a million tokens, an hour in seconds.

    `dimensions` are pairs such as ("direction", "input").
    """

    key: str
    per: int
    dimensions: frozenset[tuple[str, str]]

    def is_part_of(self, whole: Unit) -> bool:
        """Whether every quantity of this unit is one of `whole`, which is the case for `whole` itself too."""
        return whole.dimensions <= self.dimensions


#: The units with a column of their own in usage blocks and sums, in the order of those columns.
COMMON_UNITS: Final = (
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
)
#: The unit of a price for each request, whatever it used. Nobody reports it.
REQUESTS: Final = "requests"
#: Names that other systems give to common units; each is read if the unit is not given under its own name.
UNIT_ALIASES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "prompt_tokens": "input_tokens",
        "completion_tokens": "output_tokens",
        "cache_read_tokens": "cached_input_tokens",
        "output_reasoning_tokens": "reasoning_tokens",
    }
)


#: The values of each dimension; no value is in two of them.
_DIMENSIONS: Final = {
    "family": "tokens characters messages durations pixels document_pages rerank tool_calls requests",
    "direction": "input output",
    "modality": "text audio image video",
    "token_type": "cache_read cache_write tool reasoning citation",
    "cache_ttl": "5m 1h",
    "page_type": "annotated",
    "tool_type": "web_search social_search storage_search code_execution",
}
_DIMENSION_OF: Final = {value: name for name, values in _DIMENSIONS.items() for value in values.split()}


def _unit(key: str, per: int, values: str) -> Unit:
    return Unit(key, per, frozenset((_DIMENSION_OF[value], value) for value in values.split()))


_TABLE: Final = (
    _unit("input_tokens", 1_000_000, "tokens input"),
    _unit("output_tokens", 1_000_000, "tokens output"),
    _unit("cached_input_tokens", 1_000_000, "tokens input cache_read"),
    _unit("cache_write_tokens", 1_000_000, "tokens input cache_write"),
    _unit("cache_write_5m_tokens", 1_000_000, "tokens input cache_write 5m"),
    _unit("cache_write_1h_tokens", 1_000_000, "tokens input cache_write 1h"),
    _unit("input_text_tokens", 1_000_000, "tokens input text"),
    _unit("output_text_tokens", 1_000_000, "tokens output text"),
    _unit("cache_text_read_tokens", 1_000_000, "tokens input text cache_read"),
    _unit("cache_text_write_tokens", 1_000_000, "tokens input text cache_write"),
    _unit("cache_text_write_5m_tokens", 1_000_000, "tokens input text cache_write 5m"),
    _unit("cache_text_write_1h_tokens", 1_000_000, "tokens input text cache_write 1h"),
    _unit("input_audio_tokens", 1_000_000, "tokens input audio"),
    _unit("output_audio_tokens", 1_000_000, "tokens output audio"),
    _unit("cache_audio_read_tokens", 1_000_000, "tokens input audio cache_read"),
    _unit("cache_audio_write_tokens", 1_000_000, "tokens input audio cache_write"),
    _unit("cache_audio_write_5m_tokens", 1_000_000, "tokens input audio cache_write 5m"),
    _unit("cache_audio_write_1h_tokens", 1_000_000, "tokens input audio cache_write 1h"),
    _unit("input_image_tokens", 1_000_000, "tokens input image"),
    _unit("output_image_tokens", 1_000_000, "tokens output image"),
    _unit("cache_image_read_tokens", 1_000_000, "tokens input image cache_read"),
    _unit("cache_image_write_tokens", 1_000_000, "tokens input image cache_write"),
    _unit("cache_image_write_5m_tokens", 1_000_000, "tokens input image cache_write 5m"),
    _unit("cache_image_write_1h_tokens", 1_000_000, "tokens input image cache_write 1h"),
    _unit("input_video_tokens", 1_000_000, "tokens input video"),
    _unit("output_video_tokens", 1_000_000, "tokens output video"),
    _unit("cache_video_read_tokens", 1_000_000, "tokens input video cache_read"),
    _unit("cache_video_write_tokens", 1_000_000, "tokens input video cache_write"),
    _unit("cache_video_write_5m_tokens", 1_000_000, "tokens input video cache_write 5m"),
    _unit("cache_video_write_1h_tokens", 1_000_000, "tokens input video cache_write 1h"),
    _unit("input_tool_tokens", 1_000_000, "tokens input tool"),
    _unit("input_text_tool_tokens", 1_000_000, "tokens input text tool"),
    _unit("input_audio_tool_tokens", 1_000_000, "tokens input audio tool"),
    _unit("input_image_tool_tokens", 1_000_000, "tokens input image tool"),
    _unit("input_video_tool_tokens", 1_000_000, "tokens input video tool"),
    _unit("reasoning_tokens", 1_000_000, "tokens output reasoning"),
    _unit("output_text_reasoning_tokens", 1_000_000, "tokens output text reasoning"),
    _unit("output_audio_reasoning_tokens", 1_000_000, "tokens output audio reasoning"),
    _unit("output_image_reasoning_tokens", 1_000_000, "tokens output image reasoning"),
    _unit("output_video_reasoning_tokens", 1_000_000, "tokens output video reasoning"),
    _unit("output_citation_tokens", 1_000_000, "tokens output citation"),
    _unit("output_text_citation_tokens", 1_000_000, "tokens output text citation"),
    _unit("output_audio_citation_tokens", 1_000_000, "tokens output audio citation"),
    _unit("output_image_citation_tokens", 1_000_000, "tokens output image citation"),
    _unit("output_video_citation_tokens", 1_000_000, "tokens output video citation"),
    _unit("input_characters", 1_000_000, "characters input"),
    _unit("input_text_messages", 1_000, "messages input text"),
    _unit("audio_seconds", 3_600, "durations audio"),
    _unit("input_audio_seconds", 3_600, "durations input audio"),
    _unit("output_audio_seconds", 3_600, "durations output audio"),
    _unit("input_pixels", 1_000_000_000, "pixels input"),
    _unit("input_document_pages", 1_000, "document_pages input"),
    _unit("input_annotated_document_pages", 1_000, "document_pages input annotated"),
    _unit("rerank_searches", 1_000, "rerank"),
    _unit("web_searches", 1_000, "tool_calls web_search"),
    _unit("social_searches", 1_000, "tool_calls social_search"),
    _unit("storage_searches", 1_000, "tool_calls storage_search"),
    _unit("code_executions", 1_000, "tool_calls code_execution"),
    _unit("requests", 1_000, "requests"),
)
UNITS: Final[Mapping[str, Unit]] = MappingProxyType({unit.key: unit for unit in _TABLE})
#: Units that stand in `data` under their own names and have no column of their own.
EXTRA_UNITS: Final = frozenset(UNITS).difference(COMMON_UNITS, {REQUESTS})


def unit_of(key: str) -> Unit:
    """Return the unit `key`; one that is not in the table, such as an operator's own, is part of nothing else."""
    known = UNITS.get(key)
    return Unit(key, 1, frozenset({("own", key)})) if known is None else known
