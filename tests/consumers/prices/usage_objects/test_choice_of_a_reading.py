"""Which extractor reads an object where several could."""

from __future__ import annotations

from typing import Any

import pytest
from genai_prices.data import providers
from genai_prices.types import ArrayMatch, ClauseEquals, UsageExtractor, UsageExtractorMapping

from consumers.prices.usage_objects.reading import read_usage
from domain.units.decomposition import excess_of
from domain.units.registry import UNIT_ALIASES, unit_of

#: What is paid for annotated pages is in the request, not in the usage object.
_TOLD_BY_THE_REQUEST = {("mistral", "ocr_annotated")}
EXTRACTORS = {
    f"{provider.id} {extractor.api_flavor}": (provider.id, extractor)
    for provider in providers
    for extractor in provider.extractors or ()
    if (provider.id, extractor.api_flavor) not in _TOLD_BY_THE_REQUEST
}


def root_of(extractor: UsageExtractor) -> list[str]:
    return [extractor.root] if isinstance(extractor.root, str) else [str(step) for step in extractor.root]


def placed(target: Any, path: list[str | ArrayMatch], value: int) -> None:
    """Put a number at a path of an answer, whose lists have an item for each text that is matched."""
    step, *rest = path
    if isinstance(step, ArrayMatch):
        assert isinstance(step.match, ClauseEquals)
        found = [item for item in target if item[step.field] == step.match.equals]
        if not found:
            found = [{step.field: step.match.equals}]
            target += found
        placed(found[0], rest, value)
    elif rest:
        placed(target.setdefault(step, [] if isinstance(rest[0], ArrayMatch) else {}), rest, value)
    else:
        target[step] = value


def number_for(path: list[str | ArrayMatch], mappings: list[UsageExtractorMapping]) -> int:
    """A number that is ten times smaller for each dimension of the units that it tells, so that parts fit."""
    units = [unit_of(UNIT_ALIASES.get(mapping.dest, mapping.dest)) for mapping in mappings if steps(mapping) == path]
    return int(10 ** (9 - max(len(unit.dimensions) for unit in units)))


def steps(mapping: UsageExtractorMapping) -> list[str | ArrayMatch]:
    return [mapping.path] if isinstance(mapping.path, str) else list(mapping.path)


def whole_answer(extractor: UsageExtractor) -> dict[str, Any]:
    """An answer with every member that an extractor reads."""
    answer: dict[str, Any] = {}
    for mapping in extractor.mappings:
        path = steps(mapping)
        placed(answer, [*root_of(extractor), *path], number_for(path, extractor.mappings))
    return answer


@pytest.mark.parametrize(("provider", "extractor"), EXTRACTORS.values(), ids=EXTRACTORS.keys())
def test_every_extractor_of_the_library_is_chosen_for_its_own_object(provider: str, extractor: UsageExtractor) -> None:
    answer = whole_answer(extractor)
    _, expected = extractor.extract(answer)
    outer = root_of(extractor)[: 2 if root_of(extractor)[0] in ("response", "result") else 1]
    usage = answer
    for member in outer:
        usage = usage[member]
    read = read_usage(provider, None, usage)
    assert read == {UNIT_ALIASES.get(name, name): quantity for name, quantity in vars(expected).items()}
    assert excess_of({unit: int(quantity) for unit, quantity in read.items()}) is None


def test_a_prompt_includes_cached_tokens_whatever_else_is_sent() -> None:
    usage = {"prompt_tokens": 100, "completion_tokens": 1, "cache_read_input_tokens": 60, "input_tokens": 40}
    read = {"input_tokens": 100, "cached_input_tokens": 60, "output_tokens": 1}
    assert read_usage("anthropic", "claude-sonnet-4-5", usage) == read
    assert read_usage("anthropic", "claude-sonnet-4-5", usage | {"output_tokens": 1}) == read
    assert read_usage(None, "claude-sonnet-4-5", usage) == read


def test_an_object_of_anthropic_is_read_as_such_whoever_answers_with_it() -> None:
    usage = {"input_tokens": 40, "cache_read_input_tokens": 60, "output_tokens": 1}
    for provider in ("openrouter", "deepseek", "azure", "our-gateway", None):
        assert read_usage(provider, None, usage) == {
            "input_tokens": 100,
            "cached_input_tokens": 60,
            "output_tokens": 1,
        }


