"""What people report as wrong money elsewhere: what can be known is right, and what cannot is unknown, never 0."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.engine_fixtures import Api, JsonObject, SettableClock, customer_path, engine_on, http

FRIDAY_PEAK = datetime(2026, 11, 27, 8, tzinfo=UTC)
FRIDAY_NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with engine_on(tmp_path, SettableClock(datetime(2026, 11, 28, tzinfo=UTC))) as engine, http(engine) as api:
        yield api


def request(at: datetime, data: JsonObject, event_id: str = "one") -> JsonObject:
    event = {"specversion": "1.0", "id": event_id, "source": "gateway", "type": "llm.request", "subject": "ann"}
    return {**event, "time": at.isoformat(), "data": data}


def counted(api: Api, at: datetime, **data: Any) -> JsonObject:
    receipt = api.deliver([request(at, data)])
    assert receipt["counts"] == {"counted": 1, "duplicate": 0, "conflict": 0, "rejected": 0}, receipt
    event: JsonObject = api.get("/v1/events/one", source="gateway", id="one")["event"]
    return event


def test_a_provider_that_bills_twice_at_peak_hours_is_billed_so(api: Api) -> None:
    used = {"provider": "deepseek", "model": "deepseek-v4-flash", "input_tokens": 1_000_000, "output_tokens": 1_000_000}
    assert counted(api, FRIDAY_PEAK, **used)["cost_usd"] == "1.5"


def test_and_half_of_it_at_noon(api: Api) -> None:
    used = {"provider": "deepseek", "model": "deepseek-v4-flash", "input_tokens": 1_000_000, "output_tokens": 1_000_000}
    assert counted(api, FRIDAY_NOON, **used)["cost_usd"] == "0.75"


def test_cache_writes_for_an_hour_cost_more_than_short_ones(api: Api) -> None:
    written = {"input_tokens": 3_904, "cache_write_tokens": 3_904, "cache_write_1h_tokens": 3_904, "output_tokens": 0}
    event = counted(api, FRIDAY_NOON, provider="anthropic", model="claude-opus-4-8", **written)
    assert (event["cost_usd"], event["units"]) == ("0.03904", {"cache_write_1h_tokens": "3904"})
    assert event["properties"] == {"cache_write_1h_tokens": 3_904}


def test_audio_tokens_have_their_own_price(api: Api) -> None:
    used = {"input_tokens": 15, "output_tokens": 47, "output_audio_tokens": 34}
    assert counted(api, FRIDAY_NOON, provider="openai", model="gpt-audio-mini", **used)["cost_usd"] == "0.0007202"


@pytest.mark.parametrize(("tier", "cost"), [("flex", "0.0006375"), (None, "0.001275")])
def test_a_tier_of_service_chooses_the_price(api: Api, tier: str | None, cost: str) -> None:
    used = {"input_tokens": 2_000, "cached_input_tokens": 1_000, "output_tokens": 500, "service_tier": tier}
    assert counted(api, FRIDAY_NOON, provider="openai", model="gpt-5-mini", **used)["cost_usd"] == cost


@pytest.mark.parametrize("data", [{}, {"input_tokens": None, "output_tokens": None}], ids=["absent", "null"])
def test_a_stream_that_told_nothing_is_unknown_not_free(api: Api, data: JsonObject) -> None:
    event = counted(api, FRIDAY_NOON, provider="openai", model="gpt-4o", **data)
    assert (event["cost_usd"], event["cost_origin"]) == (None, "unknown")
    assert (event["input_tokens"], event["output_tokens"], event["total_tokens"]) == (None, None, None)
    usage = api.get(customer_path("ann", "/current-usage"))["usage"]
    assert (usage["requests"], usage["cost_usd"], usage["cost_unknown_events"]) == (1, "0", 1)


def test_what_told_nothing_stays_unknown_when_a_price_is_set(api: Api) -> None:
    counted(api, FRIDAY_NOON, provider="openai", model="gpt-4o")
    api.post("/v1/prices", {"provider": "openai", "model": "gpt-4o", "unit_prices": {"input": "2", "output": "10"}})
    assert api.get("/v1/events/one", source="gateway", id="one")["event"]["cost_origin"] == "unknown"


def test_an_explicit_zero_is_zero(api: Api) -> None:
    event = counted(api, FRIDAY_NOON, provider="openai", model="gpt-4o", input_tokens=0, output_tokens=0)
    assert (event["cost_usd"], event["cost_origin"], event["input_tokens"]) == ("0", "price", 0)


@pytest.mark.parametrize(("status", "origin"), [("failed", "none"), ("pending", "unknown"), ("succeeded", "unknown")])
def test_a_failed_request_that_told_nothing_has_no_cost(api: Api, status: str, origin: str) -> None:
    event = counted(api, FRIDAY_NOON, provider="openai", model="gpt-4o", status=status)
    assert (event["cost_usd"], event["cost_origin"]) == (None, origin)


def test_a_quantity_that_the_price_does_not_have_makes_the_cost_unknown(api: Api) -> None:
    used = {"input_tokens": 100, "output_tokens": 10, "input_document_pages": 3}
    event = counted(api, FRIDAY_NOON, provider="openai", model="gpt-4o", **used)
    assert (event["cost_usd"], event["cost_origin"]) == (None, "unknown")


@pytest.mark.parametrize(
    "data",
    [
        {"model": "claude-3-7-sonnet-20250219", "input_tokens": 3, "cache_write_tokens": 12_304, "output_tokens": 550},
        {"model": "claude-sonnet-4-5", "input_tokens": 7, "cached_input_tokens": 10_000, "output_tokens": 550},
        {
            "model": "claude-sonnet-4-5",
            "input_tokens": 5_000,
            "cached_input_tokens": 4_000,
            "cache_write_tokens": 3_000,
        },
    ],
    ids=["written", "read", "both"],
)
def test_input_that_leaves_out_cached_tokens_is_refused_with_advice(api: Api, data: JsonObject) -> None:
    receipt = api.deliver([request(FRIDAY_NOON, {"provider": "anthropic", **data})])
    (refused,) = receipt["outcomes"]
    assert refused["reason"] == "parts_exceed_whole"
    assert "must not exceed data.input_tokens" in refused["detail"]
    assert "send data.input_tokens with all its parts" in refused["detail"]


@pytest.mark.parametrize(
    ("model", "usage", "cost", "input_tokens"),
    [
        (
            "claude-3-7-sonnet-20250219",
            {"input_tokens": 3, "cache_creation_input_tokens": 12_304, "output_tokens": 550},
            "0.054399",
            12_307,
        ),
        (
            "claude-sonnet-4-5",
            {
                "input_tokens": 5_000,
                "cache_read_input_tokens": 4_000,
                "cache_creation_input_tokens": 3_000,
                "output_tokens": 500,
            },
            "0.03495",
            12_000,
        ),
    ],
    ids=["written", "read and written"],
)
def test_the_providers_own_usage_object_is_read_by_the_rules_of_that_provider(
    api: Api, model: str, usage: JsonObject, cost: str, input_tokens: int
) -> None:
    event = counted(api, FRIDAY_NOON, provider="anthropic", model=model, usage=usage)
    assert (event["cost_usd"], event["input_tokens"]) == (cost, input_tokens)
    assert event["properties"] == {"usage": usage}


def test_names_of_another_api_are_read_as_tokens(api: Api) -> None:
    event = counted(api, FRIDAY_NOON, provider="openai", model="gpt-4o", prompt_tokens=9_000, completion_tokens=1_000)
    assert (event["input_tokens"], event["output_tokens"], event["cost_usd"]) == (9_000, 1_000, "0.0325")


def test_an_event_may_stand_for_many_requests(api: Api) -> None:
    used = {"input_tokens": 9_000, "output_tokens": 1_000, "requests": 25}
    event = counted(api, FRIDAY_NOON, provider="openai", model="gpt-4o", **used)
    assert (event["requests"], event["cost_usd"]) == (25, "0.0325")
    usage = api.get(customer_path("ann", "/current-usage"))["usage"]
    assert (usage["requests"], usage["cost_usd"]) == (25, "0.0325")
