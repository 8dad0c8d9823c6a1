"""Requests to /users are limited in number a minute for each organization, and refused in Respan's shape."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from consumers.embedded.engine import EmbeddedEngine
from consumers.settings import Settings
from domain.scope import DEFAULT_SCOPE, Scope
from tests.api.dialects.respan.conftest import USERS
from tests.engine_fixtures import Api, SettableClock, engine_on, key_for

LIMIT = 60


class Seconds:
    """A clock that tests set."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory, clock: SettableClock) -> Iterator[EmbeddedEngine]:
    limit = Settings.model_fields["respan_minute_requests_max"].default
    with engine_on(tmp_path_factory.mktemp("engine"), clock, respan_minute_requests_max=limit) as engine:
        yield engine


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def api(engine: EmbeddedEngine, seconds: Seconds) -> Iterator[Api]:
    with TestClient(create_app(engine, monotonic=seconds)) as client:
        yield Api(client, key_for(engine))


def statuses(api: Api, count: int, path: str = f"{USERS}/nobody/") -> list[int]:
    return [api.send("GET", path, None).status_code for _ in range(count)]


def test_one_request_too_many_is_told_when_to_come_again(api: Api, seconds: Seconds) -> None:
    assert statuses(api, LIMIT) == [404] * LIMIT
    seconds.now += 29.5
    answer = api.send("GET", f"{USERS}/nobody/", 429)
    assert answer.json() == {"detail": "Rate limit exceeded", "retry_after": 31}
    assert answer.headers["Retry-After"] == "31"
    seconds.now += 30.5
    assert statuses(api, LIMIT + 1) == [404] * LIMIT + [429]


def test_every_route_of_users_counts_and_no_other_one(api: Api) -> None:
    paths = (f"{USERS}/list/", f"{USERS}/nobody", f"{USERS}/nobody/?environment=test")
    for number in range(LIMIT):
        api.send("GET", paths[number % len(paths)], None)
    assert api.send("PATCH", f"{USERS}/nobody/", 429, json={}).json()["detail"] == "Rate limit exceeded"
    assert api.send("POST", f"{USERS}/list/", 429).json()["detail"] == "Rate limit exceeded"
    api.get("/v1/customers")
    api.get("/customer/list")


def test_each_organization_has_its_own_limit_over_both_environments(api: Api, engine: EmbeddedEngine) -> None:
    other, same = (
        Api(api.client, key_for(engine, scope)) for scope in (Scope("acme", "prod"), Scope("default", "test"))
    )
    assert statuses(api, LIMIT + 1)[-1] == 429
    assert (statuses(other, 1), statuses(same, 1)) == ([404], [429])


def test_requests_without_a_key_that_may_ask_do_not_count(api: Api, engine: EmbeddedEngine) -> None:
    ingester = Api(api.client, key_for(engine, DEFAULT_SCOPE, "ingest"))
    assert set(statuses(ingester, LIMIT)) == {403}
    assert set(statuses(Api(api.client, "sk-unknown"), LIMIT)) == {401}
    assert statuses(api, 1) == [404]


def test_of_requests_at_the_same_time_exactly_the_limit_is_answered(api: Api) -> None:
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: api.send("GET", f"{USERS}/nobody/", None).status_code, range(2 * LIMIT)))
    assert sorted(found) == [404] * LIMIT + [429] * LIMIT


def test_zero_sets_no_limit(tmp_path: Path, clock: SettableClock, seconds: Seconds) -> None:
    with (
        engine_on(tmp_path, clock, respan_minute_requests_max=0) as engine,
        TestClient(create_app(engine, monotonic=seconds)) as client,
    ):
        assert set(statuses(Api(client, key_for(engine)), LIMIT + 1)) == {404}
