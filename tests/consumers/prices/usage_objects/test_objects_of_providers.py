"""Usage objects as providers document them are read into quantities by unit."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from consumers.prices.usage_objects.reading import read_usage
from domain.units.decomposition import excess_of

#: What is sent, and what is read of it.
_Case = tuple[str | None, dict[str, Any], dict[str, int | Decimal]]

OBJECTS: dict[str, _Case] = {
    "chat completions of OpenAI": (
        "openai",
        {
            "prompt_tokens": 2006,
            "completion_tokens": 300,
            "total_tokens": 2306,
            "prompt_tokens_details": {"cached_tokens": 1920, "audio_tokens": 12},
            "completion_tokens_details": {
                "reasoning_tokens": 128,
                "audio_tokens": 7,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        },
        {
            "input_tokens": 2006,
            "cached_input_tokens": 1920,
            "input_audio_tokens": 12,
            "output_tokens": 300,
            "reasoning_tokens": 128,
            "output_audio_tokens": 7,
        },
    ),
    "responses of OpenAI": (
        "openai",
        {
            "input_tokens": 36,
            "input_tokens_details": {"cached_tokens": 8},
            "output_tokens": 87,
            "output_tokens_details": {"reasoning_tokens": 64},
            "total_tokens": 123,
        },
        {"input_tokens": 36, "cached_input_tokens": 8, "output_tokens": 87, "reasoning_tokens": 64},
    ),
    "embeddings of OpenAI": ("openai", {"prompt_tokens": 8, "total_tokens": 8}, {"input_tokens": 8}),
    "images of OpenAI": (
        "openai",
        {
            "input_tokens": 50,
            "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
            "output_tokens": 1056,
            "total_tokens": 1106,
        },
        {"input_tokens": 50, "input_text_tokens": 10, "input_image_tokens": 40, "output_tokens": 1056},
    ),
    "a transcription of OpenAI, by tokens": (
        "openai",
        {
            "type": "tokens",
            "input_tokens": 14,
            "input_token_details": {"text_tokens": 0, "audio_tokens": 14},
            "output_tokens": 45,
            "total_tokens": 59,
        },
        {"input_tokens": 14, "input_text_tokens": 0, "input_audio_tokens": 14, "output_tokens": 45},
    ),
    "a transcription of OpenAI, by seconds": (
        "openai",
        {"type": "duration", "seconds": 8.5},
        {"audio_seconds": Decimal("8.5")},
    ),
    "messages of Anthropic, which write a cache for an hour": (
        "anthropic",
        {
            "input_tokens": 3,
            "cache_creation_input_tokens": 12304,
            "cache_read_input_tokens": 0,
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 12304},
            "output_tokens": 550,
            "server_tool_use": {"web_search_requests": 2},
            "service_tier": "standard",
        },
        {
            "input_tokens": 12307,
            "cached_input_tokens": 0,
            "cache_write_tokens": 12304,
            "cache_write_5m_tokens": 0,
            "cache_write_1h_tokens": 12304,
            "output_tokens": 550,
            "web_searches": 2,
        },
    ),
    "messages of Anthropic, which read and write a cache": (
        "anthropic",
        {
            "input_tokens": 5000,
            "cache_read_input_tokens": 4000,
            "cache_creation_input_tokens": 3000,
            "output_tokens": 90,
        },
        {"input_tokens": 12000, "cached_input_tokens": 4000, "cache_write_tokens": 3000, "output_tokens": 90},
    ),
    "messages of Anthropic with empty members": (
        "anthropic",
        {
            "input_tokens": 5,
            "cache_read_input_tokens": None,
            "cache_creation": None,
            "server_tool_use": None,
            "output_tokens": 9,
        },
        {"input_tokens": 5, "output_tokens": 9},
    ),
    "messages of Anthropic at Google, with a search that its extractor leaves out": (
        "vertex_ai",
        {
            "input_tokens": 5,
            "cache_read_input_tokens": 10,
            "output_tokens": 9,
            "server_tool_use": {"web_search_requests": 1},
        },
        {"input_tokens": 15, "cached_input_tokens": 10, "output_tokens": 9, "web_searches": 1},
    ),
    "Google": (
        "google",
        {
            "promptTokenCount": 300,
            "cachedContentTokenCount": 100,
            "candidatesTokenCount": 40,
            "thoughtsTokenCount": 60,
            "toolUsePromptTokenCount": 20,
            "totalTokenCount": 420,
            "promptTokensDetails": [
                {"modality": "TEXT", "tokenCount": 258},
                {"modality": "IMAGE", "tokenCount": 42},
            ],
            "cacheTokensDetails": [{"modality": "TEXT", "tokenCount": 100}],
            "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": 40}],
            "toolUsePromptTokensDetails": [{"modality": "TEXT", "tokenCount": 20}],
        },
        {
            "input_tokens": 320,
            "cached_input_tokens": 100,
            "cache_text_read_tokens": 100,
            "input_text_tokens": 278,
            "input_image_tokens": 42,
            "input_tool_tokens": 20,
            "input_text_tool_tokens": 20,
            "output_tokens": 100,
            "output_text_tokens": 40,
            "reasoning_tokens": 60,
        },
    ),
    "Google's Python library": (
        "google",
        {
            "prompt_token_count": 30,
            "candidates_token_count": 4,
            "thoughts_token_count": 6,
            "total_token_count": 40,
            "cached_content_token_count": None,
            "prompt_tokens_details": [{"modality": "AUDIO", "token_count": 25}],
        },
        {"input_tokens": 30, "input_audio_tokens": 25, "output_tokens": 10, "reasoning_tokens": 6},
    ),
    "a live session of Google": (
        "gemini",
        {
            "promptTokenCount": 30,
            "responseTokenCount": 4,
            "responseTokensDetails": [{"modality": "AUDIO", "tokenCount": 4}],
        },
        {"input_tokens": 30, "output_tokens": 4, "output_audio_tokens": 4},
    ),
    "Converse of Amazon Bedrock, whose input leaves out cached tokens": (
        "bedrock",
        {
            "inputTokens": 30,
            "outputTokens": 628,
            "totalTokens": 2658,
            "cacheReadInputTokens": 1000,
            "cacheWriteInputTokens": 1000,
            "cacheDetails": [{"ttl": "1h", "inputTokens": 900}, {"ttl": "5m", "inputTokens": 100}],
        },
        {
            "input_tokens": 2030,
            "cached_input_tokens": 1000,
            "cache_write_tokens": 1000,
            "cache_write_1h_tokens": 900,
            "cache_write_5m_tokens": 100,
            "output_tokens": 628,
        },
    ),
    "Cohere, by what it bills": (
        "cohere",
        {
            "billed_units": {"input_tokens": 5, "output_tokens": 418.0},
            "tokens": {"input_tokens": 71, "output_tokens": 418},
            "cached_tokens": 64,
        },
        {"input_tokens": 5, "output_tokens": 418},
    ),
    "embeddings of Cohere": ("cohere", {"billed_units": {"input_tokens": 12}}, {"input_tokens": 12}),
    "rerank of Cohere": ("cohere", {"billed_units": {"search_units": 1}}, {"rerank_searches": 1}),
    "Mistral": (
        "mistral",
        {"prompt_tokens": 16, "completion_tokens": 34, "total_tokens": 50, "prompt_audio_seconds": {}},
        {"input_tokens": 16, "output_tokens": 34},
    ),
    "audio at Mistral": (
        "mistral",
        {"prompt_tokens": 4, "completion_tokens": 635, "total_tokens": 639, "prompt_audio_seconds": 203},
        {"input_tokens": 4, "output_tokens": 635, "audio_seconds": 203, "input_audio_seconds": 203},
    ),
    "pages at Mistral": ("mistral", {"pages_processed": 29, "doc_size_bytes": 3002}, {"input_document_pages": 29}),
    "Groq": (
        "groq",
        {
            "queue_time": 0.037,
            "prompt_tokens": 18,
            "prompt_time": 0.0006,
            "completion_tokens": 556,
            "completion_time": 0.46,
            "total_tokens": 574,
            "total_time": 0.46,
            "prompt_tokens_details": {"cached_tokens": 16},
        },
        {"input_tokens": 18, "cached_input_tokens": 16, "output_tokens": 556},
    ),
    "xAI, whose reasoning is beside the completion": (
        "xai",
        {
            "prompt_tokens": 37,
            "completion_tokens": 30,
            "total_tokens": 300,
            "prompt_tokens_details": {"text_tokens": 37, "audio_tokens": 0, "image_tokens": 0, "cached_tokens": 8},
            "completion_tokens_details": {"reasoning_tokens": 233, "audio_tokens": 0},
            "num_sources_used": 0,
        },
        {
            "input_tokens": 37,
            "cached_input_tokens": 8,
            "output_tokens": 263,
            "reasoning_tokens": 233,
            "output_audio_tokens": 0,
        },
    ),
    "DeepSeek": (
        "deepseek",
        {
            "prompt_tokens": 100,
            "completion_tokens": 50,
            "total_tokens": 150,
            "prompt_cache_hit_tokens": 64,
            "prompt_cache_miss_tokens": 36,
            "completion_tokens_details": {"reasoning_tokens": 20},
        },
        {"input_tokens": 100, "cached_input_tokens": 64, "output_tokens": 50, "reasoning_tokens": 20},
    ),
    "Moonshot": (
        "moonshot",
        {"prompt_tokens": 19, "completion_tokens": 21, "total_tokens": 40, "cached_tokens": 10},
        {"input_tokens": 19, "cached_input_tokens": 10, "output_tokens": 21},
    ),
    "OpenRouter": (
        "openrouter",
        {
            "prompt_tokens": 194,
            "completion_tokens": 20,
            "total_tokens": 214,
            "cost": 0.95,
            "cost_details": {"upstream_inference_cost": 19},
            "prompt_tokens_details": {"cached_tokens": 40, "cache_write_tokens": 100, "video_tokens": 5},
            "completion_tokens_details": {"reasoning_tokens": 3, "image_tokens": 2},
            "server_tool_use": {"web_search_requests": 1},
        },
        {
            "input_tokens": 194,
            "cached_input_tokens": 40,
            "cache_write_tokens": 100,
            "input_video_tokens": 5,
            "output_tokens": 20,
            "reasoning_tokens": 3,
            "output_image_tokens": 2,
            "web_searches": 1,
        },
    ),
    "Azure": (
        "azure",
        {
            "prompt_tokens": 11,
            "completion_tokens": 4,
            "total_tokens": 15,
            "prompt_tokens_details": {"cached_tokens": 2},
        },
        {"input_tokens": 11, "cached_input_tokens": 2, "output_tokens": 4},
    ),
    "Perplexity": (
        "perplexity",
        {
            "prompt_tokens": 33,
            "completion_tokens": 7163,
            "total_tokens": 7196,
            "citation_tokens": 20016,
            "num_search_queries": 18,
            "reasoning_tokens": 73997,
            "search_context_size": "low",
        },
        {
            "input_tokens": 33,
            "output_tokens": 101176,
            "reasoning_tokens": 73997,
            "output_citation_tokens": 20016,
            "web_searches": 18,
        },
    ),
    "Voyage": ("voyage", {"total_tokens": 10}, {"input_tokens": 10}),
    "Voyage, with images": (
        "voyage",
        {"text_tokens": 5, "image_pixels": 2_000_000, "total_tokens": 3576},
        {"input_tokens": 5, "input_pixels": 2_000_000},
    ),
    "Together, which has no extractor": (
        "together_ai",
        {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12, "cached_tokens": 4},
        {"input_tokens": 9, "cached_input_tokens": 4, "output_tokens": 3},
    ),
    "LiteLLM, whose prompt includes what the cache was read and written": (
        "litellm",
        {
            "prompt_tokens": 12307,
            "completion_tokens": 550,
            "total_tokens": 12857,
            "prompt_tokens_details": {
                "cached_tokens": 0,
                "cache_creation_tokens": 12304,
                "cache_creation_token_details": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 12304},
            },
            "cache_creation_input_tokens": 12304,
            "cache_read_input_tokens": 0,
        },
        {
            "input_tokens": 12307,
            "cached_input_tokens": 0,
            "cache_write_tokens": 12304,
            "cache_write_1h_tokens": 12304,
            "output_tokens": 550,
        },
    ),
    "LangChain": (
        None,
        {
            "input_tokens": 350,
            "output_tokens": 240,
            "total_tokens": 590,
            "input_token_details": {"audio": 10, "cache_creation": 200, "cache_read": 100},
            "output_token_details": {"audio": 10, "reasoning": 200},
        },
        {
            "input_tokens": 350,
            "cached_input_tokens": 100,
            "cache_write_tokens": 200,
            "input_audio_tokens": 10,
            "output_tokens": 240,
            "reasoning_tokens": 200,
            "output_audio_tokens": 10,
        },
    ),
    "the AI SDK": (
        None,
        {
            "inputTokens": 350,
            "outputTokens": 240,
            "totalTokens": 590,
            "inputTokenDetails": {"noCacheTokens": 50, "cacheReadTokens": 100, "cacheWriteTokens": 200},
            "cachedInputTokens": 100,
            "reasoningTokens": 200,
        },
        {
            "input_tokens": 350,
            "cached_input_tokens": 100,
            "cache_write_tokens": 200,
            "output_tokens": 240,
            "reasoning_tokens": 200,
        },
    ),
    "units under their own names": (
        None,
        {"input_tokens": 350, "cache_read_tokens": 100, "cache_write_1h_tokens": 3, "output_tokens": 2, "requests": 4},
        {"input_tokens": 350, "cached_input_tokens": 100, "cache_write_1h_tokens": 3, "output_tokens": 2},
    ),
}


@pytest.mark.parametrize("case", OBJECTS.values(), ids=OBJECTS.keys())
def test_an_object_is_read_as_its_provider_documents_it(case: _Case) -> None:
    provider, usage, quantities = case
    assert read_usage(provider, None, usage) == quantities


@pytest.mark.parametrize("case", OBJECTS.values(), ids=OBJECTS.keys())
def test_what_is_read_fits_together(case: _Case) -> None:
    provider, usage, _ = case
    quantities = read_usage(provider, None, usage) or {}
    assert excess_of({unit: int(quantity * 10) for unit, quantity in quantities.items()}) is None


#: Without a provider, the names of these members say nothing of it, or something else.
_NEED_A_PROVIDER = {"Voyage", "Voyage, with images"}


@pytest.mark.parametrize("name", sorted(OBJECTS.keys() - _NEED_A_PROVIDER))
def test_an_object_is_recognized_by_its_form_where_no_provider_is_named(name: str) -> None:
    _, usage, quantities = OBJECTS[name]
    assert read_usage(None, None, usage) == quantities


@pytest.mark.parametrize("name", sorted(OBJECTS.keys() - _NEED_A_PROVIDER))
def test_an_object_is_recognized_by_its_form_where_the_provider_is_a_gateway(name: str) -> None:
    _, usage, quantities = OBJECTS[name]
    assert read_usage("our-gateway", "house-model", usage) == quantities