_REASONING = {
    "prompt_tokens": 20,
    "completion_tokens": 12,
    "completion_tokens_details": {"reasoning_tokens": 10},
}
_BESIDE = {"input_tokens": 20, "output_tokens": 22, "reasoning_tokens": 10}
_WITHIN = {"input_tokens": 20, "output_tokens": 12, "reasoning_tokens": 10}


@pytest.mark.parametrize("provider", ["xai", "azure", "openai", "litellm", None])
def test_the_total_tells_whether_reasoning_is_beside_the_completion(provider: str | None) -> None:
    assert read_usage(provider, None, _REASONING | {"total_tokens": 42}) == _BESIDE
    assert read_usage(provider, None, _REASONING | {"total_tokens": 32}) == _WITHIN


def test_without_a_total_the_provider_tells_or_else_the_model() -> None:
    assert read_usage("xai", None, _REASONING) == _BESIDE
    assert read_usage("openai", None, _REASONING) == _WITHIN
    assert read_usage(None, "grok-4", _REASONING) == _BESIDE
    assert read_usage(None, "gpt-5", _REASONING) == _WITHIN
    assert read_usage("openai", "grok-4", _REASONING) == _WITHIN


def test_reasoning_above_the_completion_is_beside_it() -> None:
    usage = _REASONING | {"completion_tokens_details": {"reasoning_tokens": 300}}
    assert read_usage("azure", "grok-4", usage) == {
        "input_tokens": 20,
        "output_tokens": 312,
        "reasoning_tokens": 300,
    }


def test_a_total_that_no_reading_reaches_changes_nothing() -> None:
    assert read_usage("azure", None, _REASONING | {"total_tokens": 99}) == _WITHIN
    assert read_usage("xai", None, _REASONING | {"total_tokens": 99}) == _BESIDE


def test_parts_above_their_whole_are_kept_for_a_rejection_that_names_them() -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 11}}
    read = {"input_tokens": 10, "cached_input_tokens": 11, "output_tokens": 1}
    assert read_usage("openai", None, usage) == read


def test_all_cached_tokens_are_of_the_one_modality_of_the_input() -> None:
    usage = {
        "promptTokenCount": 300,
        "cachedContentTokenCount": 100,
        "candidatesTokenCount": 5,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 300}],
    }
    read = {"input_tokens": 300, "cached_input_tokens": 100, "input_text_tokens": 300, "output_tokens": 5}
    assert read_usage("google", None, usage) == read | {"cache_text_read_tokens": 100}
    usage["promptTokensDetails"] = [{"modality": "TEXT", "tokenCount": 210}, {"modality": "AUDIO", "tokenCount": 90}]
    read |= {"input_text_tokens": 210, "input_audio_tokens": 90}
    assert read_usage("google", None, usage) == read  # nobody knows how many of each are cached


def test_a_detail_that_does_not_fit_is_left_out_and_the_others_are_read() -> None:
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 1,
        "cache_read_input_tokens": 400,
        "completion_tokens_details": {"image_tokens": 1},
    }
    read = {"input_tokens": 10, "output_tokens": 1, "output_image_tokens": 1}
    assert read_usage("our-gateway", None, usage) == read


def test_a_whole_answer_is_read_as_its_usage_object() -> None:
    usage = {"promptTokenCount": 3, "candidatesTokenCount": 2}
    answer = {"modelVersion": "gemini-2.5-pro", "candidates": [], "usageMetadata": usage}
    assert read_usage("google", None, answer) == {"input_tokens": 3, "output_tokens": 2}


@pytest.mark.parametrize(
    "usage",
    [
        {},
        {"cost": 0.2},
        {"total_tokens": 12},
        {"output_tokens": 12},
        {"tokens": 12},
        {"prompt_tokens": "12", "completion_tokens": 3},
    ],
)
def test_an_object_that_tells_no_input_is_read_as_nothing(usage: dict[str, Any]) -> None:
    assert read_usage(None, None, usage) is None
    assert read_usage("openai", "gpt-5", usage) is None
