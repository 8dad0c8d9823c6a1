"""The clock of the tests, with helpers that send requests as LiteLLM's clients do."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.engine_fixtures import Api, SettableClock

FRIDAY = datetime(2026, 11, 20, 10, 24, 37, 500_000, tzinfo=UTC)


@pytest.fixture(scope="module")
def clock() -> SettableClock:
    return SettableClock(FRIDAY)


def spend_of(api: Api, customer: str) -> Any:
    return api.get("/customer/info", end_user_id=customer)["spend"]


def made(api: Api, customer: str, **members: Any) -> Any:
    """The customer as /customer/new answers it."""
    return api.post("/customer/new", {"user_id": customer, **members}, 200)


def updated(api: Api, customer: str, **members: Any) -> Any:
    return api.post("/customer/update", {"user_id": customer, **members}, 200)
