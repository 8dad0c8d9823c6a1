"""Routes of usage events: list, explain one, list what was not counted, void and unvoid, amend."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Annotated, Final

import msgspec
from anyio import to_thread
from fastapi import APIRouter, Depends
from fastapi import Query as FromQuery
from starlette.requests import Request
from starlette.responses import Response

from api.http.authentication import Administrator, Reader
from api.http.bodies import body_of, body_openapi
from api.http.paging import CURSOR_NUMBER_MAX, cursor_number, cursor_text, cursor_values, page, rows_to_read
from api.http.problems import found_or_404
from api.http.query_instants import optional_bound
from api.http.reading import WAIT_FOR_MIN_POSITION, reading
from api.http.state import ApiState, StateOf
from api.http.writing import ACCEPTED, ReasonGiven, answer_command, provenance_of, renaming_fields
from api.native.models.event_explanation import ExplainedView
from api.native.models.events import (
    AmendmentGiven,
    CorrectionResult,
    EventPage,
    EventQuery,
    IdentityGiven,
    IdentityQuery,
    RefusedPage,
    RejectedQuery,
)
from api.native.views.events import (
    correction_document,
    event_document,
    explained_document,
    refused_documents,
    unmatched_reason,
)
from domain.corrections.commands import CorrectionCommand, RestoreUsage, VoidUsage
from domain.corrections.events import USAGE_AMENDED
from domain.scope import Scope
from domain.usage.amending.patches import EventPatch, exact_members
from domain.usage.block_schema import REQUEST_TYPE
from domain.values.identifiers import id_problem
from projections.queries.events import CorrectionRecord, EventFilter, UsageEventRow
from projections.queries.snapshot import PAGE_ROWS_MAX, Snapshot
from projections.views.event_explanation import explain_event, with_runs
from projections.views.meters import meter_view

router = APIRouter(tags=["events"])
_LIST: Final = "events"
_REFUSED: Final = "rejected"
#: How many pages of the store may be read to fill one page of the answer, past events that do not match.
SCANNED_ROUNDS_MAX: Final = 10
#: Rows of a page of conflicts, at most: each may need two blocks of the log.
CONFLICTS_PAGE_MAX: Final = 100


class EventCursor(msgspec.Struct, frozen=True, array_like=True):
    """The event after which a page begins; `time` is in UTC."""

    time: Annotated[datetime, msgspec.Meta(tz=True)]
    locator: int

    def __post_init__(self) -> None:
        if self.time.utcoffset() or not 0 <= self.locator <= CURSOR_NUMBER_MAX:
            raise ValueError("not a cursor of this list")


def _position_after(after: EventCursor | None) -> tuple[datetime, int] | None:
    return None if after is None else (after.time, after.locator)


@router.get("/v1/events", response_model=EventPage, dependencies=[WAIT_FOR_MIN_POSITION], summary="List usage events")
def list_events(state: StateOf, key: Reader, query: Annotated[EventQuery, FromQuery()]) -> EventPage:
    """Counted events, newest first by event time. With `unmatched`, a page may be short and still have a next page."""
    after = cursor_values(_LIST, query.cursor, EventCursor)
    where = EventFilter(
        customer_id=query.customer,
        model=query.model,
        status=query.status,
        tag=query.tag,
        type=query.type,
        start=optional_bound("from", query.from_, "UTC"),
        end=optional_bound("to", query.to, "UTC"),
        include_voided=query.voided,
    )
    with reading(state, query, key.scope) as asked:
        types = metered_types(asked.snapshot, key.scope, asked.now)
        if query.unmatched is None:
            rows = asked.snapshot.events(key.scope, where, _position_after(after), rows_to_read(query.limit))
            shown, next_cursor = page(rows, query.limit, _LIST, _behind)
        else:
            shown, next_cursor = _scanned(asked.snapshot, key.scope, where, after, query, types)
        data = [event_document(row, types) for row in shown]
        return EventPage(position=asked.position, now=asked.now, data=data, next_cursor=next_cursor)


def _behind(row: UsageEventRow) -> EventCursor:
    return EventCursor(row.time, row.locator)


def _scanned(
    snapshot: Snapshot,
    scope: Scope,
    where: EventFilter,
    after: EventCursor | None,
    query: EventQuery,
    types: frozenset[str],
) -> tuple[list[UsageEventRow], str | None]:
    """One page of the events that are (or are not) unmatched, by scanning all, and the cursor of the next page."""
    found: list[UsageEventRow] = []
    for _ in range(SCANNED_ROUNDS_MAX):
        rows = snapshot.events(scope, where, _position_after(after), PAGE_ROWS_MAX)
        for row in rows:
            if len(found) == query.limit:
                return found, cursor_text(_LIST, after)
            after = _behind(row)
            if (unmatched_reason(row, types) is not None) == query.unmatched:
                found.append(row)
        if len(rows) < PAGE_ROWS_MAX:
            return found, None
    return found, cursor_text(_LIST, after)


def metered_types(snapshot: Snapshot, scope: Scope, now: datetime) -> frozenset[str]:
    """The event types that a tenant's own meters measure."""
    meters = (meter_view(code, facts, now) for code, facts in snapshot.all_facts(scope, "meter"))
    return frozenset(meter.event_type for meter in meters if meter is not None)


