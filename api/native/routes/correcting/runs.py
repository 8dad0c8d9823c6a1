"""Routes of correction runs: open, preview, commit, revert."""

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
from api.native.models.correction_runs import (
    CorrectionCommitGiven,
    CorrectionGiven,
    CorrectionPage,
    CorrectionPreviewQuery,
    CorrectionPreviewView,
    CorrectionRunView,
    MembersGiven,
)
from api.native.models.field_types import AsOfPageQuery, AsOfQuery
from api.native.views.correction_runs import correction_preview_view, correction_run_view
from domain.correction_runs.commands import CommitCorrectionRun, OpenCorrectionRun, RevertCorrectionRun
from domain.correction_runs.event_filter import CorrectedEvents, checked_filter
from domain.correction_runs.events import CorrectionAction
from domain.correction_runs.set_members import AMENDED_EVENTS_MAX, SetMembers, checked_members
from domain.errors import CommandRefused
from domain.scope import Scope
from projections.queries.corrections import CorrectionQuestion, CorrectionRunRecord
from projections.queries.snapshot import Snapshot
from projections.views.corrections.amendments import amendment_preview
from projections.views.corrections.preview import correction_preview

router = APIRouter(tags=["corrections"])
_LIST: Final = "corrections"
_PREVIEW: Final = "preview"
_ONE: Final = "/v1/corrections/{name:segment}"


@router.get(
    "/v1/corrections",
    response_model=CorrectionPage,
    dependencies=[WAIT_FOR_MIN_POSITION],
    summary="List corrections by filter",
)
def list_corrections(state: StateOf, key: Reader, query: Annotated[AsOfPageQuery, FromQuery()]) -> CorrectionPage:
    """The correction runs of the tenant, by name."""
    after = cursor_values(_LIST, query.cursor, str)
    with reading(state, query, key.scope) as asked:
        rows = asked.snapshot.correction_runs(key.scope, after, rows_to_read(query.limit))
        shown, next_cursor = page(rows, query.limit, _LIST, lambda run: run.name)
        return CorrectionPage(
            position=asked.position,
            now=asked.now,
            data=[correction_run_view(run, asked.position, asked.now) for run in shown],
            next_cursor=next_cursor,
        )


@router.post(
    "/v1/corrections",
    response_model=CorrectionRunView,
    status_code=201,
    responses=ACCEPTED,
    openapi_extra=body_openapi(CorrectionGiven),
    summary="Open a correction by filter",
)
async def open_correction(
    request: Request,
    state: StateOf,
    key: Administrator,
    given: Annotated[CorrectionGiven, Depends(body_of(CorrectionGiven))],
    reason: ReasonGiven,
) -> Response:
    """Name a run that voids, restores or amends all events of a filter. It changes no number: look at its preview, then
    commit it. 409 when the name is in use."""
    asked = CorrectedEvents(
        customers=tuple(given.customers),
        sources=tuple(given.sources),
        models=tuple(given.models),
        providers=tuple(given.providers),
        types=tuple(given.types),
        tags=tuple(given.tags),
        start=optional_bound("from", given.from_),
        end=optional_bound("to", given.to),
        recorded_from=optional_bound("recorded_from", given.recorded_from),
        recorded_to=optional_bound("recorded_to", given.recorded_to),
    )
    action = cast(CorrectionAction, given.action)  # the domain checks it
    members = None if given.set_ is None else _members(given.set_)
    if action == "amend":
        checked = checked_filter(asked), checked_members(members)
        await to_thread.run_sync(state.engine.amendments.list_prices, key.scope, *checked)
    command = OpenCorrectionRun(key.scope, provenance_of(key, reason), given.name, action, asked, members)
    return await answer_command(request, state, command, _show(state, key.scope, given.name), 201)


@router.get(
    _ONE, response_model=CorrectionRunView, dependencies=[WAIT_FOR_MIN_POSITION], summary="Show a correction by filter"
)
def get_correction(
    state: StateOf, key: Reader, name: str, query: Annotated[AsOfQuery, FromQuery()]
) -> CorrectionRunView:
    """Show one run, and what became of it. 404 when there is none with this name."""
    with reading(state, query, key.scope) as asked:
        return correction_run_view(_run(asked.snapshot, key.scope, name), asked.position, asked.now)


