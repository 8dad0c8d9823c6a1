"""POST /litellm/logs: the cost that a payload tells, and zeros that stand for a cost that LiteLLM does not know."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from api.dialects.litellm.log_payloads import usage_event
from tests.api.dialects.litellm.conftest import spend_of
from tests.api.dialects.litellm.test_logs import logged, payload
from tests.engine_fixtures import Api, JsonObject

BREAKDOWN = {"input_cost": 0.09, "output_cost": 0.03, "tool_usage_cost": 0.0, "total_cost": 0.12}
FREE = {"input_cost": 0.0, "output_cost": 0.0, "tool_usage_cost": 0.0, "total_cost": 0.0}
USED: JsonObject = {"metadata": {"usage_object": {"prompt_tokens": 10, "completion_tokens": 20}}}
NO_USAGE: JsonObject = {"prompt_tokens": 0, "completion_tokens": 0, "metadata": {"usage_object": {}}}
ZERO_USAGE: JsonObject = {
    "prompt_tokens": 0,
    "completion_tokens": 0,
    "metadata": {"usage_object": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}},
}


def used(api: Api, customer: str) -> tuple[int, Decimal, int]:
    """Requests, cost in US dollars and events of unknown cost of a customer."""
    usage = api.get(f"/v1/customers/{customer}/current-usage")["usage"]
    return usage["requests"], Decimal(usage["cost_usd"]), usage["cost_unknown_events"]


def test_a_zero_beside_a_breakdown_is_the_total_of_the_breakdown(api: Api) -> None:
    """A release of LiteLLM told callbacks 0 for streamed calls of the Responses API that it charged."""
    zero = payload("charged", "broken-down", response_cost=0, cost_breakdown=BREAKDOWN, call_type="responses", **USED)
    logged(api, zero)
    assert used(api, "broken-down") == (1, Decimal("0.12"), 0)
    assert spend_of(api, "broken-down") == 0.12
    assert api.get("/spend/logs/v2", end_user="broken-down")["data"][0]["spend"] == 0.12


def test_a_zero_that_nothing_explains_is_priced_by_the_engine(api: Api) -> None:
    """Streams of Claude on Vertex AI were logged with all tokens and 0."""
    streamed: JsonObject = {
        "custom_llm_provider": "vertex_ai",
        "model": "claude-sonnet-4-6",
        "prompt_tokens": 7_000,
        "completion_tokens": 2_000,
        "response_cost": 0.0,
        "stream": True,
        "cache_hit": False,
        "metadata": {},
    }
    logged(api, payload("streamed", "unpriced-stream", **streamed))
    assert used(api, "unpriced-stream") == (1, Decimal("0.051"), 0)
    assert spend_of(api, "unpriced-stream") == 0.051


def test_a_zero_for_a_model_without_a_price_is_an_unknown_cost(api: Api) -> None:
    own = {"custom_llm_provider": "openai", "model": "house-model", "response_cost": 0.0}
    logged(
        api,
        payload("own", "unpriced", **own, **USED),
        payload("own-free", "unpriced", **own, **USED, cost_breakdown=FREE),
    )
    assert used(api, "unpriced") == (2, Decimal(0), 2)


def test_a_free_model_has_the_price_of_zero_that_the_engine_is_given(api: Api) -> None:
    free_of_charge = {"input": "0", "output": "0"}
    api.post("/v1/prices", {"provider": "openai", "model": "free-model", "unit_prices": free_of_charge})
    free = {"model": "free-model", "response_cost": 0.0, "cost_breakdown": FREE}
    logged(api, payload("given-away", "served-free", **free, **USED))
    assert used(api, "served-free") == (1, Decimal(0), 0)


def test_a_zero_from_the_cache_is_a_cost_of_zero(api: Api) -> None:
    logged(
        api,
        payload("hit", "cached", response_cost=0.0, cache_hit=True, cost_breakdown=BREAKDOWN),
        payload("marked", "cached", response_cost="0", id="chatcmpl-marked_cache_hit1795860000.25"),
    )
    assert used(api, "cached") == (2, Decimal(0), 0)
    assert api.get("/v1/events/one", source="litellm", id="hit/chatcmpl-hit")["event"]["cost_origin"] == "producer"


def test_an_absent_cost_is_the_total_of_the_breakdown_or_the_engines_price(api: Api) -> None:
    tokens = {"prompt_tokens": 9_000, "completion_tokens": 1_000, "metadata": {}}
    logged(api, payload("null", "absent", response_cost=None, **tokens))
    assert used(api, "absent") == (1, Decimal("0.0325"), 0)
    logged(api, payload("null-total", "absent", response_cost=None, cost_breakdown=BREAKDOWN))
    assert used(api, "absent") == (2, Decimal("0.1525"), 0)


def test_a_failed_request_that_used_nothing_has_no_cost(api: Api) -> None:
    failed = payload("refused", "failing", id="refused", status="failure", response_cost=0.0, **ZERO_USAGE)
    logged(api, failed)
    usage = api.get("/v1/customers/failing/current-usage")["usage"]
    assert (usage["requests"], usage["cost_usd"], usage["total_tokens"]) == (1, "0", 0)
    assert "cost_usd" not in usage_event(failed)["data"]


def test_a_budget_trips_though_every_response_cost_is_zero(api: Api) -> None:
    api.post("/customer/new", {"user_id": "capped", "max_budget": 0.1, "budget_duration": "30d"}, 200)
    logged(api, payload("over", "capped", response_cost=0, cost_breakdown=BREAKDOWN, **USED))
    assert api.get("/v1/customers/capped/access")["allowed"] is False


#: What a payload says, and the members cost_usd and input_tokens of its event; None for one that is not there.
READINGS: list[tuple[str, JsonObject, str | None, int | None]] = [
    ("a cost", {"response_cost": 0.5}, "0.5", 10),
    ("a cost beside another total", {"response_cost": 0.5, "cost_breakdown": BREAKDOWN}, "0.5", 10),
    ("zero and a total", {"response_cost": 0, "cost_breakdown": BREAKDOWN}, "0.12", 10),
    ("zero as text and a total as text", {"response_cost": "0", "cost_breakdown": {"total_cost": "0.3"}}, "0.3", 10),
    ("zero and a total that is no number", {"response_cost": 0, "cost_breakdown": {"total_cost": "much"}}, None, 10),
    ("zero and a total below zero", {"response_cost": 0, "cost_breakdown": {"total_cost": -1}}, None, 10),
    ("zero and a breakdown without a total", {"response_cost": 0, "cost_breakdown": {"input_cost": 0.1}}, None, 10),
    ("zero alone", {"response_cost": 0}, None, 10),
    ("zero and a total of zero beside tokens", {"response_cost": 0, "cost_breakdown": FREE}, None, 10),
    ("zero from the cache", {"response_cost": 0.0, "cache_hit": True}, "0.0", 10),
    ("zero, not from the cache", {"response_cost": 0.0, "cache_hit": False}, None, 10),
    ("zero and a failed calculation", {"response_cost": 0.0, "response_cost_failure_debug_info": {"a": 1}}, None, 10),
    (
        "zero, a total and a failed calculation",
        {"response_cost": 0.0, "response_cost_failure_debug_info": {"a": 1}, "cost_breakdown": BREAKDOWN},
        "0.12",
        10,
    ),
    ("nothing told at all", {"response_cost": 0.0, **NO_USAGE}, None, None),
    ("no usage and a total of zero", {"response_cost": 0.0, "cost_breakdown": FREE, **NO_USAGE}, None, None),
    ("a usage of zero and a total of zero", {"response_cost": 0.0, "cost_breakdown": FREE, **ZERO_USAGE}, "0.0", 0),
    ("a usage of zero without a total", {"response_cost": 0.0, **ZERO_USAGE}, None, 0),
    ("a cost without usage", {"response_cost": 0.04, **NO_USAGE}, "0.04", 0),
    ("a failure with a usage of zero", {"status": "failure", "response_cost": 0.0, **ZERO_USAGE}, None, None),
    ("a failure with tokens", {"status": "failure", "response_cost": 0.0}, None, 10),
    ("a failure with a cost", {"status": "failure", "response_cost": 0.01}, "0.01", 10),
    ("null", {"response_cost": None}, None, 10),
]


@pytest.mark.parametrize(("said", "cost", "tokens"), [one[1:] for one in READINGS], ids=[one[0] for one in READINGS])
def test_what_a_payload_says_of_its_cost(said: JsonObject, cost: str | None, tokens: int | None) -> None:
    data: dict[str, Any] = usage_event(payload("said", **said))["data"]
    assert (data.get("cost_usd"), data.get("input_tokens")) == (cost, tokens)
