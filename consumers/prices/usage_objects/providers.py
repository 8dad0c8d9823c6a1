"""The extractors of each provider: those of genai-prices, and some in our own words."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from genai_prices.data import providers as _providers
from genai_prices.data_snapshot import find_provider_by_id
from genai_prices.types import Provider

from consumers.prices.usage_objects.extractors import Extractor, compiled, own_extractor
from domain.values.identifiers import MODEL_LENGTH_MAX

#: Names whose extractors are kept; another one costs some microseconds.
_KEPT_NAMES: Final = 1_000

#: The searches of a rerank request, which Cohere answers without any tokens.
RERANK: Final = own_extractor("usage", {"rerank_searches": ("billed_units", "search_units")})
#: Extractors for objects that providers document and the library does not read, tried after the library's own.
_FURTHER: Final[Mapping[str, tuple[Extractor, ...]]] = {
    "cohere": (RERANK,),
    "voyageai": (
        own_extractor("usage", {"input_tokens": ("text_tokens",), "input_pixels": ("image_pixels",)}),
        own_extractor("usage", {"input_tokens": ("total_tokens",)}),
    ),
}


def extractors_of(provider: str) -> tuple[Extractor, ...] | None:
    """Return the extractors of a provider in the order of the library; None if it knows no such provider."""
    return _of_provider(provider) if 0 < len(provider) <= MODEL_LENGTH_MAX else None


def extractors_of_model(model: str) -> tuple[Extractor, ...]:
    """Return the extractors of the provider that a model name means by itself, as it does for prices."""
    return _of_model(model.lower()) if len(model) <= MODEL_LENGTH_MAX else ()


@lru_cache(_KEPT_NAMES)
def _of_provider(provider: str) -> tuple[Extractor, ...] | None:
    found = find_provider_by_id(_providers, provider)
    return None if found is None else _all_of(found)


@lru_cache(_KEPT_NAMES)
def _of_model(model: str) -> tuple[Extractor, ...]:
    matching = (found for found in _providers if found.model_match is not None and found.model_match.is_match(model))
    found = next(matching, None)
    return () if found is None else _all_of(found)


def _all_of(provider: Provider) -> tuple[Extractor, ...]:
    of_library = (compiled(extractor, provider.id) for extractor in provider.extractors or ())
    return (*of_library, *_FURTHER.get(provider.id, ()))


def library_extractor(provider_id: str, flavor: str) -> Extractor:
    """Return an extractor of the library, which must have it."""
    provider = next(provider for provider in _providers if provider.id == provider_id)
    return next(compiled(found, provider_id) for found in provider.extractors or () if found.api_flavor == flavor)
