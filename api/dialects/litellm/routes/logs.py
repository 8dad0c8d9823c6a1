"""POST /litellm/logs: usage from a running LiteLLM proxy, sent by its generic API logger."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.dialects.litellm.error_shapes import validation_refusal
from api.dialects.litellm.log_payloads import usage_event
from api.http.authentication import Ingester
from api.http.bodies import NotJson, bounded_body, decoded_json
from api.http.receipts import ReceiptView, receipt_response
from api.http.state import StateOf
from api.http.writing import ACCEPTED
from consumers.intake.intake import IntakeRequest
from domain.usage.request_bodies import BodyFormat

router = APIRouter(tags=["logging"])
LINES_MAX: Final = 100_000
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "oneOf": [{"type": "object"}, {"type": "array", "items": {"type": "object"}}],
                    "description": "Standard logging payloads: one, a list, or one per line.",
                }
            }
        },
    }
}
_encoder = msgspec.json.Encoder(decimal_format="number")


@router.post(
    "/litellm/logs", response_model=ReceiptView, responses=ACCEPTED, openapi_extra=_BODY, summary="Ingest LiteLLM logs"
)
async def take_logs(request: Request, state: StateOf, key: Ingester) -> Response:
    """Ingest the requests that LiteLLM logged. The answer comes once they are counted; a payload that is sent again is
    not counted twice."""
    body = await bounded_body(request, state.engine.settings.http_body_bytes_max)
    events = await asyncio.to_thread(_events, body)
    asked = IntakeRequest(key.scope, BodyFormat.BATCH.value, events)
    # Shielded, as a client that disconnects must not cancel what may be in the log already.
    receipt = await asyncio.shield(asyncio.wrap_future(state.engine.intake.submit(asked)))
    return await receipt_response(request, state, receipt)


def _events(body: bytes) -> bytes:
    return _encoder.encode([usage_event(payload) for payload in _payloads(body)])


def _payloads(body: bytes) -> list[Any]:
    """The payloads of a body: one JSON object, an array of objects, or one object per line."""
    try:
        value = decoded_json(body)
    except NotJson:
        lines = [line for line in body.splitlines() if line.strip()]
        if len(lines) < 2:
            raise
        if len(lines) > LINES_MAX:
            raise validation_refusal(
                [("too_long", ["body"], f"Value error, must have at most {LINES_MAX} lines")]
            ) from None
        return [decoded_json(line) for line in lines]
    return value if isinstance(value, list) else [value]
