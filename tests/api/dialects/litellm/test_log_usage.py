"""POST /litellm/logs: details of the usage become members of the event, under the names of the engine's units."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from genai_prices.units import _get_registry

from api.dialects.litellm.log_payloads import usage_event
from tests.api.dialects.litellm.test_logs import logged, payload
from tests.engine_fixtures import Api, JsonObject

COMMON = (
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
)
EXTRA = (
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "input_audio_tokens",
    "input_image_tokens",
    "input_video_tokens",
    "cache_audio_read_tokens",
    "cache_image_read_tokens",
    "cache_video_read_tokens",
    "output_audio_tokens",
    "output_image_tokens",
    "output_video_tokens",
    "web_searches",
)


def told(given: Any, made: Any, usage: JsonObject, **members: Any) -> JsonObject:
    """The units of the event, without those that are zero or absent."""
    sent = payload("u", prompt_tokens=given, completion_tokens=made, metadata={"usage_object": usage}, **members)
    data = usage_event(sent)["data"]
    return {name: data[name] for name in (*COMMON, *EXTRA) if data.get(name)}


def test_every_name_is_a_unit_of_the_price_library() -> None:
    assert set(EXTRA) - set(_get_registry().units) == set()


def test_cache_writes_are_told_by_how_long_they_are_kept() -> None:
    """As LiteLLM tells the usage of Claude: in the details, and at the top as the provider named it."""
    usage = {
        "prompt_tokens_details": {
            "cached_tokens": 15,
            "text_tokens": 50,
            "audio_tokens": None,
            "cache_write_tokens": 30,
            "cache_creation_tokens": 30,
            "cache_creation_token_details": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
        },
        "completion_tokens_details": {"reasoning_tokens": 0, "text_tokens": 20},
        "cache_creation_input_tokens": 30,
        "cache_read_input_tokens": 15,
        "server_tool_use": {"web_search_requests": 2, "tool_search_requests": None},
    }
    assert told(95, 20, usage) == {
        "input_tokens": 95,
        "cached_input_tokens": 15,
        "cache_write_tokens": 30,
        "output_tokens": 20,
        "cache_write_5m_tokens": 10,
        "cache_write_1h_tokens": 20,
        "web_searches": 2,
    }


def test_audio_and_images_are_told_with_their_part_from_the_cache() -> None:
    usage = {
        "prompt_tokens_details": {
            "cached_tokens": 60,
            "audio_tokens": 120,
            "image_tokens": 7,
            "cached_tokens_details": {"text_tokens": 10, "audio_tokens": 50, "image_tokens": None},
        },
        "completion_tokens_details": {"audio_tokens": 40, "reasoning_tokens": 8, "text_tokens": 12},
    }
    assert told(200, 60, usage) == {
        "input_tokens": 200,
        "cached_input_tokens": 60,
        "output_tokens": 60,
        "reasoning_tokens": 8,
        "input_audio_tokens": 120,
        "input_image_tokens": 7,
        "cache_audio_read_tokens": 50,
        "output_audio_tokens": 40,
    }


#: Details of 100 input and 50 output tokens, and the extra units that they make.
DETAILS: list[tuple[str, JsonObject, JsonObject]] = [
    ("none", {}, {}),
    ("zeros", {"prompt_tokens_details": {"audio_tokens": 0}, "completion_tokens_details": {"image_tokens": 0}}, {}),
    ("no whole numbers", {"prompt_tokens_details": {"audio_tokens": 1.5, "image_tokens": "3"}}, {}),
    ("below zero", {"prompt_tokens_details": {"audio_tokens": -1, "web_search_requests": -1}}, {}),
    ("true", {"prompt_tokens_details": {"audio_tokens": True}}, {}),
    (
        "a whole number with a point",
        {"prompt_tokens_details": {"video_tokens": Decimal("3.0")}},
        {"input_video_tokens": 3},
    ),
    ("more audio than input", {"prompt_tokens_details": {"audio_tokens": 101}}, {}),
    (
        "audio and images, together more than input",
        {"prompt_tokens_details": {"audio_tokens": 60, "image_tokens": 60}},
        {},
    ),
    (
        "audio beside too many cached tokens",
        {"prompt_tokens_details": {"audio_tokens": 80, "cached_tokens": 50}},
        {"cached_input_tokens": 50},
    ),
    (
        "more audio from the cache than audio",
        {
            "prompt_tokens_details": {
                "audio_tokens": 10,
                "cached_tokens": 40,
                "cached_tokens_details": {"audio_tokens": 20},
            }
        },
        {"cached_input_tokens": 40, "input_audio_tokens": 10},
    ),
    (
        "more audio from the cache than the cache gave",
        {
            "prompt_tokens_details": {
                "audio_tokens": 10,
                "cached_tokens": 5,
                "cached_tokens_details": {"audio_tokens": 9},
            }
        },
        {"cached_input_tokens": 5, "input_audio_tokens": 10},
    ),
    ("more audio than output", {"completion_tokens_details": {"audio_tokens": 51}}, {}),
    (
        "audio and reasoning, together more than output",
        {"completion_tokens_details": {"audio_tokens": 30, "reasoning_tokens": 30}},
        {"reasoning_tokens": 30},
    ),
    (
        "more kept writes than writes",
        {"cache_creation_input_tokens": 9, "cache_creation": {"ephemeral_1h_input_tokens": 10}},
        {"cache_write_tokens": 9},
    ),
    (
        "kept writes in the provider's own words",
        {"cache_creation_input_tokens": 10, "cache_creation": {"ephemeral_1h_input_tokens": 10}},
        {"cache_write_tokens": 10, "cache_write_1h_tokens": 10},
    ),
    (
        "writes in OpenAI's words",
        {"prompt_tokens_details": {"cache_write_tokens": 6}},
        {"cache_write_tokens": 6},
    ),
    ("searches beside the tokens", {"prompt_tokens_details": {"web_search_requests": 4}}, {"web_searches": 4}),
    ("searches that are no object", {"server_tool_use": 3}, {}),
]


@pytest.mark.parametrize(("usage", "units"), [one[1:] for one in DETAILS], ids=[one[0] for one in DETAILS])
def test_only_details_that_fit_their_counts_are_told(usage: JsonObject, units: JsonObject) -> None:
    assert told(100, 50, usage) == {"input_tokens": 100, "output_tokens": 50, **units}


@pytest.mark.parametrize(
    "members",
    [
        {"usage": {"completion_tokens_details": {"audio_tokens": 9}}},
        {"hidden_params": {"usage_object": {"completion_tokens_details": {"audio_tokens": 9}}}},
    ],
)
def test_the_usage_object_may_stand_elsewhere(members: JsonObject) -> None:
    assert usage_event(payload("else", **{"metadata": {}, **members}))["data"]["output_audio_tokens"] == 9


@pytest.mark.parametrize(
    ("usage", "served", "breakdown", "asked", "tier"),
    [
        (None, None, None, None, None),
        ("priority", None, None, None, "priority"),
        ("standard", "default", None, "auto", "standard"),
        (None, "flex", None, None, "flex"),
        (None, "default", None, None, None),
        (None, "default", None, "priority", "default"),
        (None, "default", None, "auto", None),
        (None, None, "flex", None, "flex"),
        (None, None, None, "flex", "flex"),
        (None, None, None, "default", "default"),
        (None, None, None, "auto", None),
        ("", None, None, 7, None),
    ],
)
def test_the_tier_is_the_one_that_served_the_request(
    usage: Any, served: Any, breakdown: Any, asked: Any, tier: str | None
) -> None:
    sent = payload(
        "tier",
        metadata={"usage_object": {"service_tier": usage}},
        response={"service_tier": served},
        cost_breakdown={"service_tier": breakdown},
        model_parameters={"service_tier": asked},
    )
    assert usage_event(sent)["data"].get("service_tier") == tier


def test_units_and_tier_can_be_read_back(api: Api) -> None:
    details = {"prompt_tokens_details": {"audio_tokens": 6}, "service_tier": "flex"}
    logged(api, payload("spoken", "speaker", metadata={"usage_object": details}))
    event = api.get("/v1/events/one", source="litellm", id="spoken/chatcmpl-spoken")["event"]
    assert (event["input_tokens"], event["properties"]["input_audio_tokens"]) == (10, 6)
    assert event["properties"]["service_tier"] == "flex"


def test_a_payload_without_details_makes_the_event_that_it_always_made() -> None:
    """The content of an event decides whether a log that comes again is a duplicate, also after an upgrade."""
    assert usage_event(payload("plain", "cus", response={"service_tier": "default"})) == {
        "specversion": "1.0",
        "id": "plain/chatcmpl-plain",
        "source": "litellm",
        "type": "llm.request",
        "subject": "cus",
        "time": "2026-11-20T10:20:00.125000+00:00",
        "data": {
            "provider": "openai",
            "model": "gpt-4o",
            "status": "succeeded",
            "input_tokens": 10,
            "output_tokens": 20,
            "cached_input_tokens": 4,
            "cost_usd": "0.00022500000000000002",
            "tags": ["a"],
            "latency_ms": 1500,
            "response_id": "chatcmpl-plain",
            "litellm_call_id": "plain",
            "call_type": "acompletion",
            "user_api_key_hash": "hash",
        },
    }
