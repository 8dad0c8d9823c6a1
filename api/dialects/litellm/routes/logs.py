"""POST /litellm/logs: usage from a running LiteLLM proxy, sent by its generic API logger."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.dialects.litellm.log_payloads import event_of
from api.http.authentication import Ingester
from api.http.bodies import bounded_body, decoded_json
from api.http.receipts import ReceiptView, receipt_response
from api.http.state import StateOf
from api.http.writing import ACCEPTED
from consumers.intake.intake import IntakeRequest
from domain.usage.request_bodies import BodyFormat, items_of, without_byte_order_mark

router = APIRouter(tags=["logging"])
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


@router.post(
    "/litellm/logs", response_model=ReceiptView, responses=ACCEPTED, openapi_extra=_BODY, summary="Ingest LiteLLM logs"
)
async def take_logs(request: Request, state: StateOf, key: Ingester) -> Response:
    """Ingest the requests that LiteLLM logged. The answer comes once they are counted; a payload that is sent again is
    not counted twice. A payload that cannot be read is rejected by itself, never with the others."""
    body = without_byte_order_mark(await bounded_body(request, state.engine.settings.http_body_bytes_max))
    payloads = await asyncio.to_thread(_payloads, body)
    events = await asyncio.to_thread(_events, payloads)
    asked = IntakeRequest(key.scope, BodyFormat.BATCH.value, events)
    # Shielded, as a client that disconnects must not cancel what may be in the log already.
    receipt = await asyncio.shield(asyncio.wrap_future(state.engine.intake.submit(asked)))
    answer = await receipt_response(request, state, receipt)
    if receipt.rejected and payloads == [body]:
        decoded_json(body)  # what is no JSON at all is in the log too, but answered as LiteLLM answers it
    return answer


def _payloads(body: bytes) -> list[bytes]:
    """The payloads of a body: one JSON object, an array of objects, or one object per line."""
    found = items_of(BodyFormat.ONE_OR_BATCH, body)
    return items_of(BodyFormat.LINES, body) if found == [body] and _has_lines(body) else found


def _has_lines(body: bytes) -> bool:
    """Whether a body that is no array has an object on each line, and is not one object that spans lines."""
    lines = body.splitlines()
    if len(lines) < 2 or body.lstrip().startswith(b"["):
        return False
    return sum(line.startswith(b"{") for line in lines) > 1 or lines[0].rstrip().endswith(b"}")


def _events(payloads: Sequence[bytes]) -> tuple[bytes, ...]:
    return tuple(map(event_of, payloads))
