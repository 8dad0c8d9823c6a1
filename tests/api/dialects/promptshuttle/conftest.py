"""One engine per test file, with helpers that send requests as PromptShuttle's clients do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

import pytest

from consumers.embedded.engine import EmbeddedEngine
from tests.engine_fixtures import Api, JsonObject, SettableClock, engine_on, http, llm_request

FRIDAY: Final = datetime(2026, 11, 20, 10, 24, 37, 500_000, tzinfo=UTC)
BASE: Final = "/promptshuttle/api/v1"

#: Report that a customer spent so many dollars at an instant (None: now).
Spend = Callable[..., None]


@pytest.fixture(scope="module")
def clock() -> SettableClock:
    return SettableClock(FRIDAY)


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

    def report(customer: str, usd: str, at: datetime | None = None, **data: Any) -> None:
        event = llm_request(f"spend-{next(ids)}", customer, at or clock(), cost_usd=usd, **data)
        assert api.deliver([event])["counts"]["counted"] == 1

    return report


def created(api: Api, external_id: str, **members: Any) -> JsonObject:
    """The customer as POST /customers answers it."""
    shown: JsonObject = api.post(f"{BASE}/customers", {"externalId": external_id, **members})
    return shown


def changed(api: Api, customer: str, **members: Any) -> JsonObject:
    shown: JsonObject = api.send("PUT", f"{BASE}/customers/{customer}", 200, json=members).json()
    return shown


def listed(api: Api) -> list[JsonObject]:
    shown: list[JsonObject] = api.get(f"{BASE}/customers")
    return shown