@router.get(
    _ONE + "/preview",
    response_model=CorrectionPreviewView,
    dependencies=[WAIT_FOR_MIN_POSITION],
    summary="Preview a correction by filter",
)
def preview_correction(
    state: StateOf, key: Reader, name: str, query: Annotated[CorrectionPreviewQuery, FromQuery()]
) -> CorrectionPreviewView:
    """What the run would change: in all, and by customer and usage period before, after and difference. Of a run that
    was committed, the preview that it was committed with. Every page reads all events of the filter. 404 when there is
    no run with this name, 409 when one that amends holds too many events."""
    after = cursor_values(_PREVIEW, query.cursor, str)
    with reading(state, query, key.scope) as asked:
        run = _run(asked.snapshot, key.scope, name)
        snapshot = asked.snapshot if run.previewed_at is None else asked.snapshot.as_of(run.previewed_at)
        question = CorrectionQuestion(run.action, run.filter, run.members)
        if run.action == "amend":
            _check_size(snapshot, key.scope, run)
        previewed = amendment_preview if run.action == "amend" else correction_preview
        preview = previewed(snapshot, key.scope, question, asked.now, after, query.limit)
        next_cursor = cursor_text(_PREVIEW, preview.last_customer) if preview.has_more else None
        return correction_preview_view(run, preview, asked.position, asked.now, next_cursor)


@router.post(
    _ONE + "/commit",
    response_model=CorrectionRunView,
    responses=ACCEPTED,
    openapi_extra=body_openapi(CorrectionCommitGiven),
    summary="Commit a correction by filter",
)
async def commit_correction(
    request: Request,
    state: StateOf,
    key: Administrator,
    name: str,
    given: Annotated[CorrectionCommitGiven, Depends(body_of(CorrectionCommitGiven))],
    reason: ReasonGiven,
) -> Response:
    """Void, restore or amend the events that were previewed, all at once. Each event tells which run did it, and ended
    periods are marked restated. Done once; a repetition changes nothing. 404 when there is no run with this name, 409
    when it was reverted, or amends too many events."""
    await to_thread.run_sync(_check_preview, state, key.scope, name, given.previewed_at)
    command = CommitCorrectionRun(key.scope, provenance_of(key, reason), name, given.previewed_at)
    return await answer_command(request, state, command, _show(state, key.scope, name))


@router.post(
    _ONE + "/revert", response_model=CorrectionRunView, responses=ACCEPTED, summary="Revert a correction by filter"
)
async def revert_correction(
    request: Request, state: StateOf, key: Administrator, name: str, reason: ReasonGiven
) -> Response:
    """Undo a committed run, all at once. Each of its events is then as the last void or restoration says that stands,
    its own or by another run; without any, it counts. Of one that amends, each member that it set goes back, unless
    something set it later. A repetition changes nothing. 404 when there is no run with this name, 409 when it was not
    committed."""
    command = RevertCorrectionRun(key.scope, provenance_of(key, reason), name)
    return await answer_command(request, state, command, _show(state, key.scope, name))


def _check_preview(state: ApiState, scope: Scope, name: str, previewed_at: int) -> None:
    """Check that a run could be previewed at a log position; whether it exists is left to the command.

    Of one that amends, its size too, and list prices that it needs are recorded.
    """
    with state.engine.reads.snapshot() as snapshot:
        run, position = snapshot.correction_run(scope, name), snapshot.point().position
        if run is None:
            return
        if not run.opened_position <= previewed_at <= position:
            raise Problem.invalid("previewed_at", "must be the position that a preview of the run named")
        if run.members is None or run.committed is not None:
            return
        _check_size(snapshot.as_of(previewed_at), scope, run)
    state.engine.amendments.list_prices(scope, run.filter, run.members)


def _check_size(snapshot: Snapshot, scope: Scope, run: CorrectionRunRecord) -> None:
    """Check that a run amends no more events than the fold takes in one step."""
    held = snapshot.corrected_totals(scope, CorrectionQuestion(run.action, run.filter, run.members)).held
    if held > AMENDED_EVENTS_MAX:
        rule = f"a correction that amends may hold {AMENDED_EVENTS_MAX:,} events"
        raise CommandRefused(f"{run.name!r} holds {held:,} events, but {rule}: open several, each of a shorter time")


def _members(given: MembersGiven) -> SetMembers:
    return SetMembers(given.model, given.provider, given.customer, tuple(given.add_tags), tuple(given.remove_tags))


def _run(snapshot: Snapshot, scope: Scope, name: str) -> CorrectionRunRecord:
    found: Any = found_or_404(snapshot.correction_run(scope, name), "correction", name)
    run: CorrectionRunRecord = found
    return run


def _show(state: ApiState, scope: Scope, name: str) -> Callable[[Snapshot], CorrectionRunView | None]:
    """Show the run as it is now."""
    return lambda snapshot: correction_run_view(
        _run(snapshot, scope, name), snapshot.point().position, state.engine.now()
    )
