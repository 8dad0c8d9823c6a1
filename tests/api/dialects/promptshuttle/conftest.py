"""The clock of the tests, with helpers that send requests as PromptShuttle's clients do."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import pytest

from tests.engine_fixtures import Api, JsonObject, SettableClock

FRIDAY: Final = datetime(2026, 11, 20, 10, 24, 37, 500_000, tzinfo=UTC)
BASE: Final = "/promptshuttle/api/v1"


@pytest.fixture(scope="module")
def clock() -> SettableClock:
    return SettableClock(FRIDAY)


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
