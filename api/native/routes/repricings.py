"""Routes of re-pricing runs: open, preview, commit, revert."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final, cast

from anyio import to_thread
from fastapi import APIRouter, Depends
from fastapi import Query as FromQuery
from starlette.requests import Request
from starlette.responses import Response

from api.http.authentication import Administrator, Reader
from api.http.bodies import body_of, body_openapi
from api.http.paging import cursor_text, cursor_values, page, rows_to_read
from api.http.problems import Problem, found_or_404
from api.http.reading import WAIT_FOR_MIN_POSITION, reading
from api.http.state import ApiState, StateOf
from api.http.writing import ACCEPTED, ReasonGiven, answer_command, optional_bound, provenance_of
from api.native.models.field_types import AsOfPageQuery, AsOfQuery
from api.native.models.repricings import (
    CommitGiven,
    PreviewQuery,
    RepricingGiven,
    RepricingPage,
    RepricingPreviewView,
    RepricingView,
)
from api.native.views.repricings import preview_view, repricing_view
from domain.repricings.commands import CommitRepricing, OpenRepricing, RevertRepricing
from domain.repricings.repricing_range import GivenCosts, RepricingRange
from domain.scope import Scope
from projections.queries.repricing import RepricingRecord
from projections.queries.snapshot import Snapshot
from projections.views.repricing import repricing_preview

router = APIRouter(tags=["repricings"])
_LIST: Final = "repricings"
_PREVIEW: Final = "preview"
_ONE: Final = "/v1/repricings/{name:segment}"


@router.get(
    "/v1/repricings",
    response_model=RepricingPage,
    dependencies=[WAIT_FOR_MIN_POSITION],
    summary="List re-pricing runs",
)
def list_repricings(state: StateOf, key: Reader, query: Annotated[AsOfPageQuery, FromQuery()]) -> RepricingPage:
    """The re-pricing runs of the tenant, by name."""
    after = cursor_values(_LIST, query.cursor, str)
    with reading(state, query, key.scope) as asked:
        rows = asked.snapshot.repricings(key.scope, after, rows_to_read(query.limit))
        shown, next_cursor = page(rows, query.limit, _LIST, lambda run: run.name)
        return RepricingPage(
            position=asked.position,
            now=asked.now,
            data=[repricing_view(run, asked.position, asked.now) for run in shown],
            next_cursor=next_cursor,
        )


@router.post(
    "/v1/repricings",
    response_model=RepricingView,
    status_code=201,
    responses=ACCEPTED,
    openapi_extra=body_openapi(RepricingGiven),
    summary="Open a re-pricing run",
)
async def open_repricing(
    request: Request,
    state: StateOf,
    key: Administrator,
    given: Annotated[RepricingGiven, Depends(body_of(RepricingGiven))],
    reason: ReasonGiven,
) -> Response:
    """Name a run that gives the events in a range the costs of the prices known now. It changes no number: look at its
    preview, then commit it. 409 when the name is in use."""
    asked = RepricingRange(
        models=tuple(given.models),
        provider=given.provider,
        customers=tuple(given.customers),
        start=optional_bound("from", given.from_),
        end=optional_bound("to", given.to),
        given_costs=cast(GivenCosts, given.given_costs),  # the domain checks it
    )
    command = OpenRepricing(key.scope, provenance_of(key, reason), given.name, asked)
    return await answer_command(request, state, command, _show(state, key.scope, given.name), 201)


@router.get(_ONE, response_model=RepricingView, dependencies=[WAIT_FOR_MIN_POSITION], summary="Show a re-pricing run")
def get_repricing(state: StateOf, key: Reader, name: str, query: Annotated[AsOfQuery, FromQuery()]) -> RepricingView:
    """Show one run, and what became of it. 404 when there is none with this name."""
    with reading(state, query, key.scope) as asked:
        return repricing_view(_run(asked.snapshot, key.scope, name), asked.position, asked.now)


@router.get(
    _ONE + "/preview",
    response_model=RepricingPreviewView,
    dependencies=[WAIT_FOR_MIN_POSITION],
    summary="Preview a re-pricing run",
)
def preview_repricing(
    state: StateOf, key: Reader, name: str, query: Annotated[PreviewQuery, FromQuery()]
) -> RepricingPreviewView:
    """What the run would change: in all, and by customer and usage period before, after and difference. Of a run that
    was committed, the preview that it was committed with. Every page reads the whole range. 404 when there is no run
    with this name."""
    after = cursor_values(_PREVIEW, query.cursor, str)
    with reading(state, query, key.scope) as asked:
        run = _run(asked.snapshot, key.scope, name)
        snapshot = asked.snapshot if run.previewed_at is None else asked.snapshot.as_of(run.previewed_at)
        preview = repricing_preview(snapshot, key.scope, run.range, asked.now, after, query.limit)
        next_cursor = cursor_text(_PREVIEW, preview.last_customer) if preview.has_more else None
        return preview_view(run, preview, asked.position, asked.now, next_cursor)


@router.post(
    _ONE + "/commit",
    response_model=RepricingView,
    responses=ACCEPTED,
    openapi_extra=body_openapi(CommitGiven),
    summary="Commit a re-pricing run",
)
async def commit_repricing(
    request: Request,
    state: StateOf,
    key: Administrator,
    name: str,
    given: Annotated[CommitGiven, Depends(body_of(CommitGiven))],
    reason: ReasonGiven,
) -> Response:
    """Give the events of the range the previewed costs, all at once. Both costs stay visible with each event, and
    ended periods are marked restated. Done once; a repetition changes nothing. 404 when there is no run with this name,
    409 when it was reverted."""
    await to_thread.run_sync(_check_preview, state, key.scope, name, given.previewed_at)
    command = CommitRepricing(key.scope, provenance_of(key, reason), name, given.previewed_at)
    return await answer_command(request, state, command, _show(state, key.scope, name))


@router.post(_ONE + "/revert", response_model=RepricingView, responses=ACCEPTED, summary="Revert a re-pricing run")
async def revert_repricing(
    request: Request, state: StateOf, key: Administrator, name: str, reason: ReasonGiven
) -> Response:
    """Give the events of a committed run the costs that they had before it, all at once, as far as nothing else has
    changed them since. A repetition changes nothing. 404 when there is no run with this name, 409 when it was not
    committed."""
    command = RevertRepricing(key.scope, provenance_of(key, reason), name)
    return await answer_command(request, state, command, _show(state, key.scope, name))


def _check_preview(state: ApiState, scope: Scope, name: str, previewed_at: int) -> None:
    """Check that a run could be previewed at a log position; whether it exists is left to the command."""
    with state.engine.reads.snapshot() as snapshot:
        run, position = snapshot.repricing(scope, name), snapshot.point().position
    if run is not None and not run.opened_position <= previewed_at <= position:
        raise Problem.invalid("previewed_at", "must be the position that a preview of the run named")


def _run(snapshot: Snapshot, scope: Scope, name: str) -> RepricingRecord:
    found: Any = found_or_404(snapshot.repricing(scope, name), "re-pricing", name)
    run: RepricingRecord = found
    return run


def _show(state: ApiState, scope: Scope, name: str) -> Callable[[Snapshot], RepricingView | None]:
    """Show the run as it is now."""
    return lambda snapshot: repricing_view(_run(snapshot, scope, name), snapshot.point().position, state.engine.now())
