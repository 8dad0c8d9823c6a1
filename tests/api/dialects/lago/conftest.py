"""The clock of the tests, with helpers that send requests as Lago's clients do."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.engine_fixtures import Api, SettableClock

APRIL_29 = datetime(2026, 4, 29, 8, 59, 51, 123456, tzinfo=UTC)
BASE = "/lago/api/v1"


@pytest.fixture(scope="module")
def clock() -> SettableClock:
    return SettableClock(APRIL_29)


def refusal_of(api: Api, method: str, path: str, **request: Any) -> tuple[int, Any]:
    """The status and the body that a request is answered with."""
    answer = api.send(method, BASE + path, None, **request)
    return answer.status_code, answer.json()
