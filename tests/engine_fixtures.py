"""The real engine in one process, with a clock that tests set, and its HTTP API without a network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
from starlette.testclient import TestClient

from api.app import create_app
from consumers.bootstrap import open_engine
from consumers.embedded.engine import EmbeddedEngine
from consumers.settings import Settings
from domain.api_keys.commands import IssueApiKey
from domain.event import Provenance
from domain.scope import DEFAULT_SCOPE, Scope

JsonObject = dict[str, Any]

NDJSON = "application/x-ndjson"
CLOUDEVENT = "application/cloudevents+json"
CLOUDEVENTS = "application/cloudevents-batch+json"
NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)
_BY_TEST = Provenance("test")
_JSON = msgspec.json.Encoder(decimal_format="number")


class SettableClock:
    """A clock that stands still until a test sets or advances it."""

    def __init__(self, now: datetime = NOON) -> None:
        self._now = now

    def __call__(self) -> datetime:
        return self._now

    def set(self, now: datetime) -> None:
        assert now >= self._now, "time does not run backwards"
        self._now = now

    def advance(self, **by: float) -> None:
        self._now += timedelta(**by)


@contextmanager
def engine_on(folder: Path, clock: SettableClock, **settings: Any) -> Iterator[EmbeddedEngine]:
    """An engine on a data folder, in this process alone; nothing but the fold runs in the background."""
    chosen: JsonObject = {"http_write_wait_seconds_max": 60.0, "duckdb_threads": 1}
    chosen |= {"respan_minute_requests_max": 0, **settings}
    with open_engine(Settings(data_dir=folder, intake_process=False, **chosen), clock=clock) as engine:
        yield engine


def key_for(engine: EmbeddedEngine, scope: Scope = DEFAULT_SCOPE, *scopes: str) -> str:
    """A new key of this scope, admin unless other scopes are named."""
    issued = engine.commands.handle(IssueApiKey(scope, _BY_TEST, scopes or ("admin",)))
    assert issued.position is not None
    assert engine.wait_folded(issued.position, 60)
    return issued.state.secret


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


@dataclass(frozen=True)
class Api:
    """Requests with one key. Answers other than the expected status are errors that show their body."""

    client: TestClient
    key: str

    def send(
        self, method: str, path: str, status: int | None, headers: Mapping[str, str | bytes] | None = None, **rest: Any
    ) -> Any:
        given = {"Authorization": f"Bearer {self.key}", **(headers or {})}
        sent = {_bytes(name): _bytes(value) for name, value in given.items()}
        answer = self.client.request(method, path, headers=sent, **rest)
        if status is not None and answer.status_code != status:
            raise AssertionError(f"{method} {path} answered {answer.status_code}, not {status}: {answer.text[:2000]}")
        return answer

    def get(self, path: str, **params: str | int) -> Any:
        return self.send("GET", path, 200, params=params).json()

    def refused(self, method: str, path: str, status: int, body: JsonObject | None = None) -> Any:
        """The problem that this request is answered with."""
        return self.send(method, path, status, **({} if body is None else {"json": body})).json()

    def post(self, path: str, body: JsonObject | None = None, status: int = 201) -> Any:
        return self.send("POST", path, status, json=body).json()

    def patch(self, path: str, body: JsonObject, status: int = 200) -> Any:
        headers = {"Content-Type": "application/merge-patch+json"}
        return self.send("PATCH", path, status, headers, content=_JSON.encode(body)).json()

    def delete(self, path: str) -> None:
        answer = self.send("DELETE", path, None)
        assert answer.status_code in (200, 204), answer.text

    def deliver(self, events: list[JsonObject], as_lines: bool = False) -> Any:
        """The receipt for some usage events, sent as one batch."""
        body = b"\n".join(_JSON.encode(event) for event in events) if as_lines else _JSON.encode(events)
        return self.deliver_bytes(body, NDJSON if as_lines else CLOUDEVENTS)

    def deliver_bytes(self, body: bytes, content_type: str, status: int = 200) -> Any:
        return self.send("POST", "/v1/events", status, {"Content-Type": content_type}, content=body).json()

    def pages(self, path: str, **params: str | int) -> list[JsonObject]:
        """Everything in a list, page by page."""
        found: list[JsonObject] = []
        page = self.get(path, **params)
        found += page["data"]
        while page["next_cursor"] is not None:
            page = self.get(path, cursor=page["next_cursor"], **params)
            found += page["data"]
        return found


@contextmanager
def http(engine: EmbeddedEngine, key: str | None = None) -> Iterator[Api]:
    with TestClient(create_app(engine)) as client:
        yield Api(client, key or key_for(engine))


def as_listed(answer: JsonObject) -> JsonObject:
    """A price or discount as lists show it: the answer to setting it, without what that tells of costs."""
    return {name: value for name, value in answer.items() if name != "repricing"}


def customer_path(customer: str, rest: str = "") -> str:
    """The path of a customer, whatever its id holds."""
    return f"/v1/customers/{quote(customer, safe='')}{rest}"


def llm_request(event_id: str, customer: str = "ann", time: datetime | None = NOON, **data: Any) -> JsonObject:
    """One usage event of a request to a model; `time` None leaves it out."""
    event: JsonObject = {
        "specversion": "1.0",
        "id": event_id,
        "source": "gateway",
        "type": "llm.request",
        "subject": customer,
        "data": {"provider": "acme", "model": "swift", "input_tokens": 100, "output_tokens": 10, **data},
    }
    return event if time is None else {**event, "time": time.isoformat()}
