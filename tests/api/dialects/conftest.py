"""One engine per test file, for every dialect. `clock` is given by the conftest of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest

from consumers.embedded.engine import EmbeddedEngine
from tests.engine_fixtures import Api, SettableClock, engine_on, llm_request

#: Report that a customer spent so many dollars at an instant (None: now); optionally on a model.
Spend = Callable[..., None]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory, clock: SettableClock) -> Iterator[EmbeddedEngine]:
    with engine_on(tmp_path_factory.mktemp("engine"), clock) as engine:
        yield engine


@pytest.fixture(scope="module")
def spend(api: Api, clock: SettableClock) -> Spend:
    ids = iter(range(1_000_000))

    def report(customer: str, usd: str | float, at: datetime | None = None, **data: Any) -> None:
        event = llm_request(f"spend-{next(ids)}", customer, at or clock(), cost_usd=str(usd), **data)
        assert api.deliver([event])["counts"]["counted"] == 1

    return report
