"""The state of the application that routes use, and the dependencies that hand it to them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Annotated, Final, cast

from fastapi import Depends
from starlette.requests import HTTPConnection

from api.http.dialect import Dialects
from api.http.fold_waiting import FoldWaiter
from api.http.metrics.metrics import Metrics
from consumers.engine import Engine
from domain.values.rate_limits import RateLimiter

MINUTE_SECONDS: Final = 60.0


class ApiState:
    """The engine, with metrics, dialects, the waiting for the fold and limits of requests. One per application."""

    def __init__(
        self, engine: Engine, metrics: Metrics, dialects: Dialects, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.engine = engine
        self.metrics = metrics
        self.dialects = dialects
        self.fold = FoldWaiter(engine)
        #: Seconds of a clock that never runs backwards.
        self.monotonic = monotonic
        self.requests_in_a_minute = RateLimiter(MINUTE_SECONDS)
        #: Held for each step of converting a body, so that bodies are converted in turns, in one thread at a time.
        self.conversions = asyncio.Lock()
        #: Held while a long receipt is read and written.
        self.long_receipts = asyncio.Lock()


def state_of(connection: HTTPConnection) -> ApiState:
    """The state of the application that serves this connection."""
    return cast(ApiState, connection.app.state.meterfold)


# These are async although they do not wait: FastAPI hands any other dependency to a thread, for each request.
async def _state(connection: HTTPConnection) -> ApiState:
    return state_of(connection)


async def _engine(connection: HTTPConnection) -> Engine:
    return state_of(connection).engine


StateOf = Annotated[ApiState, Depends(_state)]
EngineOf = Annotated[Engine, Depends(_engine)]
