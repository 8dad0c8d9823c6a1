"""GET /spend/logs/v2: the requests of customers, one row each, with their cost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends
from pydantic import Field
from starlette.responses import Response

from api.dialects.litellm.error_shapes import error_refusal
from api.dialects.litellm.log_payloads import KEY_PROPERTY
from api.dialects.litellm.models.requests import PAGE_MAX, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX, RequestFields, Usd
from api.dialects.litellm.models.responses import SpendLogs
from api.dialects.litellm.request_reading import query_of, query_openapi
from api.dialects.litellm.views import shown_instant
from api.http.authentication import Reader
from api.http.folded_answers import json_response
from api.http.headers.unknown_cost import UNKNOWN_COST_ANSWER
from api.http.reading import AskedByHeaders, reading
from api.http.state import StateOf
from domain.usage.block_schema import REQUEST_TYPE
from domain.values.money import marked_up
from projections.queries.events import (
    EventFilter,
    EventOrder,
    EventPage,
    EventQuestion,
    EventWithMarkup,
    UsageEventRow,
)

router = APIRouter(tags=["Budget & Spend Tracking"])
_ONE_DAY: Final = timedelta(days=1)
_RESPONSE_ID: Final = "response_id"
_STATUSES: Final = {"success": "succeeded", "failure": "failed"}
_SHOWN_STATUSES: Final = {status: shown for shown, status in _STATUSES.items()}
_ORDERS: Final[dict[str, EventOrder]] = {
    "startTime": "time",
    "endTime": "ended_at",
    "spend": "reported_cost_usd",
    "total_tokens": "total_tokens",
}


class SpendLogsQuery(RequestFields):
    """Query parameters of /spend/logs/v2."""

    end_user: str | None = Field(None, description="Id of the customer.")
    model: str | None = None
    status_filter: Literal["success", "failure"] | None = None
    start_date: str | None = Field(None, description="YYYY-MM-DD, with or without HH:MM:SS; UTC.")
    end_date: str | None = Field(None, description="In the same format; a day is included to its end.")
    min_spend: Usd | None = None
    max_spend: Usd | None = None
    page: int = Field(1, ge=1, le=PAGE_MAX)
    page_size: int = Field(PAGE_SIZE_DEFAULT, ge=1, le=PAGE_SIZE_MAX)
    sort_by: Literal["startTime", "endTime", "spend", "total_tokens"] = "startTime"
    sort_order: Literal["asc", "desc"] = "desc"
    api_key: str | None = Field(None, description="The hash of the LiteLLM key, as it was logged.")
    request_id: str | None = None


@router.get(
    "/spend/logs/v2",
    response_model=SpendLogs,
    responses=UNKNOWN_COST_ANSWER,
    openapi_extra=query_openapi(SpendLogsQuery),
    summary="List requests with their cost",
)
def ui_view_spend_logs(
    state: StateOf,
    key: Reader,
    query: Annotated[SpendLogsQuery, Depends(query_of(SpendLogsQuery))],
    known: AskedByHeaders,
) -> Response:
    """Requests in pages, newest first by default. 400 for a date that cannot be read."""
    where = EventFilter(
        customer_id=query.end_user,
        model=query.model,
        status=None if query.status_filter is None else _STATUSES[query.status_filter],
        type=REQUEST_TYPE,
        start=_instant("start_date", query.start_date, timedelta()),
        end=_instant("end_date", query.end_date, _ONE_DAY),
    )
    question = EventQuestion(
        where,
        order=_ORDERS[query.sort_by],
        descending=query.sort_order == "desc",
        properties=((KEY_PROPERTY, query.api_key),) if query.api_key else (),
        known_as=None if query.request_id is None else (_RESPONSE_ID, query.request_id),
        reported_min_usd=query.min_spend,
        reported_max_usd=query.max_spend,
    )
    with reading(state, known, key.scope) as asked:
        found = asked.snapshot.event_page(key.scope, question, (query.page - 1) * query.page_size, query.page_size)
        unknown = sum(one.event.cost_origin == "unknown" for one in found.events)
        return json_response(_page(found, query), asked, cost_unknown_events=unknown)


def _page(found: EventPage, query: SpendLogsQuery) -> dict[str, Any]:
    return {
        "data": [_row(one) for one in found.events],
        "total": found.total,
        "page": query.page,
        "page_size": query.page_size,
        "total_pages": -(-found.total // query.page_size),
    }


def _request_id(event: UsageEventRow) -> str:
    """The id of the response, as in LiteLLM's own rows; else the id of the event."""
    given = event.properties.get(_RESPONSE_ID)
    return given if isinstance(given, str) and given else event.id


def _row(one: EventWithMarkup) -> dict[str, Any]:
    event, kept = one.event, one.event.properties
    ended_at = event.time + timedelta(microseconds=event.latency_us or 0)
    return {
        "request_id": _request_id(event),
        "call_type": kept.get("call_type") or "",
        "api_key": kept.get(KEY_PROPERTY) or "",
        "spend": float(marked_up(event.cost_usd or Decimal(0), one.markup_percentage)),
        "total_tokens": event.input_tokens + event.output_tokens,
        "prompt_tokens": event.input_tokens,
        "completion_tokens": event.output_tokens,
        "startTime": shown_instant(event.time),
        "endTime": shown_instant(ended_at),
        "request_duration_ms": None if event.latency_us is None else event.latency_us // 1_000,
        "model": event.model or "",
        "model_id": kept.get("model_id") or "",
        "model_group": kept.get("model_group") or "",
        "custom_llm_provider": event.provider or "",
        "api_base": kept.get("api_base") or "",
        "user": "",
        "metadata": {},
        "cache_hit": str(kept.get("cache_hit", "")),
        "request_tags": list(event.tags),
        "team_id": kept.get("user_api_key_team_id"),
        "organization_id": kept.get("user_api_key_org_id"),
        "end_user": event.customer_id,
        "session_id": kept.get("session_id"),
        "status": _SHOWN_STATUSES.get(event.status or "", event.status),
    }


def _instant(name: str, text: str | None, day_is: timedelta) -> datetime | None:
    """Parse a day or an instant in UTC; a day stands for the instant `day_is` after its midnight."""
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
        whole_day = len(text) == len("YYYY-MM-DD")
        aware = instant.replace(tzinfo=instant.tzinfo or UTC) + (day_is if whole_day else timedelta())
        return aware.astimezone(UTC)
    except ValueError:
        rule = "must be YYYY-MM-DD or YYYY-MM-DD HH:MM:SS"
    except OverflowError:
        rule = "must be a day of the years 1 to 9999 in UTC, but for the last one"
    raise error_refusal(400, "bad_request", f"{name} {rule}", name)
