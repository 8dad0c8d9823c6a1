"""GET /healthz and /readyz: liveness and readiness for load balancers, without a key."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from api.http.problems import RETRY_AFTER_SECONDS
from api.http.state import EngineOf
from api.native.models.operations import Alive, Readiness
from consumers.engine import FoldProgress

router = APIRouter(tags=["health"])


@router.api_route("/healthz", methods=["GET"], response_model=Alive, summary="Check liveness")
async def alive() -> Alive:
    """Answer 200 while the process runs. Needs no key."""
    return Alive()


@router.api_route(
    "/readyz",
    methods=["GET"],
    response_model=Readiness,
    summary="Check readiness",
    responses={503: {"model": Readiness, "description": "Not ready."}},
)
def ready(engine: EngineOf) -> Response:
    """Show how far the fold is behind the log; 503 while the fold has stopped. Needs no key."""
    view = readiness(engine.progress())
    headers = {} if view.ready else {"Retry-After": str(RETRY_AFTER_SECONDS)}
    return Response(view.model_dump_json(), 200 if view.ready else 503, headers, "application/json")


def readiness(progress: FoldProgress) -> Readiness:
    """Convert the progress of the fold to its response."""
    return Readiness(
        ready=progress.failure is None,
        position=progress.position,
        head=progress.head,
        behind_positions=max(0, progress.head - progress.position),
        behind_seconds=progress.behind_seconds,
        failure=progress.failure,
    )
