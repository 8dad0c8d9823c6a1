"""Recorded answers of LiteLLM's own handlers: the engine answers the same, or the difference has a stated reason.

In `observed_current.jsonl` (release 1.109.1) `status` and `body` are theirs, with markers for random ids and for
times of creation; `begins` stands where only the beginning of a list is known. `here`, with the reason in `because`,
is what the engine answers instead. Of `observed_seed.jsonl` (release 1.71.1, the same requests) the status counts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.engine_fixtures import Api, JsonObject, SettableClock, engine_on, http
from tests.meterfold_process import ROOT

HERE = Path(__file__).parent
#: The moment at which their answers were recorded, so that periods end when theirs do.
RECORDED_AT = datetime(2026, 11, 20, 10, 24, 37, 500_000, tzinfo=UTC)
DIFFERENCES = ROOT / "docs" / "dialects" / "litellm.md"
_RANDOM = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

#: What the real product does that allows a difference ...
RANDOM_OR_TIME = "differs in a random or time value"
ANSWERED_5XX = (
    "the real product answers 5xx",
    "Where the real product answers 500 for a client's mistake, answer the right 4xx in the same shape",
    "An unknown `budget_id` is 404",
)
DROPPED_FIELD = (
    "where it silently drops a field that the seed documents (`metadata`, `budget_duration` on update, `max_budget: 0`"
    ", `soft_budget`, `budget_id: null`), do what the field says"
)
#: ... and the sentences that demand one.
DEMANDED = (
    "LiteLLM's alignment as one period policy",
    "without its flaws (48h is 48 hours, `2mo` works)",
    "`default_model` is stored and checked against no list",
    'The fields the seed marks "[Not Implemented Yet]" are stored, returned',
    "`unblock` really unblocks",
)


def lines_of(name: str) -> list[JsonObject]:
    return [json.loads(line) for line in (HERE / name).read_text().splitlines()]


CURRENT = lines_of("observed_current.jsonl")
SEED = lines_of("observed_seed.jsonl")


def answered(api: Api, request: JsonObject) -> tuple[int, Any]:
    """Status and body of the answer to one request, with markers."""
    keys = request.get("key", {"Authorization": "Bearer $KEY"}) or {}
    headers = {name: value.replace("$KEY", api.key) for name, value in keys.items()}
    sent = {name: request[name] for name in ("json", "content") if name in request}
    answer = api.client.request(request["method"], request["path"], headers=headers, **sent)
    return answer.status_code, unmarked(answer.json())


def unmarked(value: Any, name: str | None = None) -> Any:
    """Replace random ids and times of creation by markers."""
    if isinstance(value, dict):
        return {member: unmarked(one, member) for member, one in value.items()}
    if isinstance(value, list):
        return [unmarked(one, name) for one in value]
    if isinstance(value, str) and _RANDOM.fullmatch(value):
        return "<random>"
    return "<time>" if name in ("created_at", "updated_at") and value is not None else value


def begins_with(found: Any, expected: list[Any]) -> bool:
    """Whether a list begins as expected; of the last element only some members are known."""
    *whole, last = expected
    return bool(found[: len(whole)] == whole) and holds(found[len(whole)], last)


def holds(found: Any, known: Any) -> bool:
    if isinstance(known, dict):
        return isinstance(found, dict) and all(holds(found.get(name), value) for name, value in known.items())
    return bool(found == known)


@pytest.fixture(scope="module")
def answers_now(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[int, Any]]]:
    yield from _answers(tmp_path_factory.mktemp("current"), "current")


@pytest.fixture(scope="module")
def answers_then(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[int, Any]]]:
    yield from _answers(tmp_path_factory.mktemp("seed"), "seed")


def _answers(folder: Path, profile: str) -> Iterator[dict[str, tuple[int, Any]]]:
    """The answers to all requests in order, on a new engine."""
    with engine_on(folder, SettableClock(RECORDED_AT), litellm_profile=profile) as engine, http(engine) as api:
        yield {one["name"]: answered(api, one["request"]) for one in CURRENT}


@pytest.mark.parametrize("observed", CURRENT, ids=lambda one: one["name"])
def test_an_answer_is_that_of_the_present_release(
    observed: JsonObject, answers_now: dict[str, tuple[int, Any]]
) -> None:
    expected = observed.get("here", observed)
    status, body = answers_now[observed["name"]]
    assert status == expected["status"], body
    if "begins" in expected:
        assert begins_with(body, expected["begins"]), body
    else:
        assert body == expected["body"]


@pytest.mark.parametrize("observed", SEED, ids=lambda one: one["name"])
def test_a_status_is_that_of_the_older_release(observed: JsonObject, answers_then: dict[str, tuple[int, Any]]) -> None:
    status, body = answers_then[observed["name"]]
    assert status == observed.get("here", observed["status"]), body


def test_every_difference_is_documented_with_its_reason() -> None:
    page = " ".join(DIFFERENCES.read_text().split())
    differences = [one for one in [*CURRENT, *SEED] if "here" in one]
    assert [one["name"] for one in differences if one["because"] not in page] == []
    assert [one["name"] for one in differences if not is_allowed(one)] == []


def is_allowed(difference: JsonObject) -> bool:
    """Whether the reason of a difference is an accepted one, and holds for it."""
    reason = difference["because"]
    if reason in ANSWERED_5XX:
        return bool(difference["status"] >= 500)
    if reason == DROPPED_FIELD:
        return bool(difference["status"] == difference["here"]["status"] == 200)
    if reason == RANDOM_OR_TIME:
        theirs = {name: value for name, value in difference.items() if name in ("status", "body", "begins")}
        return differs_in_random_and_times_only(theirs, difference["here"])
    return reason in DEMANDED


def differs_in_random_and_times_only(theirs: Any, here: Any) -> bool:
    if isinstance(theirs, dict) and isinstance(here, dict):
        return theirs.keys() == here.keys() and all(
            differs_in_random_and_times_only(value, here[name]) for name, value in theirs.items()
        )
    if isinstance(theirs, list) and isinstance(here, list):
        return len(theirs) == len(here) and all(map(differs_in_random_and_times_only, theirs, here))
    return bool(theirs == here) or (is_random_or_time(theirs) and is_random_or_time(here))


def is_random_or_time(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        return _RANDOM.fullmatch(value) is not None or bool(datetime.fromisoformat(value))
    except ValueError:
        return False


@pytest.mark.parametrize(
    ("reason", "theirs", "here", "allowed"),
    [
        (RANDOM_OR_TIME, {"at": "2026-12-20T10:24:37.6"}, {"at": "2026-12-20T10:24:37Z"}, True),
        (RANDOM_OR_TIME, {"at": "2026-12-20", "spend": 1.0}, {"at": "2026-12-21", "spend": 2.0}, False),
        (RANDOM_OR_TIME, ["a"], ["b"], False),
        (RANDOM_OR_TIME, {"at": None}, {"at": "2026-12-20T10:24:37Z"}, False),
        (DROPPED_FIELD, {"at": None}, {"at": 1}, True),
        ("the real product answers 5xx", None, None, False),
        ("it is nicer so", None, None, False),
    ],
)
def test_a_reason_that_does_not_hold_is_found(reason: str, theirs: Any, here: Any, allowed: bool) -> None:
    difference = {"status": 200, "body": theirs, "here": {"status": 200, "body": here}, "because": reason}
    assert is_allowed(difference) == allowed


def test_no_request_is_answered_with_a_server_error(
    answers_now: dict[str, tuple[int, Any]], answers_then: dict[str, tuple[int, Any]]
) -> None:
    statuses = {status for answers in (answers_now, answers_then) for status, _ in answers.values()}
    assert max(statuses) < 500
