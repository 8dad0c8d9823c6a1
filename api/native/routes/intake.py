"""POST /v1/events: the body goes to the intake unparsed, and is answered once its events are counted."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.http.authentication import Ingester
from api.http.bodies import bounded_body
from api.http.problems import PROBLEM_MEDIA_TYPE, Problem
from api.http.receipts import ReceiptView, receipt_response
from api.http.state import ApiState, StateOf
from api.http.writing import ACCEPTED
from consumers.intake.intake import IntakeReceipt, IntakeRequest
from consumers.intake.requests import LoadedInto
from domain.errors import InvalidInput
from domain.usage.request_bodies import BodyFormat, format_of
from domain.usage.rules import CUSTOMER_HEADERS
from domain.values.identifiers import checked_id
from projections.queries.api_keys import ApiKeyRecord

router = APIRouter(tags=["events"])


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
#: Bodies of events, in an OpenAPI document.
EVENTS_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            BodyFormat.ONE.value: {"schema": _EVENT, "example": _EXAMPLE},
            BodyFormat.BATCH.value: {"schema": _BATCH, "example": [_EXAMPLE]},
            BodyFormat.ONE_OR_BATCH.value: {"schema": {"oneOf": [_EVENT, _BATCH]}, "example": _EXAMPLE},
            BodyFormat.LINES.value: {"schema": {"type": "string", "description": "One event per line."}},
        },
    },
    "parameters": [
        *(
            {
                "name": name,
                "in": "header",
                "required": False,
                "schema": {"type": "string"},
                "description": text,
            }
            for name, text in zip(
                CUSTOMER_HEADERS,
                (
                    "Customer of events that have no `subject`.",
                    "The same, as PromptShuttle's clients name it; without `X-Meterfold-Customer`.",
                ),
                strict=True,
            )
        ),
        {
            "name": "Prefer",
            "in": "header",
            "required": False,
            "schema": {"type": "string", "examples": ["respond-async"]},
            "description": "`respond-async`: answer 202 as soon as the events are stored durably, without outcomes.",
        },
    ],
}


def _problem(description: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/ProblemDocument"}
    return {"description": description, "content": {PROBLEM_MEDIA_TYPE: {"schema": schema}}}


TOO_LARGE: Final[dict[int | str, dict[str, Any]]] = {
    413: _problem("`body_too_large`: the body has too many bytes or items. Nothing was received."),
}
REFUSED: Final[dict[int | str, dict[str, Any]]] = {
    409: _problem("`event_conflict`: an earlier event has the identity of this single event, and other content."),
    **TOO_LARGE,
    422: _problem("`event_rejected`: the single event is rejected. `invalid`: the customer header is. `reason` tells."),
}


@router.post(
    "/v1/events",
    response_model=ReceiptView,
    responses=ACCEPTED | REFUSED,
    openapi_extra=EVENTS_BODY,
    summary="Ingest usage events",
)
async def take_events(request: Request, state: StateOf, key: Ingester) -> Response:
    """Ingest usage: one CloudEvents 1.0 event, a batch, or one event per line. An invalid event is rejected by itself,
    never with its batch. The answer comes once the events are counted, with the outcome of each that was not. Events
    that are sent again are not counted twice. One event sent as `application/cloudevents+json` is answered 422 if it
    is rejected and 409 if it is a conflict, and is in the log all the same; other bodies are answered 200 with counts.
    """
    taken = await submitted(request, state, key)
    single = format_of(request.headers.get("content-type", "")) is BodyFormat.ONE
    return await receipt_response(request, state, taken, single)


async def submitted(
    request: Request, state: ApiState, key: ApiKeyRecord, into: LoadedInto | None = None
) -> IntakeReceipt:
    """Submit the body to the intake and wait until it is durable. A `Problem` means that nothing was received.

    `into`: the backfill that its events are loaded into, in place of being counted.
    """
    content_type = request.headers.get("content-type", "")
    try:
        format_of(content_type)  # refuses an unknown type before the body is read
        asked = IntakeRequest(
            scope=key.scope,
            content_type=content_type,
            customer_header=_customer_of(request),
            key=key.key_id,
            body=await bounded_body(request, state.engine.settings.http_body_bytes_max),
            into=into,
        )
        # Shielded, as a client that disconnects must not cancel what may be in the log already.
        return await asyncio.shield(asyncio.wrap_future(state.engine.intake.submit(asked)))
    except InvalidInput as error:
        raise _refusal(error) from None


def _customer_of(request: Request) -> str | None:
    """The customer named by a header; None without one. Its value is UTF-8."""
    for name in CUSTOMER_HEADERS:
        value = request.headers.get(name)
        if value is None:
            continue
        try:
            value = value.encode("latin-1").decode()
        except UnicodeDecodeError:
            raise InvalidInput(name, "must be UTF-8 text") from None
        return checked_id(name, value)
    return None


def _refusal(error: InvalidInput) -> Problem:
    if error.code == "unsupported_media_type":
        return Problem("media_type_unsupported", f"{error.field} {error.rule}")
    if error.code in ("body_too_large", "too_many_items"):
        return Problem("body_too_large", f"{error.field} {error.rule}")
    return Problem.invalid(error.field, error.rule, error.code)
