"""POST /v1/backfills/{name}/events: the body goes to the intake as that of POST /v1/events does, and waits there."""

from __future__ import annotations

from typing import Final

import msgspec
from anyio import to_thread
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.http.authentication import Ingester
from api.http.problems import Problem
from api.http.reading import POSITION_HEADER
from api.http.receipts import read_receipt
from api.http.state import ApiState, StateOf
from api.http.writing import ACCEPTED, accepted, wants_async
from api.native.models.backfills.loading import LoadedView
from api.native.routes.backfills.runs import ONE_BACKFILL, existing_backfill
from api.native.routes.intake import EVENTS_BODY, TOO_LARGE, submitted
from consumers.intake.requests import EventsWarning, LoadedInto
from domain.scope import Scope
from domain.usage.decoding.range_check import TakenEvents
from projections.queries.backfills import BackfillRecord

router = APIRouter(tags=["backfills"])
#: Events that a backfill may hold. Its commit has the identities of all of them in memory at once.
BACKFILL_EVENTS_MAX: Final = 2_000_000


class _Document(msgspec.Struct, frozen=True):
    """What `LoadedView` describes, as it is written."""

    position: int
    loaded: int
    rejected: int
    outcomes: msgspec.Raw
    outcomes_truncated: bool
    warnings: tuple[EventsWarning, ...]


@router.post(
    ONE_BACKFILL + "/events",
    response_model=LoadedView,
    responses=ACCEPTED | TOO_LARGE,
    openapi_extra=EVENTS_BODY,
    summary="Load events into a backfill",
)
async def load_backfill_events(request: Request, state: StateOf, key: Ingester, name: str) -> Response:
    """Load usage into an open backfill, in bodies as those of POST /v1/events. It counts in no total, and nothing shows
    it, until the backfill is committed. An event that breaks a rule, or is outside of the range, is rejected by itself.
    Events that are loaded again become duplicates at the commit, and count once. 404 when there is no backfill with
    this name, 409 when it is not open or holds 2,000,000 events."""
    into = await to_thread.run_sync(_loaded_into, state, key.scope, name)
    taken = await submitted(request, state, key, into)
    preferred = wants_async(request)
    if preferred or not await state.fold.folded(taken.position):
        return accepted(taken.position, preferred)
    receipt = await read_receipt(state, taken)
    document = _Document(
        taken.position,
        receipt.counts.counted,
        receipt.counts.rejected,
        msgspec.Raw(receipt.outcomes_json),
        receipt.is_truncated,
        taken.warnings,
    )
    return Response(msgspec.json.encode(document), 200, {POSITION_HEADER: str(taken.position)}, "application/json")


def _loaded_into(state: ApiState, scope: Scope, name: str) -> LoadedInto:
    with state.engine.reads.snapshot() as snapshot:
        backfill = existing_backfill(snapshot, scope, name)
    check_takes_events(backfill)
    asked = backfill.range
    return LoadedInto(name, TakenEvents(asked.start, asked.end, asked.customers, asked.sources))


def check_takes_events(backfill: BackfillRecord, events_max: int = BACKFILL_EVENTS_MAX) -> None:
    """Raise `Problem` 409 for a backfill that is not open, or is full.

    Requests that arrive together may all be taken, so that it holds some bodies more.
    """
    if backfill.state != "open":
        raise Problem("conflict", f"backfill {backfill.name!r} was {backfill.state}: nothing can be loaded into it")
    if backfill.loaded_events >= events_max:
        raise Problem(
            "conflict",
            f"backfill {backfill.name!r} holds {backfill.loaded_events:,} events, and at most {events_max:,} can be "
            "loaded into one: divide its range among several",
        )