@router.get(
    "/v1/events/one",
    response_model=ExplainedView,
    dependencies=[WAIT_FOR_MIN_POSITION],
    summary="Explain a usage event",
)
def get_event(state: StateOf, key: Reader, query: Annotated[IdentityQuery, FromQuery()]) -> ExplainedView:
    """Explain one event: its outcome, its cost with the unit prices that made it, and the totals it is in. 404 when no
    event with this identity was received."""
    received = state.engine.received
    with reading(state, query, key.scope) as asked:
        explained = explain_event(asked.snapshot, received, key.scope, query.source, query.id, asked.now)
        found = found_or_404(explained, "event", query.id)
        measured = found.event is None or found.event.type == REQUEST_TYPE
        types = frozenset[str]() if measured else metered_types(asked.snapshot, key.scope, asked.now)
    return explained_document(query.source, query.id, found, received, types, asked.now)


@router.get(
    "/v1/rejected",
    response_model=RefusedPage,
    dependencies=[WAIT_FOR_MIN_POSITION],
    summary="List events that were not counted",
)
def list_rejected(state: StateOf, key: Reader, query: Annotated[RejectedQuery, FromQuery()]) -> RefusedPage:
    """Rejected events with the reason, newest first. With `outcome`: conflicts or duplicates instead. A page of
    conflicts, each of which is shown with the event that was counted, has at most 100 rows; a page of large events has
    fewer than `limit`."""
    after = cursor_number(_REFUSED, query.cursor)
    limit = min(query.limit, CONFLICTS_PAGE_MAX) if query.outcome == "conflict" else query.limit
    with reading(state, query, key.scope) as asked:
        rows = asked.snapshot.outcomes(key.scope, (query.outcome,), after, rows_to_read(limit), query.reason)
        position = asked.position
        met = asked.snapshot.amendments_met(rows) if query.outcome == "conflict" else {}
    shown, next_cursor = page(rows, limit, _REFUSED, lambda row: row.locator)
    data = refused_documents(shown, state.engine.received, met)
    if len(data) < len(shown):
        next_cursor = cursor_text(_REFUSED, shown[len(data) - 1].locator)
    return RefusedPage(position=position, now=asked.now, data=data, next_cursor=next_cursor)


@router.post(
    "/v1/events/void",
    summary="Void a usage event",
    response_model=CorrectionResult,
    responses=ACCEPTED,
    openapi_extra=body_openapi(IdentityGiven),
)
async def void_event(
    request: Request,
    state: StateOf,
    key: Administrator,
    given: Annotated[IdentityGiven, Depends(body_of(IdentityGiven))],
    reason: ReasonGiven,
) -> Response:
    """Void an event, whether it has arrived or not: it counts in no total. Its identity stays in use: the event
    cannot be ingested again. `waits_for_event` tells that no such event has arrived yet."""
    provenance = provenance_of(key, given.reason or reason)
    after_run = await to_thread.run_sync(_is_after_run, state, key.scope, given.source, given.id)
    return await _corrected(request, state, VoidUsage(key.scope, provenance, given.source, given.id, after_run))


