"""POST /v1/events/replace: events that are counted, or replace those that they conflict with."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from anyio import to_thread
from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from api.http.authentication import Administrator
from api.http.paging import CURSOR_NUMBER_MAX
from api.http.receipts import ReplacementView, replacement_response, spans_of
from api.http.state import ApiState, StateOf
from api.http.writing import ACCEPTED, ReasonGiven, accepted, provenance_of
from api.native.routes.intake import EVENTS_BODY, submitted
from consumers.intake.intake import IntakeReceipt
from domain.corrections.commands import ReplaceUsage

router = APIRouter(tags=["events"])
_KNOWN_AT: Final = (
    "Log position: events that were counted or amended after it are not replaced. So of events with one identity in "
    "several requests the first one holds, if all of them name the position before the first request."
)


@router.post(
    "/v1/events/replace",
    response_model=ReplacementView,
    responses=ACCEPTED,
    openapi_extra=EVENTS_BODY,
    summary="Ingest usage events that replace others",
)
async def replace_events(
    request: Request,
    state: StateOf,
    key: Administrator,
    known_at: Annotated[int, Query(ge=0, le=CURSOR_NUMBER_MAX, description=_KNOWN_AT)],
    reason: ReasonGiven,
) -> Response:
    """Ingest usage as POST /v1/events does, then amend every event that was counted with other content under the same
    identity, so that it is the event in this request: all at one log position. 202 means that the events are stored,
    and that none is replaced: send them again."""
    taken = await submitted(request, state, key)
    if not await state.fold.folded(taken.position):
        return accepted(taken.position, False)
    pairs = await to_thread.run_sync(_pairs, state, taken, known_at)
    counted, received = tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs)
    if pairs:
        command = ReplaceUsage(key.scope, provenance_of(key, reason), counted, received)
        result = await to_thread.run_sync(state.engine.commands.handle, command)
        taken = msgspec.structs.replace(taken, position=result.position or taken.position)
    return await replacement_response(request, state, taken, received)


def _pairs(state: ApiState, taken: IntakeReceipt, known_at: int) -> list[tuple[int, int]]:
    with state.engine.reads.snapshot() as snapshot:
        return snapshot.differing_deliveries(spans_of(taken), known_at)
