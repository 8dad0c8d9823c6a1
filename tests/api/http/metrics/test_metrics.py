"""What is counted as it happens: refused customers, requests without a key, and writes that the log refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from consumers.embedded.engine import EmbeddedEngine
from domain.errors import Fenced, LogUnavailable
from domain.scope import DEFAULT_SCOPE
from tests.engine_fixtures import Api, key_for


def count_of(api: Api, series: str) -> float:
    """The value of a counter. A series that does not exist is an error."""
    lines = api.send("GET", "/metrics", 200).text.splitlines()
    (found,) = [line for line in lines if line.startswith(series + " ")]
    return float(found.rpartition(" ")[2])


def added_by(api: Api, series: str, act: Callable[[], object]) -> float:
    before = count_of(api, series)
    act()
    return count_of(api, series) - before


@pytest.mark.parametrize(
    ("customer", "body", "decision", "reason"),
    [
        ("new", None, "allowed", "new_customer"),
        ("fine", {}, "allowed", "ok"),
        ("spent", {"budget": {"total_limit_usd": "0"}}, "refused", "total_limit"),
    ],
)
@pytest.mark.parametrize("dialect", ["native", "litellm", "respan"])
def test_every_answer_about_access_is_counted_by_its_reason(
    api: Api, customer: str, body: dict[str, object] | None, decision: str, reason: str, dialect: str
) -> None:
    name = f"{customer} {dialect}"
    if body is not None:
        api.post("/v1/customers", {"id": name, **body})
    series = f'meterfold_access_decisions_total{{decision="{decision}",reason="{reason}"}}'
    asked = {"customer": name, "as": dialect}
    assert added_by(api, series, lambda: api.send("GET", "/v1/customer/access", None, params=asked)) == 1


@pytest.mark.parametrize("path", ["/v1/customers", "/customer/list"])
@pytest.mark.parametrize("key", ["sk-unknown", "nonsense"])
def test_requests_without_a_valid_key_are_counted(api: Api, path: str, key: str) -> None:
    failures = "meterfold_authentication_failures_total"
    assert added_by(api, failures, lambda: Api(api.client, key).send("GET", path, 401)) == 1
    assert added_by(api, failures, lambda: api.send("GET", path, 200)) == 0


@pytest.mark.parametrize(("path", "status"), [("/v1/customers", 403), ("/customer/new", 401)])
def test_requests_that_need_another_key_are_not(engine: EmbeddedEngine, api: Api, path: str, status: int) -> None:
    reader = Api(api.client, key_for(engine, DEFAULT_SCOPE, "read"))
    failures = "meterfold_authentication_failures_total"
    assert added_by(api, failures, lambda: reader.refused("POST", path, status, {"id": "x", "user_id": "x"})) == 0


@pytest.fixture
def refusing(engine: EmbeddedEngine, api: Api) -> Iterator[Api]:
    """An application with a route whose write the log refuses, and one where another writer came first."""
    app = create_app(engine)

    async def write() -> None:
        raise LogUnavailable("the disk is full")

    async def write_too_late() -> None:
        raise Fenced("another writer")

    app.add_api_route("/writes", write)
    app.add_api_route("/late", write_too_late)
    with TestClient(app) as client:
        yield Api(client, api.key)


def test_a_write_that_the_log_refused_is_counted(refusing: Api) -> None:
    failures = "meterfold_append_failures_total"
    assert added_by(refusing, failures, lambda: refusing.refused("GET", "/writes", 503)) == 1
    assert added_by(refusing, failures, lambda: refusing.refused("GET", "/late", 503)) == 0
    assert added_by(refusing, failures, lambda: refusing.refused("GET", "/nowhere", 404)) == 0
