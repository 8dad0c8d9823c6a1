"""One engine per test file, with helpers that send requests as Respan's clients do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from consumers.embedded.engine import EmbeddedEngine
from tests.engine_fixtures import Api, SettableClock, engine_on, http, llm_request

MARCH_25 = datetime(2026, 3, 25, 10, 24, 37, tzinfo=UTC)
USERS = "/respan/api/users"

#: Report that a customer spent so many dollars at an instant (None: now); optionally on a model.
Spend = Callable[..., None]


@pytest.fixture(scope="module")
def clock() -> SettableClock:
    return SettableClock(MARCH_25)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory, clock: SettableClock) -> Iterator[EmbeddedEngine]:
    with engine_on(tmp_path_factory.mktemp("engine"), clock) as engine:
        yield engine


@pytest.fixture(scope="module")
def api(engine: EmbeddedEngine) -> Iterator[Api]:
    with http(engine) as api:
        yield api


@pytest.fixture(scope="module")
def spend(api: Api, clock: SettableClock) -> Spend:
    ids = iter(range(1_000_000))

    def report(customer: str, usd: str | float, at: datetime | None = None, **data: Any) -> None:
        event = llm_request(f"spend-{next(ids)}", customer, at or clock(), cost_usd=str(usd), **data)
        assert api.deliver([event])["counts"]["counted"] == 1

    return report


def user(api: Api, customer: str, **params: str) -> Any:
    """A customer as GET answers it."""
    return api.get(f"{USERS}/{customer}/", **params)


def updated(api: Api, customer: str, **members: Any) -> Any:
    """A customer as PATCH answers it."""
    return api.send("PATCH", f"{USERS}/{customer}/", 200, json=members).json()
