"""POST /litellm/logs: usage from a running LiteLLM proxy, sent by its generic API logger."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.dialects.litellm.log_payloads import event_of
from api.http.authentication import Ingester
from api.http.bodies import bounded_body, decoded_json
from api.http.logs.log_bodies import LogBody
from api.http.receipts import ReceiptView, receipt_response
from api.http.state import StateOf
from api.http.writing import ACCEPTED
from consumers.intake.intake import IntakeRequest
from domain.usage.request_bodies import BodyFormat, without_byte_order_mark

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
    settings = state.engine.settings
    body = without_byte_order_mark(await bounded_body(request, settings.http_body_bytes_max))
    converted = partial(event_of, fallback=settings.litellm_customer_fallback)
    logs = LogBody(body, settings.http_body_events_max, converted)
    await logs.convert(state.conversions)
    asked = IntakeRequest(key.scope, BodyFormat.BATCH.value, tuple(logs.events), key=key.key_id)
    # Shielded, as a client that disconnects must not cancel what may be in the log already.
    receipt = await asyncio.shield(asyncio.wrap_future(state.engine.intake.submit(asked)))
    answer = await receipt_response(request, state, receipt)
    if receipt.rejected and logs.is_one_payload:
        decoded_json(body)  # what is no JSON at all is in the log too, but answered as LiteLLM answers it
    return answer
