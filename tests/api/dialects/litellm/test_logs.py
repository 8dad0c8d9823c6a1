"""POST /litellm/logs: LiteLLM's standard logging payloads become usage of the customer they name."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from api.dialects.litellm.log_payloads import customer_of, usage_event
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


@pytest.mark.parametrize("body", [b"{bad", b""])
def test_a_payload_that_is_no_json_is_refused_and_can_be_found(api: Api, body: bytes) -> None:
    answer = api.send("POST", "/litellm/logs", 422, content=body).json()
    assert answer["detail"][0]["loc"][0] == "body"
    newest = api.get("/v1/rejected", limit=1)["data"][0]
    assert (newest["reason"], newest["original"]) == ("not_json", body.decode())


#: Payloads that cannot be read, or that are no usage, by what is wrong with them.
BAD_PAYLOADS = {
    "a lone surrogate in what is not kept": (rb'"messages": "\ud800"', "not_json"),
    "a lone surrogate in a name": (rb'"\udfff": 1', "not_json"),
    "a bare NaN": (b'"response": NaN', "not_json"),
    "a bare Infinity": (b'"response": Infinity', "not_json"),
    "an integer of 5,000 digits": (b'"response": ' + b"7" * 5_000, "not_json"),
    "2,000 nested levels": (b'"response": ' + b"[" * 2_000 + b"]" * 2_000, "data_invalid"),
    "bytes that are no UTF-8": (b'"messages": "\xff"', "not_json"),
    "a cost that is no number": (b'"response_cost": "much"', "cost_invalid"),
    "a cost that is an empty text": (b'"response_cost": ""', "cost_invalid"),
    "a cost that is spelled NaN": (b'"response_cost": "NaN"', "cost_invalid"),
    "a cost that is an object": (b'"response_cost": {"usd": 1}', "cost_invalid"),
    "a start that is an object": (b'"startTime": {"seconds": 1}', "time_invalid"),
    "half a token": (b'"prompt_tokens": 0.5', "tokens_invalid"),
}


@pytest.mark.parametrize("how", ["list", "lines"])
@pytest.mark.parametrize("name", BAD_PAYLOADS)
def test_a_bad_payload_is_rejected_by_itself_and_can_be_found(api: Api, name: str, how: str) -> None:
    member, reason = BAD_PAYLOADS[name]
    before, after = (json.dumps(payload(f"{number} {how} {name}")).encode() for number in (1, 2))
    bad = json.dumps(payload(f"bad {how} {name}")).encode()[:-1] + b", " + member + b"}"
    body = b"\n".join((before, bad, after)) if how == "lines" else b"[" + b", ".join((before, bad, after)) + b"]"
    receipt = api.send("POST", "/litellm/logs", 200, content=body).json()
    assert receipt["counts"] == {"counted": 2, "duplicate": 0, "conflict": 0, "rejected": 1}
    assert [one["reason"] for one in receipt["outcomes"]] == [reason]
    assert api.get("/v1/rejected", limit=1)["data"][0]["reason"] == reason


def test_a_payload_cut_off_in_a_list_is_rejected_by_itself(api: Api) -> None:
    before, bad, after = (json.dumps(payload(f"{name} of a list")).encode() for name in ("before", "cut", "after"))
    body = b"[" + b", ".join((before, bad[:300], after)) + b"]"
    receipt = api.send("POST", "/litellm/logs", 200, content=body).json()
    assert receipt["counts"] == {"counted": 2, "duplicate": 0, "conflict": 0, "rejected": 1}


def test_a_byte_order_mark_is_not_part_of_the_first_payload(api: Api) -> None:
    lines = b"\n".join(json.dumps(payload(f"marked {number}")).encode() for number in (1, 2))
    answer = api.send("POST", "/litellm/logs", 200, content=b"\xef\xbb\xbf" + lines)
    assert answer.json()["counts"]["counted"] == 2


def test_an_object_on_several_lines_is_one_payload(api: Api) -> None:
    body = json.dumps(payload("printed"), indent=1)
    assert api.send("POST", "/litellm/logs", 200, content=body).json()["counts"]["counted"] == 1


@pytest.mark.parametrize(
    ("call", "response", "identity"),
    [
        ("a", "b", "a/b"),
        ("a%2F", "b", "a%2F/b"),
        ("a/b", "c", "3/a/b/c"),
        ("a", "b/c", "1/a/b/c"),
        ("a/b", None, "3/a/b/"),
        (None, "a/b", "0//a/b"),
        ("a", None, "a"),
    ],
)
def test_no_two_pairs_of_call_and_response_have_the_same_id(
    call: str | None, response: str | None, identity: str
) -> None:
    assert usage_event({"litellm_call_id": call, "id": response})["id"] == identity


@pytest.mark.parametrize(
    ("cost", "said"),
    [
        ("0.001", "0.001000000000"),
        (" 2.5e-3 ", "0.002500000000"),
        ("+.5", "0.500000000000"),
        ("1", "1.000000000000"),
    ],
)
def test_a_cost_given_as_text_is_the_decimal_that_it_says(api: Api, cost: str, said: str) -> None:
    assert logged(api, payload(f"costs {cost}", response_cost=cost))["counts"]["counted"] == 1
    event = api.get("/v1/events/one", source="litellm", id=f"costs {cost}/chatcmpl-costs {cost}")
    assert Decimal(event["event"]["cost_usd"]) == Decimal(said)
    assert event["cost"]["price"] is None


def test_token_counts_may_be_whole_numbers_with_a_point(api: Api) -> None:
    usage = {"prompt_tokens_details": {"cached_tokens": 50.0}, "completion_tokens_details": {"reasoning_tokens": 90.0}}
    sent = payload("points", prompt_tokens=40.0, completion_tokens=80.0, metadata={"usage_object": usage})
    assert logged(api, sent)["counts"]["counted"] == 1
    event = api.get("/v1/events/one", source="litellm", id="points/chatcmpl-points")["event"]
    names = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_tokens")
    assert [event[name] for name in names] == [40, 40, 80, 80]


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
