"""The usage that a payload of LiteLLM tells, as members of an event's data.

LiteLLM keeps the usage object of the response. Its details become members under the names of the engine's units. A
detail that is larger than the count that it is a part of is left out: LiteLLM passes on what providers count in
different ways.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from api.http.logs.log_numbers import at_most, object_in, whole_number

_MODALITIES: Final = ("audio", "image", "video")
#: A tier that leaves the choice to the provider, so that it names none.
_TIER_OPEN: Final = "auto"
#: The tier that applies where none is named.
_TIER_USUAL: Final = "default"


@dataclass(frozen=True)
class ToldUsage:
    """The tokens of input and output as they are told, and the usage object; an empty one where none is told."""

    input_tokens: Any
    output_tokens: Any
    details: Mapping[str, Any]

    @property
    def is_positive(self) -> bool:
        """Whether tokens are told."""
        return self.input_tokens not in (None, 0) or self.output_tokens not in (None, 0)

    @property
    def is_zero(self) -> bool:
        """Whether a usage of nothing is told, rather than no usage: LiteLLM writes 0 for both."""
        counts = (self.input_tokens, self.output_tokens)
        return bool(self.details) and counts == (0, 0) and not dict(_extra_units(self, 0, 0, 0))


def told_usage(payload: Mapping[str, Any]) -> ToldUsage:
    """Read the usage of a payload."""
    places = (object_in(payload, "metadata").get("usage_object"), payload.get("usage"))
    found = (*places, object_in(payload, "hidden_params").get("usage_object"))
    details = next((place for place in found if isinstance(place, Mapping) and place), {})
    return ToldUsage(
        whole_number(payload.get("prompt_tokens")), whole_number(payload.get("completion_tokens")), details
    )


def usage_members(told: ToldUsage) -> Iterator[tuple[str, Any]]:
    """Members of an event's data for the usage, with None for what is not told."""
    given, made = told.input_tokens, told.output_tokens
    of_input, of_output = _parts(told)
    cached = at_most(whole_number(of_input.get("cached_tokens") or told.details.get("cache_read_input_tokens")), given)
    written = whole_number(
        of_input.get("cache_creation_tokens")
        or told.details.get("cache_creation_input_tokens")
        or of_input.get("cache_write_tokens")
    )
    reasoning = at_most(whole_number(of_output.get("reasoning_tokens")), made)
    yield "input_tokens", given
    yield "output_tokens", made
    yield "cached_input_tokens", cached
    yield "cache_write_tokens", written
    yield "reasoning_tokens", reasoning
    yield from _extra_units(told, _count(cached), _count(written), _count(reasoning))


def service_tier(payload: Mapping[str, Any], told: ToldUsage) -> str | None:
    """The tier that a request was served on, else the one that it asked for; None where no tier is named.

    Providers name the usual tier with every response; that is left out unless the request asked for a tier.
    """
    asked = _tier(object_in(payload, "model_parameters"))
    places = (object_in(payload, "response"), object_in(payload, "cost_breakdown"))
    served = next(filter(None, map(_tier, places)), None)
    if served == _TIER_USUAL and asked is None:
        served = None
    return _tier(told.details) or served or asked


def _tier(place: Mapping[str, Any]) -> str | None:
    tier = place.get("service_tier")
    return tier if isinstance(tier, str) and tier not in ("", _TIER_OPEN) else None


def _extra_units(told: ToldUsage, cached: int, written: int, reasoning: int) -> Iterator[tuple[str, int]]:
    """The units beyond the common ones."""
    of_input, of_output = _parts(told)
    yield from _cache_writes(told.details, of_input)
    yield from _modalities_of_input(told, of_input, cached, written)
    output = {name: _count(of_output.get(f"{name}_tokens")) for name in _MODALITIES}
    if sum(output.values()) + reasoning <= _count(told.output_tokens):
        yield from ((f"output_{name}_tokens", count) for name, count in output.items() if count)
    searches = _count(of_input.get("web_search_requests")) or _count(
        object_in(told.details, "server_tool_use").get("web_search_requests")
    )
    if searches:
        yield "web_searches", searches


def _cache_writes(usage: Mapping[str, Any], of_input: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Tokens written to the cache, by how long they are kept."""
    written = _count(of_input.get("cache_creation_tokens")) or _count(usage.get("cache_creation_input_tokens"))
    written = written or _count(of_input.get("cache_write_tokens"))
    places = (
        object_in(of_input, "cache_creation_token_details"),
        object_in(usage, "cache_creation_token_details"),
        object_in(usage, "cache_creation"),
    )
    kept = next(filter(None, places), {})
    parts = {kind: _count(kept.get(f"ephemeral_{kind}_input_tokens")) for kind in ("5m", "1h")}
    if sum(parts.values()) <= written:
        yield from ((f"cache_write_{kind}_tokens", count) for kind, count in parts.items() if count)


def _modalities_of_input(
    told: ToldUsage, of_input: Mapping[str, Any], cached: int, written: int
) -> Iterator[tuple[str, int]]:
    """Tokens of audio, images and video, and how many of them came from the cache."""
    given = {name: _count(of_input.get(f"{name}_tokens")) for name in _MODALITIES}
    if not any(given.values()):
        return
    of_cache = object_in(of_input, "cached_tokens_details")
    read = {name: _count(of_cache.get(f"{name}_tokens")) for name in _MODALITIES}
    if any(read[name] > given[name] for name in _MODALITIES) or sum(read.values()) > cached:
        read = dict.fromkeys(_MODALITIES, 0)
    if sum(given.values()) - sum(read.values()) + cached + written <= _count(told.input_tokens):
        yield from ((f"input_{name}_tokens", count) for name, count in given.items() if count)
        yield from ((f"cache_{name}_read_tokens", count) for name, count in read.items() if count)


def _parts(told: ToldUsage) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    return object_in(told.details, "prompt_tokens_details"), object_in(told.details, "completion_tokens_details")


def _count(value: Any) -> int:
    """A whole number above zero; 0 for anything else."""
    number = whole_number(value)
    return number if isinstance(number, int) and not isinstance(number, bool) and number > 0 else 0
