"""One engine per test file; every test uses ids of its own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from consumers.embedded.engine import EmbeddedEngine
from tests.engine_fixtures import Api, SettableClock, engine_on, http

MARCH_TENTH = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def clock() -> SettableClock:
    return SettableClock(MARCH_TENTH)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory, clock: SettableClock) -> Iterator[EmbeddedEngine]:
    folder = tmp_path_factory.mktemp("engine")
    with engine_on(folder, clock, http_body_bytes_max=64 * 1024, http_write_wait_seconds_max=10) as engine:
        yield engine


@pytest.fixture(scope="module")
def api(engine: EmbeddedEngine) -> Iterator[Api]:
    with http(engine) as api:
        yield api
