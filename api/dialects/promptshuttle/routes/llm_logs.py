"""GET /llm-logs: the requests of all customers or of one, newest first, in pages."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Depends
from starlette.responses import Response

from api.dialects.promptshuttle.models.requests import LlmLogsQuery
from api.dialects.promptshuttle.models.responses import LogPage
from api.dialects.promptshuttle.query_reading import query_of, query_openapi
from api.dialects.promptshuttle.routes.customers import BASE
from api.dialects.promptshuttle.views import credits_of, shown_instant
from api.http.authentication import Reader
from api.http.folded_answers import json_response
from api.http.headers.unknown_cost import UNKNOWN_COST_ANSWER
from api.http.paging import CURSOR_NUMBER_MAX, cursor_values, page, rows_to_read
from api.http.problems import Problem
from api.http.query_instants import is_day, local_midnight, query_instant
from api.http.reading import AskedByHeaders, reading
from api.http.state import StateOf
from domain.customers.derived_id import derived_id
from domain.scope import Scope
from domain.usage.block_schema import REQUEST_TYPE
from domain.usage.rules import STATUSES
from domain.values.instants import parsed_instant
from domain.values.money import marked_up
from projections.queries.events import EventFilter, EventWithMarkup, MemberIn, UsageEventRow

router = APIRouter(tags=["Invocation log"])
_LIST: Final = "llm-logs"
_UTC: Final = "UTC"
#: The members of an event's data that name its flow, by slug or by id.
_FLOW_MEMBERS: Final = ("flow", "flowId")
_ENVIRONMENT: Final = "environment"
_SHOWN_STATUSES: Final = {status: status.capitalize() for status in STATUSES}


class _LogCursor(msgspec.Struct, frozen=True, array_like=True):
    """The event after which a page begins; `time` is in UTC."""

    time: Annotated[datetime, msgspec.Meta(tz=True)]
    locator: int

    def __post_init__(self) -> None:
        if self.time.utcoffset() or not 0 <= self.locator <= CURSOR_NUMBER_MAX:
            raise ValueError("not a cursor of this list")


@router.get(
    f"{BASE}/llm-logs",
    response_model=LogPage,
    responses=UNKNOWN_COST_ANSWER,
    openapi_extra=query_openapi(LlmLogsQuery),
    summary="List requests",
)
def get_llm_logs(
    state: StateOf,
    key: Reader,
    query: Annotated[LlmLogsQuery, Depends(query_of(LlmLogsQuery))],
    known: AskedByHeaders,
) -> Response:
    """Requests, newest first. Those of deleted customers stay. 400 for a filter that cannot be read."""
    behind, where = _position(query.cursor), _filter(query)
    with reading(state, known, key.scope) as asked:
        rows = asked.snapshot.marked_events(key.scope, where, behind, rows_to_read(query.page_size))
        shown, next_cursor = page(rows, query.page_size, _LIST, _cursor_of)
        items = [_entry(key.scope, one) for one in shown]
        unknown = sum(one.event.cost_origin == "unknown" for one in shown)
        return json_response({"items": items, "nextCursor": next_cursor}, asked, cost_unknown_events=unknown)


def _position(cursor: str) -> tuple[datetime, int] | None:
    """The position after which a page begins; None for the first page."""
    try:
        after = cursor_values(_LIST, cursor or None, _LogCursor)
    except Problem:
        raise Problem.invalid("cursor", "must be the nextCursor of an earlier page") from None
    return None if after is None else (after.time, after.locator)


def _cursor_of(one: EventWithMarkup) -> _LogCursor:
    return _LogCursor(one.event.time, one.event.locator)


def _filter(query: LlmLogsQuery) -> EventFilter:
    members = ((query.environments, (_ENVIRONMENT,)), (query.flows, _FLOW_MEMBERS))
    return EventFilter(
        customer_id=query.customer_id or None,
        type=REQUEST_TYPE,
        start=_instant("from", query.from_),
        end=_instant("to", query.to),
        statuses=tuple(map(_status, query.statuses)),
        tags=tuple(query.tags),
        roots_only=query.root_only,
        parent_request=query.parent_request_id or None,
        members=tuple(MemberIn(paths, tuple(texts)) for texts, paths in members if texts),
    )


def _status(text: str) -> str:
    if text.lower() not in STATUSES:
        raise Problem.invalid("statuses", f"must be some of {', '.join(_SHOWN_STATUSES.values())}")
    return text.lower()


def _instant(name: str, text: str) -> datetime | None:
    """Parse an instant, in UTC without an offset, or a day, which stands for its midnight; None for empty text."""
    if not text:
        return None
    if is_day(text):
        return local_midnight(name, text, _UTC)
    return query_instant(name, text if parsed_instant(f"{text}Z") is None else f"{text}Z")


def _entry(scope: Scope, one: EventWithMarkup) -> dict[str, Any]:
    event, kept = one.event, one.event.properties
    return {
        "id": event.id,
        "source": event.source,
        "timestamp": shown_instant(event.time),
        "status": _SHOWN_STATUSES.get(event.status or "", event.status),
        "request": {
            "provider": event.provider,
            "model": event.model,
            "environment": kept.get(_ENVIRONMENT),
            "flow": next((kept[name] for name in _FLOW_MEMBERS if name in kept), None),
            "tags": list(event.tags),
        },
        "usage": _usage(event, one.markup_percentage),
        "timing": {
            "milliseconds": _milliseconds(event.latency_us),
            "firstTokenMilliseconds": _milliseconds(event.ttft_us),
        },
        "hierarchy": {
            "parentRequestId": event.parent_request,
            "rootRequestId": event.id if event.parent_request is None else None,
        },
        "customer": None
        if event.customer_id is None
        else {"id": derived_id(scope, event.customer_id), "externalId": event.customer_id},
    }


def _usage(event: UsageEventRow, percentage: Decimal) -> dict[str, Any]:
    reported = None if event.cost_origin == "unknown" else marked_up(event.cost_usd or Decimal(0), percentage)
    return _tokens(event) | {
        "costCredits": None if reported is None else credits_of(reported),
        "costUsd": None if reported is None else float(reported),
    }


def _tokens(event: UsageEventRow) -> dict[str, int | None]:
    """The tokens; each None if the request told nothing of what it used."""
    counts: dict[str, int | None] = {
        "tokensIn": event.input_tokens,
        "tokensOut": event.output_tokens,
        "tokensTotal": event.input_tokens + event.output_tokens,
        "tokensReasoning": event.reasoning_tokens,
        "tokensCachedRead": event.cached_input_tokens,
        "tokensCacheWrite": event.cache_write_tokens,
    }
    return dict.fromkeys(counts) if event.quantities_unknown else counts


def _milliseconds(microseconds: int | None) -> int | None:
    return None if microseconds is None else microseconds // 1_000
