"""A reader follows GET /v1/customers/{id}/access through few files, and returns to none often.

The walk lists the files in the order in which a reader meets them: one entry each time a function that was not met
before runs in another file than the function before it. What every request passes (middleware, metrics) and the values
that know nothing of metering (money, instants, periods of time) are left out.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from types import FrameType
from typing import Any

import httpx
import pytest

from api.app import create_app
from consumers.embedded.engine import EmbeddedEngine
from tests.engine_fixtures import Api, llm_request
from tests.meterfold_process import ROOT

FILES_MAX = 25
RETURNS_MAX = 2
ROOMS = ("api", "consumers", "projections", "domain")
LEFT_OUT = ("api/http/middleware/", "api/http/metrics/", "domain/values/")


class Walk:
    """Notes the functions of the four rooms that run, each once, in this thread and in those that it starts."""

    def __init__(self) -> None:
        self._met: dict[tuple[str, str], None] = {}

    def __enter__(self) -> Walk:
        threading.setprofile(self._note)
        sys.setprofile(self._note)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)
        threading.setprofile(None)

    def _note(self, frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if event == "call" and not code.co_name.startswith("<") and code.co_filename.startswith(str(ROOT)):
            self._met[str(Path(code.co_filename).relative_to(ROOT)), code.co_qualname] = None

    def entries(self) -> Iterator[tuple[str, list[str]]]:
        """The files in order, each with the functions met there."""
        met = [(file, name) for file, name in self._met if file.startswith(ROOMS) and not file.startswith(LEFT_OUT)]
        for file, names in groupby(met, key=lambda one: one[0]):
            yield file, [name for _, name in names]


@pytest.fixture(scope="module")
def walk(api: Api, engine: EmbeddedEngine) -> list[tuple[str, list[str]]]:
    """The walk of the first such request about a customer with usage, with a tier and with a limit of its own."""
    api.post("/v1/budgets", {"id": "gold", "period_limit_usd": "5", "duration": "30d"})
    api.post("/v1/customers", {"id": "ada", "budget": {"budget_id": "gold", "total_limit_usd": "100"}})
    api.deliver([llm_request("1", "ada", None, cost_usd="0.25")])
    walk = Walk()

    async def ask() -> Any:
        transport = httpx.ASGITransport(create_app(engine))
        async with httpx.AsyncClient(transport=transport, base_url="http://walk") as client:
            await client.get("/healthz")  # the first request of an application prepares its routes
            with walk:  # the thread that answers is started by this request
                return await client.get("/v1/customers/ada/access", headers={"X-API-Key": api.key})

    limits = asyncio.run(ask()).json()["limits"]
    assert [(one["name"], one["spent"]) for one in limits] == [("period", "0.25"), ("total", "0.25")]
    return list(walk.entries())


def shown(walk: list[tuple[str, list[str]]]) -> str:
    return "\n".join(f"{file}: {', '.join(names)}" for file, names in walk)


def test_a_reader_enters_few_files(walk: list[tuple[str, list[str]]]) -> None:
    files = {file for file, _ in walk}
    assert {"api/native/routes/usage.py", "projections/views/budget_state.py"} <= files
    assert len(files) <= FILES_MAX, f"{len(files)} files:\n{shown(walk)}"


def test_a_reader_returns_to_no_file_more_than_twice(walk: list[tuple[str, list[str]]]) -> None:
    returns = {file: count - 1 for file, count in Counter(file for file, _ in walk).items()}
    assert {file: count for file, count in returns.items() if count > RETURNS_MAX} == {}, shown(walk)