@router.post(
    "/v1/events/unvoid",
    summary="Unvoid a usage event",
    response_model=CorrectionResult,
    responses=ACCEPTED,
    openapi_extra=body_openapi(IdentityGiven),
)
async def restore_event(
    request: Request,
    state: StateOf,
    key: Administrator,
    given: Annotated[IdentityGiven, Depends(body_of(IdentityGiven))],
    reason: ReasonGiven,
) -> Response:
    """Remove the void of an event: it counts again."""
    provenance = provenance_of(key, given.reason or reason)
    after_run = await to_thread.run_sync(_is_after_run, state, key.scope, given.source, given.id)
    return await _corrected(request, state, RestoreUsage(key.scope, provenance, given.source, given.id, after_run))


@router.post(
    "/v1/events/amend",
    summary="Amend a usage event",
    response_model=CorrectionResult,
    responses=ACCEPTED,
    openapi_extra=body_openapi(AmendmentGiven),
)
async def amend_event(
    request: Request,
    state: StateOf,
    key: Administrator,
    given: Annotated[AmendmentGiven, Depends(body_of(AmendmentGiven, any_number=True))],
    reason: ReasonGiven,
) -> Response:
    """Replace members of a counted event: every answer shows the amended event from then on. What it was before stays
    in the log. Sent again, in this content or any before it, it is a duplicate. 404 when no event with this identity
    is counted; an amendment that changes nothing is not stored."""
    patch = EventPatch(exact_members(given.data), given.customer, given.time)
    provenance = provenance_of(key, given.reason or reason)
    asked = partial(state.engine.amendments.command, key.scope, provenance, given.source, given.id, patch)
    with renaming_fields(_shown_field):
        command = found_or_404(await to_thread.run_sync(asked), "event", given.id)
    return await _corrected(request, state, command)


def _shown_field(field: str) -> str:
    return "customer" if field == "subject" else field


def _is_after_run(state: ApiState, scope: Scope, source: str, event_id: str) -> bool:
    """Whether a correction run was the last to say of an event that it is voided or not."""
    with state.engine.reads.snapshot() as snapshot:
        found = _corrections(state, snapshot, scope, source, event_id)
    told = [one for one in found if one.kind != USAGE_AMENDED and not one.amends]
    return bool(told) and told[-1].run is not None


def _corrections(
    state: ApiState, snapshot: Snapshot, scope: Scope, source: str, event_id: str
) -> Sequence[CorrectionRecord]:
    """The corrections of an identity, those by runs too."""
    own = snapshot.corrections(scope, source, event_id)
    if id_problem(source) or id_problem(event_id) or not snapshot.correction_runs(scope, None, 1):
        return own
    event = state.engine.received.counted(snapshot, scope, source, event_id)
    return own if event is None else with_runs(own, snapshot.run_corrections(scope, event.locator))


async def _corrected(request: Request, state: ApiState, command: CorrectionCommand) -> Response:
    source, event_id = command.source, command.event_id

    def show(snapshot: Snapshot) -> CorrectionResult:
        found = _corrections(state, snapshot, command.scope, source, event_id)
        corrections = [correction_document(one) for one in found]
        event = snapshot.event(command.scope, source, event_id)
        if event is not None and any(one.run is not None for one in corrections):
            voided = event.voided  # a revert does not tell what became of the event
        else:
            of_identity = [one.kind == "voided" for one in corrections if one.run is None and one.kind != "amended"]
            voided = bool(of_identity) and of_identity[-1]
        return CorrectionResult(
            position=snapshot.point().position,
            source=source,
            id=event_id,
            voided=voided,
            waits_for_event=voided and event is None,
            corrections=corrections,
        )

    return await answer_command(request, state, command, show, shown_field=_shown_field)
