"""What LiteLLM's own handlers answered, request by request: the engine answers the same, or says why it does not.

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

HERE = Path(__file__).parent
#: The moment at which their answers were recorded, so that periods end when theirs do.
RECORDED_AT = datetime(2026, 11, 20, 10, 24, 37, 500_000, tzinfo=UTC)
DIFFERENCES = HERE.parents[2] / "docs" / "dialects" / "litellm.md"
_RANDOM = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def lines_of(name: str) -> list[JsonObject]:
    return [json.loads(line) for line in (HERE / name).read_text().splitlines()]


CURRENT = lines_of("observed_current.jsonl")
SEED = lines_of("observed_seed.jsonl")


def answered(api: Api, request: JsonObject) -> tuple[int, Any]:
    """Status and body of one of the requests, as text where it is no JSON."""
    keys = request.get("key", {"Authorization": "Bearer $KEY"}) or {}
    headers = {name: value.replace("$KEY", api.key) for name, value in keys.items()}
    sent = {name: request[name] for name in ("json", "content") if name in request}
    answer = api.client.request(request["method"], request["path"], headers=headers, **sent)
    return answer.status_code, unmarked(answer.json())


def unmarked(value: Any, name: str | None = None) -> Any:
    """With markers where ids are random and where something was created."""
    if isinstance(value, dict):
        return {member: unmarked(one, member) for member, one in value.items()}
    if isinstance(value, list):
        return [unmarked(one, name) for one in value]
    if isinstance(value, str) and _RANDOM.fullmatch(value):
        return "<random>"
    return "<time>" if name in ("created_at", "updated_at") and value is not None else value


def begins_with(found: Any, expected: list[Any]) -> bool:
    """Whether a list begins so; of the last one expected only some members are known."""
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
    """Every request in their order, on an engine on which nothing happened before."""
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


def test_every_difference_is_told_with_its_reason() -> None:
    page = " ".join(DIFFERENCES.read_text().split())
    told = {one["name"]: one["because"] for one in [*CURRENT, *SEED] if "here" in one}
    assert all(one.keys() >= {"because"} for one in CURRENT if "here" in one)
    assert [name for name, reason in told.items() if reason not in page] == []


def test_nobody_is_answered_with_a_server_error(
    answers_now: dict[str, tuple[int, Any]], answers_then: dict[str, tuple[int, Any]]
) -> None:
    statuses = {status for answers in (answers_now, answers_then) for status, _ in answers.values()}
    assert max(statuses) < 500
