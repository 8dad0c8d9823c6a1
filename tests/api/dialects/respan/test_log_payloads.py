"""What a request log becomes: the event, and the facts about its customer. Rows marked as a reading say what Respan's
pages leave open.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from api.dialects.respan.customer_params import facts_of
from api.dialects.respan.log_payloads import LoggedEvent, logged_event
from domain.customers.event_facts import facts_of_text

AT = "2026-03-20T08:30:00Z"
LOG: dict[str, Any] = {"model": "gpt-4o", "customer_identifier": "ada", "unique_id": "log-1", "timestamp": AT}


def logged(**members: Any) -> LoggedEvent:
    whole = {name: value for name, value in {**LOG, **members}.items() if value is not ...}
    return logged_event(json.dumps(whole).encode(), lambda: "new")


def event_of(**members: Any) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(logged(**members).event)
    return found


def test_a_log_becomes_an_event() -> None:
    found = event_of(
        prompt_tokens=150,
        completion_tokens=85,
        usage={"prompt_tokens_details": {"cached_tokens": 10}, "completion_tokens_details": {"reasoning_tokens": 5}},
        cost=0.00042,
        latency=1.25,
        time_to_first_token=0.3,
        provider_id="openai",
        status="success",
        metadata={"language": "en"},
        thread_identifier="t-1",
        prompt_messages=[{"role": "user", "content": "secret"}],
        output="secret",
    )
    assert found == {
        "specversion": "1.0",
        "id": "log-1",
        "source": "respan",
        "type": "llm.request",
        "subject": "ada",
        "time": "2026-03-20T08:30:00+00:00",
        "data": {
            "provider": "openai",
            "model": "gpt-4o",
            "status": "succeeded",
            "input_tokens": 150,
            "output_tokens": 85,
            "cached_input_tokens": 10,
            "reasoning_tokens": 5,
            "cost_usd": "0.00042",
            "latency_ms": 1250.0,
            "ttft_ms": 300.0,
            "metadata": {"language": "en"},
            "thread_identifier": "t-1",
        },
    }


CUSTOMERS: list[tuple[str, dict[str, Any], Any]] = [
    ("text", {"customer_identifier": "user_123"}, "user_123"),
    ("a number is its text", {"customer_identifier": 42}, "42"),
    ("in customer_params", {"customer_identifier": ..., "customer_params": {"customer_identifier": 7}}, "7"),
    ("reading: that of customer_params goes before", {"customer_params": {"customer_identifier": "bob"}}, "bob"),
    ("reading: customer_params without its own", {"customer_params": {"name": "Ada"}}, "ada"),
    ("nested controls", {"customer_identifier": ..., "respan_params": {"customer_identifier": "n"}}, "n"),
    ("older nested controls", {"customer_identifier": ..., "keywordsai_params": {"customer_identifier": "o"}}, "o"),
    ("reading: the log itself goes before nested controls", {"respan_params": {"customer_identifier": "n"}}, "ada"),
    ("truth values are passed on, for intake to reject", {"customer_identifier": True}, True),
    ("none", {"customer_identifier": ...}, None),
]


@pytest.mark.parametrize(("members", "customer"), [row[1:] for row in CUSTOMERS], ids=[row[0] for row in CUSTOMERS])
def test_the_customer_of_a_log(members: dict[str, Any], customer: Any) -> None:
    assert event_of(**members).get("subject") == customer


DATA: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "tokens in usage",
        {"usage": {"prompt_tokens": 3, "completion_tokens": 4}},
        {"input_tokens": 3, "output_tokens": 4},
    ),
    ("the log's own tokens go first", {"prompt_tokens": 1, "usage": {"prompt_tokens": 3}}, {"input_tokens": 1}),
    ("whole numbers with a point", {"prompt_tokens": 3.0}, {"input_tokens": 3}),
    (
        "reading: Anthropic's usage counts cached input apart",
        {
            "usage": {
                "input_tokens": 5,
                "cache_read_input_tokens": 20,
                "cache_creation_input_tokens": 3,
                "output_tokens": 2,
            }
        },
        {"input_tokens": 28, "cached_input_tokens": 20, "cache_write_tokens": 3, "output_tokens": 2},
    ),
    (
        "cache writes beside prompt_tokens are part of them",
        {"prompt_tokens": 50, "usage": {"cache_creation_prompt_tokens": 7}},
        {"input_tokens": 50, "cache_write_tokens": 7},
    ),
    ("failed by status code", {"status_code": 429}, {"status": "failed", "status_code": 429}),
    ("failed by status", {"status": "error"}, {"status": "failed"}),
    (
        "the status goes before the code",
        {"status": "success", "status_code": 500},
        {"status": "succeeded", "status_code": 500},
    ),
    (
        "reading: an unknown status is decided by the code",
        {"status": "odd", "status_code": 502},
        {"status": "failed", "status_code": 502},
    ),
    ("a cost of 0 is 0", {"cost": 0}, {"cost_usd": "0"}),
    ("a cost as text is the decimal that it says", {"cost": " 1.50 "}, {"cost_usd": "1.50"}),
    ("a cost that is none is passed on, for intake to reject", {"cost": "free"}, {"cost_usd": "free"}),
    (
        "without a cost by the log's own prices per million",
        {"prompt_tokens": 1000, "completion_tokens": 10, "prompt_unit_price": 2, "completion_unit_price": 4.5},
        {"input_tokens": 1000, "output_tokens": 10, "cost_usd": "0.002045"},
    ),
    ("reading: one own price alone is none", {"prompt_tokens": 1000, "prompt_unit_price": 2}, {"input_tokens": 1000}),
    ("the older names of times", {"generation_time": 2, "ttft": 0.5}, {"latency_ms": 2000, "ttft_ms": 500.0}),
    ("the group of a log is no group of its customer", {"group_identifier": "g"}, {"group_identifier": "g"}),
]


@pytest.mark.parametrize(("members", "data"), [row[1:] for row in DATA], ids=[row[0] for row in DATA])
def test_the_data_of_a_log(members: dict[str, Any], data: dict[str, Any]) -> None:
    assert event_of(**members)["data"] == {"model": "gpt-4o", "status": "succeeded", **data}


def test_reading_a_span_that_is_no_request_is_an_event_of_a_type_of_its_own() -> None:
    found = event_of(log_type="workflow", cost=3)
    assert (found["type"], "status" in found["data"]) == ("respan.workflow", False)
    assert {event_of(log_type=log_type)["type"] for log_type in ("chat", "embedding", "speech", "unheard")} == {
        "llm.request"
    }


TIMES: list[tuple[str, dict[str, Any], Any]] = [
    ("reading: the completion, not the start", {"start_time": "2026-03-20T08:00:00Z"}, "2026-03-20T08:30:00+00:00"),
    ("the start", {"timestamp": ..., "start_time": "2026-03-20T08:00:00+02:00"}, "2026-03-20T08:00:00+02:00"),
    (
        "reading: without an offset it is UTC",
        {"timestamp": "2026-03-20 08:30:00.5"},
        "2026-03-20T08:30:00.500000+00:00",
    ),
    ("none is the time of arrival", {"timestamp": ...}, None),
    ("what is no time is passed on, for intake to reject", {"timestamp": "soon"}, "soon"),
    ("a number is passed on, for intake to reject", {"timestamp": 1774000000}, 1774000000),
]


@pytest.mark.parametrize(("members", "time"), [row[1:] for row in TIMES], ids=[row[0] for row in TIMES])
def test_the_time_of_a_log(members: dict[str, Any], time: Any) -> None:
    assert event_of(**members).get("time") == time


def test_reading_a_log_without_an_id_is_known_by_its_content_if_it_names_its_time_and_is_a_new_one_otherwise() -> None:
    named = [logged(unique_id=..., **{name: "x"}).event_id for name in ("id", "request_id", "span_unique_id")]
    assert named == ["x", "x", "x"]
    assert logged(unique_id=7).event_id == "7"
    again = [logged(unique_id=..., cost=cost).event_id for cost in (1, 1, 2)]
    assert again[0] == again[1] != again[2]
    assert logged(unique_id=..., timestamp=...).event_id == "new"


@pytest.mark.parametrize("payload", [b"oops", b"[1]", b'"text"', b"[" * 9_000, b'{"cost":1' + b"0" * 5_000 + b"}"])
def test_a_payload_that_cannot_be_read_is_passed_on_as_it_is(payload: bytes) -> None:
    assert logged_event(payload, lambda: "new") == LoggedEvent(payload)


FACTS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "profile",
        {"name": "Ada", "email": "ada@example.com", "metadata": {"plan": 1.5}},
        {"name": "Ada", "email": "ada@example.com", "metadata": {"plan": 1.5}},
    ),
    ("null clears", {"name": None, "markup_percentage": None}, {"name": None, "markup_percentage": None}),
    ("reading: an empty text clears", {"name": "", "email": ""}, {"name": None, "email": None}),
    (
        "budgets",
        {"period_budget": 100, "total_budget": 0.5},
        {"period_limit_usd": "100", "total_limit_usd": "0.5", "limits_as_one": None},
    ),
    (
        "reading: a duration has no anchor of its own",
        {"budget_duration": "yearly"},
        {"budget_duration": "yearly", "budget_alignment": "anchored", "limits_as_one": None},
    ),
    (
        "a date is its midnight in UTC",
        {"period_start": "2026-03-01", "period_end": "2026-04-01T00:00:00+02:00"},
        {"period_start": "2026-03-01T00:00:00.000000Z", "period_end": "2026-03-31T22:00:00.000000Z"},
    ),
    ("markup", {"markup_percentage": 30}, {"markup_percentage": "30"}),
    ("group as a number", {"group_identifier": 12}, {"group_identifier": "12"}),
    ("rate limit", {"rate_limit": 60.0}, {"requests_per_minute": 60}),
    ("no rate limit", {"rate_limit": None}, {"requests_per_minute": None}),
    ("unknown members are ignored", {"name": "Ada", "favourite": 1}, {"name": "Ada"}),
]


@pytest.mark.parametrize(("params", "fields"), [row[1:] for row in FACTS], ids=[row[0] for row in FACTS])
def test_what_customer_params_say(params: dict[str, Any], fields: dict[str, Any]) -> None:
    facts = logged(customer_params={"customer_identifier": "ada", **params}).facts
    assert facts is not None
    assert (facts.problem, facts_of_text(facts.text)) == (None, fields)


PROBLEMS: list[tuple[Any, str, str]] = [
    ("Ada", "customer_params", "must be an object"),
    ({"email": "ada"}, "customer_params.email", "must be an email address"),
    ({"name": 5}, "customer_params.name", "input should be a valid string"),
    ({"period_budget": -1}, "customer_params.period_budget", "negative"),
    ({"period_budget": True}, "customer_params.period_budget", "must be a number"),
    ({"total_budget": "much"}, "customer_params.total_budget", "must be a number"),
    ({"budget_duration": "hourly"}, "customer_params.budget_duration", "daily"),
    ({"period_start": "soon"}, "customer_params.period_start", "ISO 8601"),
    (
        {"period_start": "2026-03-02", "period_end": "2026-03-01"},
        "customer_params.period_end",
        "must be after period_start",
    ),
    ({"markup_percentage": -101}, "customer_params.markup_percentage", "-100"),
    ({"rate_limit": -1}, "customer_params.rate_limit", "whole number"),
    ({"rate_limit": 1.5}, "customer_params.rate_limit", "whole number"),
    ({"rate_limit": True}, "customer_params.rate_limit", "whole number"),
    ({"group_identifier": "g" * 1_001}, "customer_params.group_identifier", "1 to 1000"),
    ({"metadata": []}, "customer_params.metadata", "dictionary"),
    ({"metadata": {"a": "x" * 20_000}}, "customer_params.metadata", "bytes"),
]


@pytest.mark.parametrize(("params", "field", "rule"), PROBLEMS)
def test_params_that_break_a_rule_name_field_and_rule_and_stay_in_the_event(params: Any, field: str, rule: str) -> None:
    found = logged(customer_params=params)
    assert found.facts is not None
    assert found.facts.problem is not None
    assert found.facts.problem[0] == field
    assert rule in found.facts.problem[1]
    assert msgspec.json.decode(found.event)["data"]["customer_params"] == params


def test_params_that_say_nothing_are_no_facts() -> None:
    assert (facts_of({"customer_identifier": "ada"}), facts_of(None), facts_of({})) == (None, None, None)


def test_facts_do_not_stand_in_the_event() -> None:
    assert b"secret-name" not in logged(customer_params={"name": "secret-name"}).event
