"""POST /v1/events: bodies go to intake as they came, and are answered once they are counted."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from anyio import to_thread
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.http.authentication import Ingester
from api.http.bodies import bounded_body
from api.http.problems import Problem
from api.http.state import ApiState, StateOf
from api.http.writing import ACCEPTED, POSITION_HEADER, accepted, wants_async
from api.native.models.events import OutcomeCountsView, ReceiptView
from api.native.routes.operations import counts_view
from api.native.views.events import outcome_document
from consumers.intake.intake import IntakeReceipt, IntakeRequest
from domain.errors import InvalidInput
from domain.usage.request_bodies import BodyFormat, format_of
from domain.values.identifiers import checked_id
from projections.queries.events import RowSpan

router = APIRouter(tags=["events"])
OUTCOMES_SHOWN_MAX: Final = 10_000
CUSTOMER_HEADER: Final = "X-Meterfold-Customer"

_EVENT: Final = {"$ref": "#/components/schemas/UsageEvent"}
_BATCH: Final = {"type": "array", "items": _EVENT}
_EXAMPLE: Final = {
    "specversion": "1.0",
    "id": "req-123",
    "source": "gateway-1",
    "type": "llm.request",
    "subject": "acme",
    "time": "2026-03-01T12:00:00Z",
    "data": {"provider": "openai", "model": "gpt-4o", "input_tokens": 1200, "output_tokens": 300},
}
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            BodyFormat.ONE.value: {"schema": _EVENT, "example": _EXAMPLE},
            BodyFormat.BATCH.value: {"schema": _BATCH, "example": [_EXAMPLE]},
            BodyFormat.ONE_OR_BATCH.value: {"schema": {"oneOf": [_EVENT, _BATCH]}, "example": _EXAMPLE},
            BodyFormat.LINES.value: {"schema": {"type": "string", "description": "One event a line."}},
        },
    },
    "parameters": [
        {
            "name": CUSTOMER_HEADER,
            "in": "header",
            "required": False,
            "schema": {"type": "string"},
            "description": "Customer of events that have no `subject`.",
        },
        {
            "name": "Prefer",
            "in": "header",
            "required": False,
            "schema": {"type": "string", "examples": ["respond-async"]},
            "description": "`respond-async`: 202 as soon as it is stored for good, without outcomes.",
        },
    ],
}


@router.post("/v1/events", response_model=ReceiptView, responses=ACCEPTED, openapi_extra=_BODY)
async def take_events(request: Request, state: StateOf, key: Ingester) -> Response:
    """Report usage: one CloudEvents 1.0 event, a batch, or one a line. A bad event never sinks its batch. Answered once
    it is counted, with what became of each event; sending the same again counts nothing twice."""
    return await receipt_answer(request, state, await _taken(request, state, key.scope))


async def receipt_answer(request: Request, state: ApiState, taken: IntakeReceipt) -> Response:
    """What became of the events that were taken, once they are counted."""
    preferred = wants_async(request)
    if preferred or not await state.fold.folded(taken.position):
        return accepted(taken.position, preferred)
    view = _receipt_of_counted(state, taken)
    if view is None:
        view = await to_thread.run_sync(_receipt, state, taken)
    headers = {POSITION_HEADER: str(taken.position)}
    return Response(view.model_dump_json(), 200, headers, "application/json")


async def _taken(request: Request, state: ApiState, scope: Any) -> IntakeReceipt:
    """Hand the body to intake and wait until it is durable. Nothing was received when this raises a `Problem`."""
    content_type = request.headers.get("content-type", "")
    try:
        format_of(content_type)  # before the body is read
        asked = IntakeRequest(
            scope=scope,
            content_type=content_type,
            customer_header=_customer_of(request),
            body=await bounded_body(request, state.engine.settings.body_bytes_max),
        )
        # Shielded: someone who hangs up does not take back what may be in the log already.
        return await asyncio.shield(asyncio.wrap_future(state.engine.intake.submit(asked)))
    except InvalidInput as error:
        raise _refusal(error) from None


def _customer_of(request: Request) -> str | None:
    """Header values are bytes; ids in them are UTF-8."""
    value = request.headers.get(CUSTOMER_HEADER)
    if value is None:
        return None
    try:
        value = value.encode("latin-1").decode()
    except UnicodeDecodeError:
        raise InvalidInput(CUSTOMER_HEADER, "is UTF-8 text") from None
    return checked_id(CUSTOMER_HEADER, value)


def _refusal(error: InvalidInput) -> Problem:
    if error.code == "unsupported_media_type":
        return Problem("media_type_unsupported", f"{error.field} {error.rule}")
    if error.code == "body_too_large":
        return Problem("body_too_large", f"{error.field} {error.rule}")
    return Problem.invalid(error.field, error.rule, error.code)


def _receipt_of_counted(state: ApiState, taken: IntakeReceipt) -> ReceiptView | None:
    """The receipt of what is known to be counted as a whole, or is nothing."""
    if not state.engine.reads.all_counted(_spans(taken)):
        return None
    counts = OutcomeCountsView(counted=taken.received, duplicate=0, conflict=0, rejected=0)
    return ReceiptView(position=taken.position, counts=counts, outcomes=[])


def _spans(taken: IntakeReceipt) -> list[RowSpan]:
    return [RowSpan(piece.position, piece.row_from, piece.row_to) for piece in taken.pieces]


def _receipt(state: ApiState, taken: IntakeReceipt) -> ReceiptView:
    with state.engine.reads.snapshot() as snapshot:
        counts, outcomes = snapshot.receipt(_spans(taken))
    return ReceiptView(
        position=taken.position,
        counts=counts_view(counts),
        outcomes=[outcome_document(outcome) for outcome in outcomes[:OUTCOMES_SHOWN_MAX]],
        outcomes_truncated=len(outcomes) > OUTCOMES_SHOWN_MAX,
    )
