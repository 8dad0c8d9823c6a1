"""What every route may use of the running application."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import Depends
from starlette.requests import HTTPConnection

from api.http.fold_waiting import FoldWaiting
from api.http.metrics import HttpMetrics
from api.http.problems import ProblemShapes
from consumers.engine import Engine


class ApiState:
    """One per application: the engine and what the api room keeps beside it."""

    def __init__(self, engine: Engine, metrics: HttpMetrics, shapes: ProblemShapes) -> None:
        self.engine = engine
        self.metrics = metrics
        self.shapes = shapes
        self.fold = FoldWaiting(engine)


def state_of(connection: HTTPConnection) -> ApiState:
    return cast(ApiState, connection.app.state.meterfold)


# FastAPI hands every dependency that is not async to another thread, for each request. None of ours blocks.
async def _state(connection: HTTPConnection) -> ApiState:
    return state_of(connection)


async def _engine(connection: HTTPConnection) -> Engine:
    return state_of(connection).engine


StateOf = Annotated[ApiState, Depends(_state)]
EngineOf = Annotated[Engine, Depends(_engine)]
