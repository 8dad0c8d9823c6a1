"""POST /litellm/logs: LiteLLM's standard logging payloads become usage of the customer they name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from api.dialects.litellm.log_payloads import customer_of
from consumers.embedded.engine import EmbeddedEngine
from domain.scope import DEFAULT_SCOPE
from tests.api.dialects.litellm.conftest import spend_of
from tests.engine_fixtures import Api, JsonObject, key_for

STARTED = 1795170000.125  # 2026-11-20T10:20:00.125Z


def payload(call: str, customer: str | None = "cus", **members: Any) -> JsonObject:
    return {
        "id": f"chatcmpl-{call}",
        "litellm_call_id": call,
        "call_type": "acompletion",
        "status": "success",
        "custom_llm_provider": "openai",
        "model": "gpt-4o",
        "startTime": STARTED,
        "endTime": STARTED + 1.5,
        "completionStartTime": STARTED + 0.25,
        "prompt_tokens": 10,
        "completion_tokens": 20,
        "total_tokens": 30,
        "response_cost": 0.00022500000000000002,
        "request_tags": ["a"],
        "end_user": customer,
        "metadata": {"user_api_key_hash": "hash", "usage_object": {"prompt_tokens_details": {"cached_tokens": 4}}},
        "model_parameters": {},
        "messages": [{"role": "user", "content": "secret"}],
        "response": {"id": f"chatcmpl-{call}"},
        **members,
    }


def logged(api: Api, *payloads: Any) -> Any:
    return api.post("/litellm/logs", payloads, 200)  # type: ignore[arg-type]


def test_a_payload_becomes_an_event(api: Api) -> None:
    assert logged(api, payload("one", "cus-1"))["counts"]["counted"] == 1
    assert spend_of(api, "cus-1") == 0.000225
    event = api.get("/v1/events/one", source="litellm", id="one/chatcmpl-one")["event"]
    names = ("customer", "time", "provider", "model", "status", "input_tokens", "cached_input_tokens", "output_tokens")
    assert [event[name] for name in names] == [
        "cus-1", "2026-11-20T10:20:00.125000Z", "openai", "gpt-4o", "succeeded", 10, 4, 20,
    ]  # fmt: skip
    assert "secret" not in json.dumps(event)
    assert api.get("/spend/logs/v2", end_user="cus-1", api_key="hash")["data"][0]["request_id"] == "chatcmpl-one"


def test_a_payload_sent_again_counts_once(api: Api) -> None:
    twice = payload("two", "cus-2")
    assert logged(api, twice, twice)["counts"] == {"counted": 1, "duplicate": 1, "conflict": 0, "rejected": 0}
    assert api.post("/litellm/logs", twice, 200)["counts"]["duplicate"] == 1
    assert logged(api, payload("two", "cus-2", id="chatcmpl-other"))["counts"]["counted"] == 1


def test_a_list_one_object_and_lines_are_accepted(api: Api) -> None:
    lines = b"\n".join(json.dumps(payload(f"line-{n}")).encode() for n in range(3))
    headers = {"Content-Type": "application/json"}
    assert api.send("POST", "/litellm/logs", 200, headers, content=lines).json()["counts"]["counted"] == 3
    assert logged(api)["counts"]["counted"] == 0


def test_a_bad_payload_does_not_sink_the_others(api: Api) -> None:
    receipt = logged(api, payload("good"), "no object", payload("nobody", None), payload("late", startTime="soon"))
    assert receipt["counts"] == {"counted": 1, "duplicate": 0, "conflict": 0, "rejected": 3}
    assert [one["reason"] for one in receipt["outcomes"]] == ["not_an_object", "subject_missing", "time_invalid"]


@pytest.mark.parametrize(("name", "tags"), [("number", 7), ("text", "abc"), ("object", {"a": 1}), ("odd", [1, None])])
def test_tags_that_are_no_list_of_texts_are_no_tags(api: Api, name: str, tags: Any) -> None:
    receipt = logged(api, payload(f"{name} tags", request_tags=tags), payload(f"beside {name} tags"))
    assert receipt["counts"] == {"counted": 2, "duplicate": 0, "conflict": 0, "rejected": 0}
    event = api.get("/v1/events/one", source="litellm", id=f"{name} tags/chatcmpl-{name} tags")["event"]
    assert event["tags"] == []


def test_a_failed_request_counts_as_failed(api: Api) -> None:
    failed = payload("boom", "cus-3", id="boom", status="failure", response_cost=0.0, completion_tokens=0)
    assert logged(api, failed)["counts"]["counted"] == 1
    assert api.get("/spend/logs/v2", end_user="cus-3")["data"][0]["status"] == "failure"


def test_a_cost_unknown_to_litellm_comes_from_the_engines_prices(api: Api) -> None:
    unknown = payload("unpriced", "cus-4", response_cost=0.0, response_cost_failure_debug_info={"error_str": "?"})
    logged(api, unknown)
    event = api.get("/v1/events/one", source="litellm", id="unpriced/chatcmpl-unpriced")
    assert event["cost"]["price"] is not None
    assert spend_of(api, "cus-4") > 0


@pytest.mark.parametrize("body", [b"{bad", b"", b'{"a":1}\n{bad'])
def test_what_is_no_json_is_refused_as_a_whole(api: Api, body: bytes) -> None:
    answer = api.send("POST", "/litellm/logs", 422, content=body).json()
    assert answer["detail"][0]["loc"][0] == "body"


def test_a_key_that_only_ingests_may_log(api: Api, engine: EmbeddedEngine) -> None:
    logger = Api(api.client, key_for(engine, DEFAULT_SCOPE, "ingest"))
    assert logged(logger, payload("by-logger"))["counts"]["counted"] == 1
    Api(api.client, key_for(engine, DEFAULT_SCOPE, "read")).send("POST", "/litellm/logs", 401, json=[])


#: Places of a customer's id, in the order in which they are looked at.
PLACES: list[JsonObject] = [
    {"metadata": {"user_api_key_end_user_id": "1"}},
    {"metadata": {"requester_custom_headers": {"X-LiteLLM-Customer-Id": "2"}}},
    {"metadata": {"requester_custom_headers": {"x-litellm-end-user-id": "3"}}},
    {"end_user": "4"},
    {"model_parameters": {"user": "5"}},
    {"model_parameters": {"litellm_metadata": {"user": "6"}}},
    {"metadata": {"requester_metadata": {"user_id": "7"}}},
    {"model_parameters": {"metadata": {"user_id": "8"}}},
    {"model_parameters": {"safety_identifier": "9"}},
]


def merged(one: JsonObject, other: JsonObject) -> JsonObject:
    shared = {name: merged(one[name], other[name]) for name in one.keys() & other.keys()}
    return {**other, **one, **shared}


@pytest.mark.parametrize("first", range(len(PLACES)))
def test_the_first_place_that_names_a_customer_counts(first: int) -> None:
    everything: JsonObject = {}
    for place in PLACES[first:]:
        everything = merged(everything, place)
    assert customer_of(everything) == str(first + 1)


@pytest.mark.parametrize(
    ("given", "customer"), [(7, "7"), ("  x ", "x"), (True, "next"), ({"a": 1}, "next"), (["a"], "next"), ("", "next")]
)
def test_only_text_and_numbers_are_customers(given: Any, customer: str) -> None:
    assert customer_of({"end_user": given, "model_parameters": {"user": "next"}}) == customer


@pytest.mark.parametrize(
    "member", ['"response_cost": 1e999999', '"startTime": 1e999999', '"endTime": 1e999999', '"startTime": 1e-999999']
)
def test_a_number_too_large_affects_only_its_own_payload(api: Api, member: str) -> None:
    call = f"beside {member}"
    good, odd = json.dumps(payload(call)), json.dumps(payload(f"odd {member}"))[:-1] + f", {member}}}"
    answer = api.send("POST", "/litellm/logs", 200, {"Content-Type": "application/json"}, content=f"[{odd},{good}]")
    counts = answer.json()["counts"]
    assert counts["counted"] >= 1
    assert counts["counted"] + counts["rejected"] == 2
    assert len(answer.text) < 2_000
