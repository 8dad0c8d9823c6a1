"""The clock of the tests, with helpers that send requests as Respan's clients do."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.engine_fixtures import Api, SettableClock

MARCH_25 = datetime(2026, 3, 25, 10, 24, 37, tzinfo=UTC)
USERS = "/respan/api/users"


@pytest.fixture(scope="module")
def clock() -> SettableClock:
    return SettableClock(MARCH_25)


def user(api: Api, customer: str, **params: str) -> Any:
    """A customer as GET answers it."""
    return api.get(f"{USERS}/{customer}/", **params)


def updated(api: Api, customer: str, **members: Any) -> Any:
    """A customer as PATCH answers it."""
    return api.send("PATCH", f"{USERS}/{customer}/", 200, json=members).json()
