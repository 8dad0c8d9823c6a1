"""Routes of backfills: open, list, show, commit, revert, cancel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final

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
from api.http.writing import ACCEPTED, ReasonGiven, answer_command, bound, provenance_of
from api.native.models.backfills.preview import BackfillPreviewQuery, BackfillPreviewView
from api.native.models.backfills.runs import (
    BackfillCommitGiven,
    BackfillGiven,
    BackfillPage,
    BackfillStatusView,
    BackfillView,
)
from api.native.models.field_types import AsOfPageQuery, AsOfQuery
from api.native.views.backfills import backfill_status_view, backfill_view, preview_view
from domain.backfills.backfill_range import BackfillRange, checked_mode
from domain.backfills.commands import CancelBackfill, CommitBackfill, OpenBackfill, RevertBackfill
from domain.scope import Scope
from projections.queries.backfill_effects import LoadedBackfill
from projections.queries.backfills import BackfillRecord
from projections.queries.snapshot import Snapshot
from projections.read_side.prepared_changes import AskedCommit
from projections.views.backfill.preview import backfill_preview

router = APIRouter(tags=["backfills"])
_LIST: Final = "backfills"
_PREVIEW: Final = "preview of backfill"
ONE_BACKFILL: Final = "/v1/backfills/{name:segment}"


@router.get(
    "/v1/backfills", response_model=BackfillPage, dependencies=[WAIT_FOR_MIN_POSITION], summary="List backfills"
)
def list_backfills(state: StateOf, key: Reader, query: Annotated[AsOfPageQuery, FromQuery()]) -> BackfillPage:
    """The backfills of the tenant, by name."""
    after = cursor_values(_LIST, query.cursor, str)
    with reading(state, query, key.scope) as asked:
        rows = asked.snapshot.backfills(key.scope, after, rows_to_read(query.limit))
        shown, next_cursor = page(rows, query.limit, _LIST, lambda one: one.name)
        return BackfillPage(
            position=asked.position,
            now=asked.now,
            data=[backfill_view(one, asked.position, asked.now) for one in shown],
            next_cursor=next_cursor,
        )


@router.post(
    "/v1/backfills",
    response_model=BackfillView,
    status_code=201,
    responses=ACCEPTED,
    openapi_extra=body_openapi(BackfillGiven),
    summary="Open a backfill",
)
async def open_backfill(
    request: Request,
    state: StateOf,
    key: Administrator,
    given: Annotated[BackfillGiven, Depends(body_of(BackfillGiven))],
    reason: ReasonGiven,
) -> Response:
    """Name a backfill of a time, which changes no number: load events into it, look at its preview, then commit it. 409
    when the name is in use, or while an open backfill overlaps with it."""
    asked = BackfillRange(
        start=bound("from", given.from_),
        end=bound("to", given.to),
        customers=tuple(given.customers),
        sources=tuple(given.sources),
    )
    command = OpenBackfill(key.scope, provenance_of(key, reason), given.name, asked, checked_mode(given.mode))
    return await answer_command(request, state, command, _show(state, key.scope, given.name), 201)


@router.get(
    ONE_BACKFILL, response_model=BackfillStatusView, dependencies=[WAIT_FOR_MIN_POSITION], summary="Show a backfill"
)
def get_backfill(
    state: StateOf, key: Reader, name: str, query: Annotated[AsOfQuery, FromQuery()]
) -> BackfillStatusView:
    """Show one backfill, what was loaded, what became of it, and how many late events arrived in its range. 404 when
    there is none with this name."""
    with reading(state, query, key.scope) as asked:
        backfill = existing_backfill(asked.snapshot, key.scope, name)
        late = asked.snapshot.late_in_backfill(key.scope, backfill)
        return backfill_status_view(backfill, late, asked.position, asked.now)


@router.get(
    ONE_BACKFILL + "/preview",
    response_model=BackfillPreviewView,
    dependencies=[WAIT_FOR_MIN_POSITION],
    summary="Preview a backfill",
)
def preview_backfill(
    state: StateOf, key: Reader, name: str, query: Annotated[BackfillPreviewQuery, FromQuery()]
) -> BackfillPreviewView:
    """What the commit would change: what would become of the loaded events, which events of a replaced range were not
    loaded again, and by customer and usage period before, after and difference. Of a backfill that was committed, the
    preview that it was committed with. Every page reads all that was loaded. 404 when there is no backfill with this
    name."""
    after = cursor_values(_PREVIEW, query.cursor, str)
    with reading(state, query, key.scope) as asked:
        backfill = existing_backfill(asked.snapshot, key.scope, name)
        snapshot = asked.snapshot if backfill.previewed_at is None else asked.snapshot.as_of(backfill.previewed_at)
        loaded = LoadedBackfill(name, backfill.range, backfill.mode, backfill.opened.position)
        effect = state.engine.tried_backfills.effect(snapshot, key.scope, loaded)
        preview = backfill_preview(snapshot, key.scope, effect, asked.now, after, query.limit)
        next_cursor = cursor_text(_PREVIEW, preview.last_customer) if preview.has_more else None
        return preview_view(backfill, preview, asked.position, asked.now, next_cursor)


@router.post(
    ONE_BACKFILL + "/commit",
    response_model=BackfillView,
    responses=ACCEPTED,
    openapi_extra=body_openapi(BackfillCommitGiven),
    summary="Commit a backfill",
)
async def commit_backfill(
    request: Request,
    state: StateOf,
    key: Administrator,
    name: str,
    given: Annotated[BackfillCommitGiven, Depends(body_of(BackfillCommitGiven))],
    reason: ReasonGiven,
) -> Response:
    """Count what was loaded as it was previewed, all at once; a replacement withdraws the events of the range. Ended
    periods are marked restated. Done once; a repetition changes nothing. 404 when there is no backfill with this name,
    409 when it was reverted or cancelled, or when events were loaded since the preview."""
    blocks = await to_thread.run_sync(_previewed_blocks, state, key.scope, name, given.previewed_at)
    await to_thread.run_sync(state.engine.prepare_commit, AskedCommit(key.scope, name, given.previewed_at, blocks))
    command = CommitBackfill(key.scope, provenance_of(key, reason), name, given.previewed_at, blocks)
    return await answer_command(request, state, command, _show(state, key.scope, name))


@router.post(
    ONE_BACKFILL + "/revert", response_model=BackfillView, responses=ACCEPTED, summary="Revert a committed backfill"
)
async def revert_backfill(
    request: Request, state: StateOf, key: Administrator, name: str, reason: ReasonGiven
) -> Response:
    """Make everything as if the backfill had never been committed, all at once: what it loaded counts no more, what it
    replaced counts again. A repetition changes nothing. 404 when there is no backfill with this name, 409 when it was
    not committed, or while one that was committed later overlaps with it."""
    await to_thread.run_sync(state.engine.prepare_revert, key.scope, name)
    command = RevertBackfill(key.scope, provenance_of(key, reason), name)
    return await answer_command(request, state, command, _show(state, key.scope, name))


@router.post(
    ONE_BACKFILL + "/cancel", response_model=BackfillView, responses=ACCEPTED, summary="Cancel an open backfill"
)
async def cancel_backfill(
    request: Request, state: StateOf, key: Administrator, name: str, reason: ReasonGiven
) -> Response:
    """Give an open backfill up: what was loaded never counts, and its range is free for another one. A repetition
    changes nothing. 404 when there is no backfill with this name, 409 when it was committed."""
    command = CancelBackfill(key.scope, provenance_of(key, reason), name)
    return await answer_command(request, state, command, _show(state, key.scope, name))


def _previewed_blocks(state: ApiState, scope: Scope, name: str, previewed_at: int) -> int:
    """The blocks that a preview at a log position saw; whether the backfill exists is left to the command."""
    with state.engine.reads.snapshot() as snapshot:
        backfill, position = snapshot.backfill(scope, name), snapshot.point().position
        if backfill is None:
            return 0
        if not backfill.opened.position <= previewed_at <= position:
            raise Problem.invalid("previewed_at", "must be the position that a preview of it named")
        previewed = existing_backfill(snapshot.as_of(previewed_at), scope, name)
    if backfill.state == "open" and state.engine.blocks_loaded(scope, name) > previewed.loaded_blocks:
        raise Problem("conflict", "events were loaded since that preview: preview again")
    return previewed.loaded_blocks


def existing_backfill(snapshot: Snapshot, scope: Scope, name: str) -> BackfillRecord:
    """Return the backfill of this name; `Problem` 404 when there is none."""
    found: Any = found_or_404(snapshot.backfill(scope, name), "backfill", name)
    backfill: BackfillRecord = found
    return backfill


def _show(state: ApiState, scope: Scope, name: str) -> Callable[[Snapshot], BackfillView | None]:
    """Show the backfill as it is now."""
    return lambda snapshot: backfill_view(
        existing_backfill(snapshot, scope, name), snapshot.point().position, state.engine.now()
    )
