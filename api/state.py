"""What every route may use of the running application."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import Depends
from starlette.requests import HTTPConnection

from api.fold_waiting import FoldWaiting
from api.http_metrics import HttpMetrics
from api.problems import ProblemShapes
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


def engine_of(connection: HTTPConnection) -> Engine:
    return state_of(connection).engine


StateOf = Annotated[ApiState, Depends(state_of)]
EngineOf = Annotated[Engine, Depends(engine_of)]
