"""POST /v1/events: durable, then counted, then answered."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from starlette.testclient import TestClient

from api.app import create_app
from consumers.embedded.engine import EmbeddedEngine
from consumers.errors import IntakeFull, IntakeUnavailable
from consumers.intake.intake import IntakeReceipt, IntakeRequest
from domain.errors import LogUnavailable
from projections.queries.snapshot import ReadStore, Snapshot
from tests.engine_fixtures import CLOUDEVENT, NDJSON, Api, SettableClock, customer_path, engine_on, http, llm_request

JSON = "application/json"


class RefusingIntake:
    """Refuses every request with an error, at once or later."""

    def __init__(self, error: Exception, at_once: bool) -> None:
        self._error = error
        self._at_once = at_once

    def submit(self, request: IntakeRequest) -> Future[IntakeReceipt]:
        if self._at_once:
            raise self._error
        future: Future[IntakeReceipt] = Future()
        future.set_exception(self._error)
        return future

    def close(self) -> None: ...


class UnqueriedReadStore:
    """A read store that knows what was counted, and fails when queried."""

    def __init__(self, reads: ReadStore) -> None:
        self.all_counted = reads.all_counted

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        raise AssertionError("the read store was queried")


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[tuple[EmbeddedEngine, Api]]:
    """An engine whose requests wait only half a second for the fold."""
    with engine_on(tmp_path, SettableClock(), http_write_wait_seconds_max=0.5) as engine, http(engine) as api:
        yield engine, api


def test_a_batch_is_answered_with_the_outcome_of_each_event(api: Api) -> None:
    bad: dict[str, Any] = {**llm_request("bad"), "type": 7}
    receipt = api.deliver(
        [llm_request("r1", "rita"), llm_request("r1", "rita"), llm_request("r1", "rita", status="failed"), bad]
    )
    position = receipt.pop("position")
    assert receipt == {
        "counts": {"counted": 1, "duplicate": 1, "conflict": 1, "rejected": 1},
        "outcomes": [
            {"source": "gateway", "id": "r1", "outcome": "duplicate", "reason": None, "detail": None},
            {"source": "gateway", "id": "r1", "outcome": "conflict", "reason": None, "detail": None},
            {
                "source": "gateway",
                "id": "bad",
                "outcome": "rejected",
                "reason": "type_invalid",
                "detail": "type: must be a string",
            },
        ],
        "outcomes_truncated": False,
        "warnings": [],
    }
    usage = api.get(customer_path("rita", "/current-usage"), min_position=position)
    assert (usage["position"] >= position, usage["customer"]) == (True, "rita")


def test_a_single_event_that_is_rejected_is_answered_422_with_its_reason_and_is_in_the_log(api: Api) -> None:
    event = llm_request("negative", input_tokens=-1)
    answer = api.send("POST", "/v1/events", 422, {"Content-Type": CLOUDEVENT}, content=msgspec.json.encode(event))
    position = int(answer.headers["meterfold-position"])
    rule = {"field": "data.input_tokens", "rule": "must be a whole number from 0 to 10^15"}
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "/problems/event_rejected",
        "title": "The event is rejected",
        "status": 422,
        "detail": "data.input_tokens: must be a whole number from 0 to 10^15",
        **rule,
        "errors": [rule],
        "reason": "tokens_invalid",
        "position": position,
        "instance": "/v1/events",
    }
    newest = api.get("/v1/rejected", limit=1)["data"][0]
    assert (newest["id"], newest["reason"]) == ("negative", "tokens_invalid")
    assert "event_rejected" in api.send("GET", "/problems/event_rejected", 200).text


def test_a_single_event_that_is_a_conflict_is_answered_409_and_is_in_the_log(api: Api) -> None:
    first, other = llm_request("taken", "cora"), llm_request("taken", "cora", input_tokens=77)
    assert api.deliver_bytes(msgspec.json.encode(first), CLOUDEVENT)["counts"]["counted"] == 1
    problem = api.deliver_bytes(msgspec.json.encode(other), CLOUDEVENT, status=409)
    assert (problem["type"], problem["detail"]) == (
        "/problems/event_conflict",
        "an earlier event of source 'gateway' has the id 'taken' and other content",
    )
    assert [one["id"] for one in api.get("/v1/rejected", outcome="conflict", limit=1)["data"]] == ["taken"]
    assert api.deliver_bytes(msgspec.json.encode(first), CLOUDEVENT)["counts"]["duplicate"] == 1


@pytest.mark.parametrize("content_type", [JSON, NDJSON, "application/cloudevents-batch+json"])
def test_a_batch_of_one_event_that_is_not_counted_is_answered_200_with_counts(api: Api, content_type: str) -> None:
    event = msgspec.json.encode(llm_request(f"bad {content_type}", input_tokens=-1))
    body = b"[" + event + b"]" if "batch" in content_type else event
    assert api.deliver_bytes(body, content_type)["counts"]["rejected"] == 1


@pytest.mark.parametrize(
    ("content_type", "body", "counted"),
    [
        (CLOUDEVENT, msgspec.json.encode(llm_request("c1")), 1),
        ("application/cloudevents-batch+json; charset=UTF-8", msgspec.json.encode([llm_request("c2")]), 1),
        (JSON, msgspec.json.encode(llm_request("c3")), 1),
        (JSON + ";charset=utf-8", msgspec.json.encode([llm_request("c4"), llm_request("c5")]), 2),
        (NDJSON, msgspec.json.encode(llm_request("c6")) + b"\n\n" + msgspec.json.encode(llm_request("c7")), 2),
        (JSON, b"[]", 0),
        (NDJSON, b"", 0),
    ],
)
def test_one_event_a_batch_or_lines_are_accepted(api: Api, content_type: str, body: bytes, counted: int) -> None:
    answer = api.send("POST", "/v1/events", 200, {"Content-Type": content_type}, content=body)
    receipt = answer.json()
    assert receipt["counts"] == {"counted": counted, "duplicate": 0, "conflict": 0, "rejected": 0}
    assert answer.headers["Meterfold-Position"] == str(receipt["position"])


@pytest.mark.parametrize("content_type", ["", "text/csv", JSON + "; charset=latin-1"])
def test_an_unknown_format_is_refused_as_a_whole(api: Api, content_type: str) -> None:
    before = api.get("/v1/operations/status")["head"]
    problem = api.deliver_bytes(b"[]", content_type, status=415)
    assert (problem["type"], api.get("/v1/operations/status")["head"]) == ("/problems/media_type_unsupported", before)


def test_a_body_with_more_events_than_allowed_is_refused_as_a_whole(tmp_path: Path) -> None:
    with engine_on(tmp_path, SettableClock(), http_body_events_max=3) as engine, http(engine) as api:
        assert api.deliver_bytes(b"[0,0,0]", JSON)["counts"]["rejected"] == 3
        for body, content_type in ((b"[0,0,0,0]", JSON), (b"0\n0\n0\n0", NDJSON)):
            problem = api.deliver_bytes(body, content_type, status=413)
            assert (problem["type"], problem["detail"]) == (
                "/problems/body_too_large",
                "body must have at most 3 items",
            )
        answer = api.send("POST", "/litellm/logs", 413, content=b"[0,0,0,0]").json()
        assert answer["error"]["message"] == "body must have at most 3 items"
        assert len(api.pages("/v1/rejected")) == 3


def test_a_body_above_the_bound_is_refused_as_a_whole(api: Api) -> None:
    before = api.get("/v1/operations/status")["head"]
    assert api.deliver_bytes(b" " * (64 * 1024 + 1), JSON, status=413)["type"] == "/problems/body_too_large"
    assert api.get("/v1/operations/status")["head"] == before


@pytest.mark.parametrize("customer", ["header-customer", "zoë/ä"])
def test_the_customer_may_come_in_a_header(api: Api, customer: str) -> None:
    event = {name: value for name, value in llm_request(f"h {customer}").items() if name != "subject"}
    headers = {"Content-Type": JSON, "X-Meterfold-Customer": customer.encode().decode("latin-1")}
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    api.send("POST", "/v1/events", 200, dict(raw), content=msgspec.json.encode(event))  # type: ignore[arg-type]
    assert api.get("/v1/events/one", source="gateway", id=f"h {customer}")["event"]["customer"] == customer


def test_a_customer_header_that_is_no_id_refuses_the_request(api: Api) -> None:
    headers = {"Content-Type": JSON, "X-Meterfold-Customer": ".."}
    problem = api.send("POST", "/v1/events", 422, headers, content=b"[]").json()
    assert (problem["type"], problem["field"]) == ("/problems/id_invalid", "X-Meterfold-Customer")


def test_the_receipt_of_what_was_counted_needs_no_query(tmp_path: Path) -> None:
    with engine_on(tmp_path, SettableClock()) as engine, http(engine) as api:
        api.deliver([llm_request("before")])
        reads, engine.reads = engine.reads, UnqueriedReadStore(engine.reads)
        try:
            receipt = api.deliver([llm_request("r1"), llm_request("r2")])
            with pytest.raises(AssertionError, match="was queried"):
                api.deliver([llm_request("r1")])
        finally:
            engine.reads = reads
        again = api.deliver([llm_request("r2")])
    position = receipt.pop("position")
    counts = {"counted": 2, "duplicate": 0, "conflict": 0, "rejected": 0}
    assert receipt == {"counts": counts, "outcomes": [], "outcomes_truncated": False, "warnings": []}
    assert again["position"] > position
    assert again["counts"] == {"counted": 0, "duplicate": 1, "conflict": 0, "rejected": 0}


def test_respond_async_is_answered_after_the_append(api: Api) -> None:
    headers = {"Prefer": "wait=5, respond-async", "Content-Type": JSON}
    answer = api.send("POST", "/v1/events", 202, headers, content=msgspec.json.encode(llm_request("async")))
    position = answer.json()["position"]
    assert answer.headers["Preference-Applied"] == "respond-async"
    assert answer.headers["Meterfold-Position"] == str(position)
    assert api.get("/v1/events/one", source="gateway", id="async", min_position=position)["outcome"] == "counted"


def test_what_is_not_counted_in_time_is_answered_202_and_counted_later(slow: tuple[EmbeddedEngine, Api]) -> None:
    engine, api = slow
    with engine.fold.paused:
        answer = api.send("POST", "/v1/events", 202, json=llm_request("late"))
        position = answer.json()["position"]
        assert "Preference-Applied" not in answer.headers
        problem = api.refused("GET", f"/v1/usage?min_position={position}", 503)
        assert problem["type"] == "/problems/not_folded_yet"
        assert api.send("POST", "/v1/customers", 202, json={"id": "later"}).json()["position"] == position + 1
    assert engine.wait_folded(position + 1, 10)
    assert api.get("/v1/events/one", source="gateway", id="late")["outcome"] == "counted"
    assert api.get("/v1/customers/later")["origin"] == "explicit"


def test_a_command_that_changes_nothing_waits_for_what_made_it_needless(slow: tuple[EmbeddedEngine, Api]) -> None:
    engine, api = slow
    with engine.fold.paused:
        position = api.send("POST", "/v1/customers", 202, json={"id": "ann", "name": "Ann"}).json()["position"]
        again = api.send("PATCH", "/v1/customers/ann", 202, json={"name": "Ann"})
        assert again.json() == {"position": position}
    assert engine.wait_folded(position, 10)
    assert api.send("PATCH", "/v1/customers/ann", 200, json={"name": "Ann"}).json()["name"] == "Ann"


def test_waiting_for_a_position_never_reached_delays_no_other_request(slow: tuple[EmbeddedEngine, Api]) -> None:
    _, api = slow
    assert api.send("GET", "/v1/usage?min_position=1000000", 503).headers["Retry-After"] == "1"
    assert api.deliver([llm_request("next")])["counts"]["counted"] == 1


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize(
    ("error", "code"),
    [
        (IntakeFull("full"), "intake_full"),
        (IntakeUnavailable("gone"), "intake_unavailable"),
        (LogUnavailable("disk full"), "log_unavailable"),
    ],
)
def test_an_intake_that_refuses_is_answered_503(tmp_path: Path, error: Exception, code: str, at_once: bool) -> None:
    with engine_on(tmp_path, SettableClock()) as engine, http(engine) as working:
        taking, engine.intake = engine.intake, RefusingIntake(error, at_once)
        try:
            api = Api(TestClient(create_app(engine)), working.key)
            answer = api.send("POST", "/v1/events", 503, json=[])
        finally:
            engine.intake = taking
    assert (answer.json()["type"], answer.headers["Retry-After"]) == (f"/problems/{code}", "1")
