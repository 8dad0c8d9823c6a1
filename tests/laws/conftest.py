"""One real engine for all examples of a law; every example gets an isolated tenant of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engine_fixtures import SettableClock, engine_on, http
from tests.laws.laboratory import Laboratory


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    clock = SettableClock()
    with engine_on(tmp_path_factory.mktemp("data"), clock) as engine, http(engine) as api:
        yield Laboratory(engine, api, clock)
