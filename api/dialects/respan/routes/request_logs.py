"""POST /respan/api/request-logs/create/ and /batch/create/: logged requests as usage, with facts about customers."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, Final
from uuid import uuid4

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.dialects.respan.authentication import DIALECT, ENVIRONMENT_PARAMETER, Client, Ingester
from api.dialects.respan.log_batches import logs_of
from api.dialects.respan.log_payloads import LoggedEvent, logged_event
from api.dialects.respan.models.request_logs import LogsAnswer
from api.http.bodies import bounded_body
from api.http.logs.log_bodies import LogBody
from api.http.problems import Problem
from api.http.receipts import receipt_response
from api.http.state import ApiState, StateOf
from api.http.writing import ACCEPTED
from consumers.intake.intake import IntakeRequest
from domain.usage.request_bodies import BodyFormat, without_byte_order_mark

#: What the vendor's client prints.
LOGGED: Final = "log successful"
_LOG: Final = {"$ref": "#/components/schemas/RequestLog"}
_LIST: Final = {"type": "array", "items": _LOG}
_BATCH: Final = {"type": "object", "properties": {"logs": _LIST}, "required": ["logs"]}


def _described(schema: dict[str, Any]) -> dict[str, Any]:
    body = {"required": True, "content": {"application/json": {"schema": schema}}}
    return {"parameters": [ENVIRONMENT_PARAMETER], "requestBody": body}


async def create_request_log(request: Request, state: StateOf, client: Ingester) -> Response:
    """Ingest one logged request or a list of them. The answer comes once they are counted. What `customer_params` says
    of a customer holds from the time of the log on, if the log is counted. Of a list, a log that cannot be read is
    rejected by itself, never with the others."""
    return await _ingested(request, state, client, await _body(request, state))


async def create_request_log_batch(request: Request, state: StateOf, client: Ingester) -> Response:
    """Ingest the list `logs`, as a list is that is sent alone."""
    logs = await asyncio.to_thread(logs_of, await _body(request, state))
    if logs is None:
        raise Problem.invalid("logs", "must be a list of logs")
    return await _ingested(request, state, client, logs)


async def _body(request: Request, state: ApiState) -> bytes:
    return without_byte_order_mark(await bounded_body(request, state.engine.settings.http_body_bytes_max))


async def _ingested(request: Request, state: ApiState, client: Client, body: bytes) -> Response:
    logs = LogBody(body, state.engine.settings.http_body_events_max, partial(logged_event, new_id=_new_id))
    await logs.convert(state.conversions)
    # Shielded, as a client that disconnects must not cancel what may be in the log already.
    receipt = await asyncio.shield(asyncio.wrap_future(state.engine.intake.submit(_intake_request(client, logs))))
    more: dict[str, Any] = {"message": LOGGED}
    if logs.is_one_payload:
        more["unique_id"] = logs.events[0].event_id
    return await receipt_response(request, state, receipt, single=logs.is_one_payload, more=more)


def _new_id() -> str:
    return uuid4().hex


def _intake_request(client: Client, logs: LogBody[LoggedEvent]) -> IntakeRequest:
    facts = tuple(logged.facts for logged in logs.events)
    return IntakeRequest(
        client.scope,
        BodyFormat.BATCH.value,
        tuple(logged.event for logged in logs.events),
        key=client.key.key_id,
        facts=facts if any(facts) else (),
        dialect=DIALECT,
    )


def _router() -> APIRouter:
    router = APIRouter(prefix="/respan/api/request-logs", tags=["request logs"])
    for path, handler, schema, summary in (
        ("/", create_request_log, {"oneOf": [_LOG, _LIST]}, "Log requests"),
        ("/create/", create_request_log, {"oneOf": [_LOG, _LIST]}, "Log requests"),
        ("/batch/create/", create_request_log_batch, _BATCH, "Log a batch of requests"),
    ):
        for written, published in ((path, True), (path.removesuffix("/"), False)):
            router.add_api_route(
                written,
                handler,
                methods=["POST"],
                response_model=LogsAnswer,
                responses=ACCEPTED,
                openapi_extra=_described(schema),
                summary=summary,
                include_in_schema=published,
            )
    return router


router: Final = _router()
