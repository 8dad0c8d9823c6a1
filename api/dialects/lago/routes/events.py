"""Routes of usage events: one, a batch of which all or none is counted, find, list."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final
from uuid import uuid4

import msgspec
from anyio import to_thread
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.dialects.lago.customers_then import customer_then
from api.dialects.lago.definitions.event_expressions import expression_failures
from api.dialects.lago.definitions.sent_events import SentEvent, read_event, rejected_field
from api.dialects.lago.definitions.terms import terms_named
from api.dialects.lago.error_shapes import ALREADY_EXISTS, INVALID, not_found, param_missing, validation_refusal
from api.dialects.lago.keys import DIALECT
from api.dialects.lago.lago_ids import lago_id
from api.dialects.lago.models.events import BATCH_EVENTS_MAX, EventAnswer, EventInput, EventsAnswer, EventsPage
from api.dialects.lago.paging import PAGE_PARAMETERS, PageAsked
from api.dialects.lago.paths import BASE
from api.dialects.lago.request_reading import BODY_MODELS, wrapped_openapi
from api.dialects.lago.views.customers import customer_lago_id
from api.dialects.lago.views.events import event_object, sent_event_object
from api.http.authentication import Ingester, Reader
from api.http.bodies import bounded_body, decoded_json
from api.http.folded_answers import json_response, late_problem
from api.http.middleware.raw_paths import SEGMENTS
from api.http.openapi import COMPONENTS
from api.http.query_instants import optional_query_instant
from api.http.reading import AS_OF_HEADERS, AskedAsOf, AskedByHeaders, Reading, reading
from api.http.state import ApiState, StateOf
from consumers.intake.requests import IntakeRequest, Piece
from domain.scope import Scope
from domain.usage.locators import locator_of
from domain.usage.outcomes import BATCH_REFUSED
from domain.usage.request_bodies import BodyFormat
from domain.usage.rules import SUBSCRIPTION_SOURCE, source_of_subscription
from domain.values.periods import MICROSECOND
from projections.queries.api_keys import ApiKeyRecord
from projections.queries.events import EventFilter, EventQuestion, OutcomeRow, RowSpan, UsageEventRow

router = APIRouter(tags=["events"])
_ALL: Final = f"{BASE}/events"
_ONE: Final = "event"
_BATCH: Final = "events"
_BODY_BYTES_MAX: Final = 4 * 1024 * 1024
_encode: Final = msgspec.json.Encoder(decimal_format="number").encode
#: The codes of one event that was not counted, by field; what an expression says, as text.
Broken = Mapping[str, Sequence[str]] | str

_QUERY: Final[list[dict[str, Any]]] = [
    {"name": name, "in": "query", "required": False, "schema": schema}
    for name, schema in (
        ("external_subscription_id", {"type": "string"}),
        ("code", {"type": "string"}),
        ("timestamp_from", {"type": "string", "format": "date-time"}),
        ("timestamp_to", {"type": "string", "format": "date-time"}),
        ("timestamp_from_started_at", {"type": "boolean"}),
    )
]


def _batch_openapi() -> dict[str, Any]:
    if EventInput not in BODY_MODELS:
        BODY_MODELS.append(EventInput)
    items = {"type": "array", "maxItems": BATCH_EVENTS_MAX, "items": {"$ref": COMPONENTS + EventInput.__name__}}
    schema = {"type": "object", "required": [_BATCH], "properties": {_BATCH: items}}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


@router.post(
    _ALL,
    response_model=EventAnswer,
    openapi_extra=wrapped_openapi(_ONE, EventInput),
    summary="Send an event",
)
async def create_event(request: Request, state: StateOf, key: Ingester) -> Response:
    """Count one event, whether its metric and its subscription exist by now or not. 422 when the subscription has an
    event with this `transaction_id`."""
    given = await _given(request, _ONE)
    if not isinstance(given, dict) or not given:
        raise param_missing(_ONE)
    now = state.engine.now()
    events, broken = await _counted(state, key, [given], now)
    if broken:
        raise validation_refusal(broken[0])
    return _response({_ONE: sent_event_object(key.scope, events[0], now)})


@router.post(f"{_ALL}/batch", response_model=EventsAnswer, openapi_extra=_batch_openapi(), summary="Send events")
async def create_batch_events(request: Request, state: StateOf, key: Ingester) -> Response:
    """Count all of at most 100 events, or none. 422 tells what is invalid by the number of the event, from 0 on."""
    given = await _given(request, _BATCH)
    if given is None:
        raise param_missing(_BATCH)
    if not isinstance(given, list) or not given:
        raise validation_refusal({_BATCH: ["no_events"]})
    if len(given) > BATCH_EVENTS_MAX:
        raise validation_refusal({_BATCH: ["too_many_events"]})
    now = state.engine.now()
    events, broken = await _counted(state, key, [_unwrapped(one) for one in given], now)
    if broken:
        raise validation_refusal({str(number): one for number, one in sorted(broken.items())})
    return _response({_BATCH: [sent_event_object(key.scope, event, now) for event in events]})


@router.get(
    _ALL,
    response_model=EventsPage,
    openapi_extra={"parameters": [*PAGE_PARAMETERS, *_QUERY, *AS_OF_HEADERS]},
    summary="List events",
)
def find_all_events(request: Request, state: StateOf, key: Reader, page: PageAsked, known: AskedByHeaders) -> Response:
    """List the events that came by this API, the last by their timestamp first."""
    with reading(state, known, key.scope) as asked:
        where = _filter(request.query_params, asked, key.scope)
        found = asked.snapshot.event_page(key.scope, EventQuestion(where), page.offset, page.per_page)
        show = _shown_by(asked, key.scope)
        events = [show(one.event) for one in found.events]
        return json_response({_BATCH: events, "meta": page.meta(found.total)}, asked)


@router.get(
    f"{_ALL}/{{transaction_id:{SEGMENTS}}}",
    response_model=EventAnswer,
    openapi_extra={"parameters": AS_OF_HEADERS},
    summary="Find an event",
)
def find_event(state: StateOf, key: Reader, transaction_id: str, known: AskedByHeaders) -> Response:
    """Show an event. Subscriptions may have events of one `transaction_id`: that with the earliest timestamp is shown.
    404 when there is none."""
    with reading(state, known, key.scope) as asked:
        where = EventFilter(event_id=transaction_id, source_prefix=SUBSCRIPTION_SOURCE)
        found = asked.snapshot.event_page(key.scope, EventQuestion(where, descending=False), 0, 1)
        if not found.events:
            raise not_found(_ONE)
        return json_response({_ONE: _shown_by(asked, key.scope)(found.events[0].event)}, asked)


def _unwrapped(given: Any) -> Any:
    """Return an event of a batch, which clients generated of older documents wrap as they do a single one."""
    return given[_ONE] if isinstance(given, dict) and list(given) == [_ONE] else given


async def _given(request: Request, name: str) -> Any:
    """The member that wraps what is sent; None without one."""
    body = await bounded_body(request, _BODY_BYTES_MAX)
    given = decoded_json(body, any_number=True) if body.strip() else None
    return given.get(name) if isinstance(given, dict) else None


async def _counted(
    state: ApiState, key: ApiKeyRecord, given: Sequence[Any], now: datetime
) -> tuple[list[SentEvent], dict[int, Broken]]:
    """Count all of these events, or none. Returns them, and what is wrong with some, by their number.

    1. Read each.
    2. Compute the values of those whose metric has an expression.
    3. Send them as one group, of which all or none is counted, and wait until it is folded.
    """
    read = [read_event(one, now) for one in given]
    broken: dict[int, Broken] = {number: one for number, one in enumerate(read) if not isinstance(one, SentEvent)}
    events = [one for one in read if isinstance(one, SentEvent)]
    if not broken:
        broken |= await to_thread.run_sync(_failures, state, key.scope, events)
    if not broken:
        broken |= await _refused(state, key, events)
    return events, broken


def _failures(state: ApiState, scope: Scope, events: Sequence[SentEvent]) -> dict[int, str]:
    with reading(state, AskedAsOf(), scope) as asked:
        return expression_failures(asked, scope, events)


async def _refused(state: ApiState, key: ApiKeyRecord, events: Sequence[SentEvent]) -> dict[int, Broken]:
    """Send the events, and wait; what was refused, by number. Nothing is counted then."""
    sent = IntakeRequest(
        key.scope,
        BodyFormat.BATCH.value,
        tuple(event.text() for event in events),
        group=uuid4().hex,
        atomic=True,
        key=key.key_id,
        dialect=DIALECT,
    )
    # Shielded, as a client that disconnects must not cancel what may be in the log already.
    receipt = await asyncio.shield(asyncio.wrap_future(state.engine.intake.submit(sent)))
    if not await state.fold.folded(receipt.position):
        raise late_problem(f"the events are stored at log position {receipt.position}, but not counted yet: send again")
    [piece] = receipt.pieces  # a group of which all or none is counted is in one block
    if state.engine.reads.all_counted([RowSpan(piece.position, piece.row_from, piece.row_to)]):
        return {}
    return await to_thread.run_sync(_refusals, state, key.scope, piece)


def _refusals(state: ApiState, scope: Scope, piece: Piece) -> dict[int, Broken]:
    """What refused a group, by the number of its event; of others in it the group alone is the reason."""
    first = locator_of(piece.position, piece.row_from)
    behind, events = locator_of(piece.position, piece.row_to), piece.row_to - piece.row_from
    with reading(state, AskedAsOf(), scope) as asked:
        rows = asked.snapshot.outcomes(scope, ("rejected",), behind, events)
    of_group = sorted((row.locator - first, row) for row in rows if row.locator >= first)
    return {number: code for number, row in of_group if (code := _code(row)) is not None}


def _code(row: OutcomeRow) -> Broken | None:
    if row.reason != BATCH_REFUSED:
        return {rejected_field(row.detail): [INVALID]}
    return None if row.first_locator is None else {"transaction_id": [ALREADY_EXISTS]}


def _filter(query: Mapping[str, str], asked: Reading, scope: Scope) -> EventFilter:
    subscription = query.get("external_subscription_id") or None
    start = optional_query_instant("timestamp_from", query.get("timestamp_from") or None)
    if subscription is not None and query.get("timestamp_from_started_at") == "true":
        active = [one.term.start for one in terms_named(asked.snapshot, scope, subscription)]
        started = max((at for at in active if at <= asked.now), default=None)
        start = started if start is None else max(start, started or start)
    end = optional_query_instant("timestamp_to", query.get("timestamp_to") or None)
    return EventFilter(
        type=query.get("code") or None,
        start=start,
        end=None if end is None else end + MICROSECOND,  # the bound is inclusive
        source=None if subscription is None else source_of_subscription(subscription),
        source_prefix=SUBSCRIPTION_SOURCE,
    )


def _shown_by(asked: Reading, scope: Scope) -> Callable[[UsageEventRow], dict[str, Any]]:
    """How events are shown: with the ids of their customer and subscription, looked for once."""

    @cache
    def customer(external_id: str) -> str | None:
        found = customer_then(asked, scope, external_id)
        return None if found is None else customer_lago_id(scope, found)

    terms = cache(lambda external_id: terms_named(asked.snapshot, scope, external_id))

    def show(event: UsageEventRow) -> dict[str, Any]:
        own = None
        if event.subscription is not None:
            within = (one.term for one in terms(event.subscription) if one.term.span.contains(event.time))
            own = next((lago_id(scope, "subscription", event.subscription, term.start) for term in within), None)
        return event_object(scope, event, None if event.customer_id is None else customer(event.customer_id), own)

    return show


def _response(body: dict[str, Any]) -> Response:
    return Response(_encode(body), 200, media_type="application/json")
