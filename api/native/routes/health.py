"""GET /healthz and /readyz: liveness and readiness for load balancers, without a key."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from fastapi import Query as FromQuery
from starlette.responses import Response

from api.http.problems import RETRY_AFTER_SECONDS
from api.http.state import EngineOf
from api.native.models.operations import Alive, Readiness, ReadinessQuery
from consumers.engine import FoldProgress, Refusals
from projections.storage_errors import storage_refusal

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
def ready(engine: EngineOf, query: Annotated[ReadinessQuery, FromQuery()]) -> Response:
    """Show whether the log can be written and how far it is counted; 503 while writes are refused, the fold has stopped
    or the read store is being opened again. With `for=reads`, 200 also while only writes are refused. Needs no key."""
    progress = engine.progress()
    view = readiness(progress, engine.refusals(), for_reads=query.for_ == "reads")
    view = view.model_copy(update={"failure": _told_without_key(progress)})
    headers = {} if view.ready else {"Retry-After": str(RETRY_AFTER_SECONDS)}
    return Response(view.model_dump_json(), 200 if view.ready else 503, headers, "application/json")


def readiness(progress: FoldProgress, refused: Refusals, *, for_reads: bool = False) -> Readiness:
    """Convert the state of the engine to its response. `for_reads`: it is ready although writes are refused."""
    counted_and_read = progress.failure is None and refused.reads is None
    return Readiness(
        ready=counted_and_read and (for_reads or refused.writes is None),
        position=progress.position,
        head=progress.head,
        behind_positions=max(0, progress.head - progress.position),
        behind_seconds=progress.behind_seconds,
        failure=progress.failure,
        writes_refused=None if refused.writes is None else f"the log cannot be written, {refused.writes}",
        reads_refused=None if refused.reads is None else f"the read store cannot be read, {refused.reads}",
    )


def _told_without_key(progress: FoldProgress) -> str | None:
    """Why the fold has stopped, without what an error may quote from the usage of a tenant."""
    if progress.failure is None:
        return None
    advice = storage_refusal(progress.failure)
    if advice is not None:
        return f"the read store cannot be written, {advice}; the fold then resumes by itself"
    return (
        f"the fold stopped after position {progress.position}; 'meterfold status' and the engine's log have the reason"
    )
