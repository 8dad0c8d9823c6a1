"""POST /litellm/logs: calls that generate nothing are kept, and are neither requests nor money."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from api.dialects.litellm.log_payloads import usage_event
from tests.api.dialects.litellm.conftest import spend_of
from tests.api.dialects.litellm.test_log_costs import used
from tests.api.dialects.litellm.test_logs import STARTED, logged, payload
from tests.engine_fixtures import Api, JsonObject

COMPLETED = 1795169000  # 2026-11-20T10:03:20Z


def read_again(call: str, customer: str, call_type: str = "aget_responses", **members: Any) -> JsonObject:
    """A stored response, read as releases log it that tell its usage and cost with every read."""
    response = {"id": f"resp_{call}", "object": "response", "model": "gpt-4o", "background": False}
    return payload(
        call, customer, **{"call_type": call_type, "id": f"resp_{call}", "model": "", "response": response, **members}
    )


def batch_read(call: str, customer: str = "batching", **members: Any) -> JsonObject:
    """The read of a finished batch, with what LiteLLM computed of its results."""
    finished: JsonObject = {
        "call_type": "aretrieve_batch",
        "id": "batch_7",
        "model": "",
        "prompt_tokens": 3_000,
        "completion_tokens": 600,
        "response_cost": 0.00675,
        "cost_breakdown": {"input_cost": 0.00375, "output_cost": 0.003, "total_cost": 0.00675},
        "response_cost_failure_debug_info": {"error_str": "Model is None"},
        "hidden_params": {"batch_models": ["gpt-4o-2024-08-06"] * 3, "batch_successful_requests": 3},
        "response": {"id": "batch_7", "object": "batch", "status": "completed", "completed_at": COMPLETED},
    }
    return payload(call, customer, **{**finished, **members})


def test_a_response_that_is_read_again_is_one_request(api: Api) -> None:
    created = payload("c1", "reading", id="resp_c1", call_type="aresponses", response_cost=0.0041)
    receipt = logged(api, created, read_again("c2", "reading"), read_again("c3", "reading"))
    assert receipt["counts"] == {"counted": 3, "duplicate": 0, "conflict": 0, "rejected": 0}
    assert used(api, "reading") == (1, Decimal("0.0041"), 0)
    assert spend_of(api, "reading") == 0.0041
    assert [row["request_id"] for row in api.get("/spend/logs/v2", end_user="reading")["data"]] == ["resp_c1"]
    days = {"start_date": "2026-11-20", "end_date": "2026-11-20", "end_user_ids": "reading"}
    activity = api.get("/customer/daily/activity", **days)["metadata"]
    assert (activity["total_api_requests"], activity["total_spend"]) == (1, 0.0041)


def test_what_a_read_told_is_kept_beside_its_name(api: Api) -> None:
    logged(api, read_again("kept", "keeping"))
    event = api.get("/v1/events/one", source="litellm", id="kept/resp_kept")["event"]
    told = {name: event["properties"][name] for name in ("call_type", "prompt_tokens", "completion_tokens", "status")}
    assert told == {
        "call_type": "aget_responses",
        "prompt_tokens": 10,
        "completion_tokens": 20,
        "status": "succeeded",
    }
    assert event["properties"]["response_cost"] == "0.00022500000000000002"
    names = ("type", "model", "total_tokens", "cost_usd", "cost_origin")
    assert [event[name] for name in names] == ["litellm.aget_responses", "gpt-4o", 0, None, "none"]


def test_calls_that_keep_files_are_no_requests_of_unknown_cost(api: Api) -> None:
    nothing = {"model": "", "response_cost": 0.0, "prompt_tokens": 0, "completion_tokens": 0, "metadata": {}}
    names = ("afile_content", "acreate_batch", "aget_assistants", "alist_fine_tuning_jobs", "call_mcp_tool")
    logged(api, *(payload(name, "keeper", call_type=name, **nothing) for name in names))
    assert used(api, "keeper") == (0, Decimal(0), 0)
    kept = api.get("/v1/events", customer="keeper")["data"]
    assert {event["type"] for event in kept} == {f"litellm.{name}" for name in names}


def test_a_finished_batch_is_one_request_however_often_it_is_read(api: Api) -> None:
    unfinished: JsonObject = {
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "response_cost": 0.0,
        "cost_breakdown": None,
        "response": {"id": "batch_7", "status": "in_progress"},
    }
    logged(api, batch_read("early", **unfinished))
    assert used(api, "batching") == (0, Decimal(0), 0)
    first = logged(api, batch_read("first"))
    second = logged(api, batch_read("second", startTime=STARTED + 600, endTime=STARTED + 602))
    assert (first["counts"]["counted"], second["counts"]["duplicate"]) == (1, 1)
    assert used(api, "batching") == (1, Decimal("0.00675"), 0)
    event = api.get("/v1/events/one", source="litellm", id="batch_7_batch_cost")["event"]
    names = ("time", "model", "input_tokens", "output_tokens", "cost_usd", "latency_ms")
    assert [event[name] for name in names] == [
        "2026-11-20T10:03:20.000000Z", "gpt-4o-2024-08-06", 3_000, 600, "0.00675", None,
    ]  # fmt: skip


def test_a_batch_whose_end_is_not_told_counts_once_as_well(api: Api) -> None:
    hidden = {"response": {"text": "redacted-by-litellm"}, "id": "batch_8"}
    first, second = (batch_read(call, "redacting", **hidden, startTime=STARTED + n) for n, call in enumerate("ab"))
    counts = logged(api, first, second)["counts"]
    assert counts == {"counted": 1, "duplicate": 0, "conflict": 1, "rejected": 0}
    assert used(api, "redacting") == (1, Decimal("0.00675"), 0)


def test_a_response_made_in_the_background_is_billed_where_it_is_read(api: Api) -> None:
    response = {"id": "resp_bg", "model": "gpt-4o", "background": True, "status": "completed"}
    queued: JsonObject = {
        "response_cost": 0.0,
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "response": {**response, "status": ""},
    }
    logged(
        api,
        read_again("polled", "waiting", **queued),
        read_again("done", "waiting", response=response, response_cost=0.0019),
    )
    assert used(api, "waiting") == (1, Decimal("0.0019"), 0)


def test_one_call_logged_under_two_responses_counts_twice(api: Api) -> None:
    """Nothing in the payloads tells a call that was passed on from two calls of one name."""
    logged(
        api,
        payload("bridged", "bridging", id="chatcmpl-q", call_type="acompletion", response_cost=0.002),
        payload("bridged", "bridging", id="resp_q", call_type="aresponses", response_cost=0.002),
    )
    assert used(api, "bridging") == (2, Decimal("0.004"), 0)


@pytest.mark.parametrize(
    ("call_type", "members", "event_type"),
    [
        ("get_responses", {}, "litellm.get_responses"),
        ("alist_input_items", {}, "litellm.alist_input_items"),
        ("acancel_responses", {}, "litellm.acancel_responses"),
        ("retrieve_batch", {"response_cost": 0, "prompt_tokens": 0, "completion_tokens": 0}, "litellm.retrieve_batch"),
        ("retrieve_batch", {}, "llm.request"),
        ("create_container", {"response_cost": 0.03, "prompt_tokens": 0, "completion_tokens": 0}, "llm.request"),
        ("avector_store_search", {"response_cost": 0, "prompt_tokens": 0}, "llm.request"),
        ("file_list", {"response_cost": "much"}, "llm.request"),
        ("aget_responses", {"response_cost": "much"}, "litellm.aget_responses"),
        ("atranscription", {"response_cost": 0, "prompt_tokens": 0, "completion_tokens": 0}, "llm.request"),
        ("something_new", {"response_cost": 0, "prompt_tokens": 0, "completion_tokens": 0}, "llm.request"),
        (None, {}, "llm.request"),
        (["aget_responses"], {}, "llm.request"),
    ],
)
def test_the_type_of_the_event_follows_from_the_call(call_type: Any, members: JsonObject, event_type: str) -> None:
    assert usage_event(payload("typed", call_type=call_type, **members))["type"] == event_type


def test_a_redelivered_read_is_a_duplicate(api: Api) -> None:
    again = read_again("again", "redelivered")
    assert logged(api, again, again)["counts"] == {"counted": 1, "duplicate": 1, "conflict": 0, "rejected": 0}
