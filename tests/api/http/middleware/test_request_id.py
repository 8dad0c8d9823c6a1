"""Every request has an id: the one it came with if that is plain, else a new one; in its messages and its answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from starlette.responses import Response
from starlette.testclient import TestClient

from api.app import create_app
from consumers.embedded.engine import EmbeddedEngine
from domain.api_keys.commands import IssueApiKey
from domain.event import Provenance
from domain.scope import Scope
from tests.captured_logs import captured_logs
from tests.fakes.randomness import CountedRandomness

TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE}-b7ad6b7169203331-01"
_logger = structlog.get_logger("test")


@pytest.fixture
def client(engine: EmbeddedEngine) -> Iterator[TestClient]:
    app = create_app(engine, randomness=CountedRandomness())

    def speak() -> Response:
        _logger.info("spoken")
        return Response()

    async def fail() -> Response:
        raise ValueError("on purpose")

    app.add_api_route("/speaks", speak)
    app.add_api_route("/fails", fail)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def messages_of(client: TestClient, path: str, **headers: str) -> tuple[str, list[dict[str, Any]]]:
    """The id that was answered, and the messages about the request."""
    with captured_logs() as lines:
        answer = client.get(path, headers=headers)
    return answer.headers["X-Request-Id"], [dict(line) for line in lines]


@pytest.mark.parametrize("given", ["a", "01J9-Z_.~:/+=@", "x" * 128])
def test_a_plain_id_is_kept(client: TestClient, given: str) -> None:
    answered, lines = messages_of(client, "/speaks", **{"X-Request-Id": given})
    assert (answered, [(line["event"], line["request_id"]) for line in lines]) == (
        given,
        [("spoken", given), ("request", given)],
    )


@pytest.mark.parametrize("given", ["", "x" * 129, "two words", 'a"b', "a;b", "a\tb", "\u00e9".encode()])
def test_any_other_id_is_replaced_by_a_new_one(client: TestClient, given: str | bytes) -> None:
    sent = {b"X-Request-Id": given if isinstance(given, bytes) else given.encode()}
    first, second = (client.get("/speaks", headers=sent).headers["X-Request-Id"] for _ in range(2))
    assert len(first) == len(second) == 32
    assert int(second, 16) != int(first, 16)


def test_the_id_of_one_request_is_not_that_of_the_next(client: TestClient) -> None:
    messages_of(client, "/speaks", **{"X-Request-Id": "before", "traceparent": TRACEPARENT})
    answered, lines = messages_of(client, "/speaks")
    assert answered != "before"
    assert [(line["request_id"], line.get("trace_id")) for line in lines] == [(answered, None)] * 2


def test_an_unexpected_error_is_logged_and_answered_with_the_id(client: TestClient) -> None:
    answered, lines = messages_of(client, "/fails", **{"X-Request-Id": "broken"})
    assert answered == "broken"
    assert [(line["event"], line["request_id"]) for line in lines] == [
        ("request", "broken"),
        ("request_failed", "broken"),
    ]


@pytest.mark.parametrize(
    ("traceparent", "trace_id"),
    [(TRACEPARENT, TRACE), (TRACEPARENT + "-more", TRACE), (TRACE, None), (TRACEPARENT.upper(), None), ("", None)],
)
def test_messages_name_the_trace(client: TestClient, traceparent: str, trace_id: str | None) -> None:
    _, lines = messages_of(client, "/speaks", traceparent=traceparent)
    assert [line.get("trace_id") for line in lines] == [trace_id, trace_id]


def test_messages_name_tenant_environment_and_client(engine: EmbeddedEngine, client: TestClient) -> None:
    issued = engine.commands.handle(IssueApiKey(Scope("acme", "test"), Provenance("test"), ("read",), "dashboard"))
    assert issued.position is not None
    assert engine.wait_folded(issued.position, 60)
    for path in ("/v1/customers", "/customer/list"):
        _, (line,) = messages_of(client, path, Authorization=f"Bearer {issued.state.secret}")
        assert (line["tenant"], line["environment"], line["client"]) == ("acme", "test", "dashboard")
        assert issued.state.secret not in repr(line)
