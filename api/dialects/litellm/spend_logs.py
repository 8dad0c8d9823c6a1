"""GET /spend/logs/v2: the requests of customers, one row each, with what they cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from heapq import nlargest, nsmallest
from itertools import count
from typing import Annotated, Any, Final, Literal

import msgspec
from fastapi import APIRouter, Depends
from pydantic import Field
from starlette.responses import Response

from api.dialects.litellm.answers import shown_instant
from api.dialects.litellm.authentication import Reader
from api.dialects.litellm.bodies import parameters, query_of
from api.dialects.litellm.deciding import json_answer
from api.dialects.litellm.given import PAGE_MAX, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX, Given, Usd
from api.dialects.litellm.models import SpendLogs
from api.dialects.litellm.refusals import error
from api.state import StateOf
from domain.money import marked_up
from domain.scope import Scope
from domain.usage_rules import REQUEST_TYPE
from projections.markups import MarkupChange, markup_at, markup_changes
from projections.read_store import PAGE_ROWS_MAX, EventFilter, Snapshot, UsageEventRow

router = APIRouter(tags=["Budget & Spend Tracking"])
#: How many requests one question looks through at most, where it cannot go to its page directly.
LOOKED_THROUGH_MAX: Final = 100_000
_ONE_DAY: Final = timedelta(days=1)
_STATUSES: Final = {"success": "succeeded", "failure": "failed"}
_SHOWN_STATUSES: Final = {status: shown for shown, status in _STATUSES.items()}


class SpendLogsQuery(Given):
    end_user: str | None = Field(None, description="The customer.")
    model: str | None = None
    status_filter: Literal["success", "failure"] | None = None
    start_date: str | None = Field(None, description="YYYY-MM-DD, with or without HH:MM:SS; UTC.")
    end_date: str | None = Field(None, description="The same; a day is meant to its end.")
    min_spend: Usd | None = None
    max_spend: Usd | None = None
    page: int = Field(1, ge=1, le=PAGE_MAX)
    page_size: int = Field(PAGE_SIZE_DEFAULT, ge=1, le=PAGE_SIZE_MAX)
    sort_by: Literal["startTime", "endTime", "spend", "total_tokens"] = "startTime"
    sort_order: Literal["asc", "desc"] = "desc"
    api_key: str | None = Field(None, description="As logged: the hash of LiteLLM's key.")
    request_id: str | None = None


class _Spent(msgspec.Struct, frozen=True):
    """A request with what it cost, markup included."""

    event: UsageEventRow
    spend: Decimal

    @property
    def ended_at(self) -> datetime:
        return self.event.time + timedelta(microseconds=self.event.latency_us or 0)


#: Ties go by the order in which the requests came.
_ORDERS: Final[dict[str, Callable[[_Spent], Any]]] = {
    "startTime": lambda one: (one.event.time, one.event.locator),
    "endTime": lambda one: (one.ended_at, one.event.locator),
    "spend": lambda one: (one.spend, one.event.locator),
    "total_tokens": lambda one: (one.event.input_tokens + one.event.output_tokens, one.event.locator),
}


@router.get("/spend/logs/v2", response_model=SpendLogs, openapi_extra=parameters(SpendLogsQuery))
def ui_view_spend_logs(
    state: StateOf, key: Reader, query: Annotated[SpendLogsQuery, Depends(query_of(SpendLogsQuery))]
) -> Response:
    """Requests, newest first, in pages. One question looks through a hundred thousand requests at most."""
    where = EventFilter(
        customer_id=query.end_user,
        model=query.model,
        status=None if query.status_filter is None else _STATUSES[query.status_filter],
        type=REQUEST_TYPE,
        start=_instant("start_date", query.start_date, timedelta()),
        end=_instant("end_date", query.end_date, _ONE_DAY),
    )
    start = (query.page - 1) * query.page_size
    first = nlargest if query.sort_order == "desc" else nsmallest
    with state.engine.reads.snapshot() as snapshot:
        counted = count()  # how many fit, of which only those up to the page are kept
        fitting = (one for one in _spent(snapshot, key.scope, where) if _fits(one, query))
        kept = first(
            min(start, LOOKED_THROUGH_MAX) + query.page_size,
            (one for one, _ in zip(fitting, counted, strict=False)),
            key=_ORDERS[query.sort_by],
        )
        total, position = next(counted), snapshot.point().position
    body = {
        "data": [_row(one) for one in kept[start : start + query.page_size]],
        "total": total,
        "page": query.page,
        "page_size": query.page_size,
        "total_pages": -(-total // query.page_size),
    }
    return json_answer(body, position)


def _spent(snapshot: Snapshot, scope: Scope, where: EventFilter) -> Iterator[_Spent]:
    """All of them, newest first; 400 when they are more than may be looked through."""
    markups: dict[str, Sequence[MarkupChange]] = {}
    after: tuple[datetime, int] | None = None
    for _ in range(LOOKED_THROUGH_MAX // PAGE_ROWS_MAX):
        rows = snapshot.events(scope, where, after, PAGE_ROWS_MAX)
        for row in rows:
            if row.customer_id not in markups:
                record = snapshot.customer(scope, row.customer_id)
                markups[row.customer_id] = () if record is None else markup_changes(record.facts)
            cost = row.cost_usd or Decimal(0)
            yield _Spent(row, marked_up(cost, markup_at(markups[row.customer_id], row.time)))
        if len(rows) < PAGE_ROWS_MAX:
            return
        after = rows[-1].time, rows[-1].locator
    told = f"These are more than {LOOKED_THROUGH_MAX} requests: ask for one end_user, or for fewer days."
    raise error(400, "bad_request", told)


def _fits(one: _Spent, query: SpendLogsQuery) -> bool:
    return (
        (query.min_spend is None or one.spend >= query.min_spend)
        and (query.max_spend is None or one.spend <= query.max_spend)
        and query.api_key in (None, one.event.properties.get("user_api_key_hash"))
        and query.request_id in (None, _request_id(one.event))
    )


def _request_id(event: UsageEventRow) -> str:
    return str(event.properties.get("response_id") or event.id)


def _row(one: _Spent) -> dict[str, Any]:
    event, kept = one.event, one.event.properties
    return {
        "request_id": _request_id(event),
        "call_type": kept.get("call_type") or "",
        "api_key": kept.get("user_api_key_hash") or "",
        "spend": float(one.spend),
        "total_tokens": event.input_tokens + event.output_tokens,
        "prompt_tokens": event.input_tokens,
        "completion_tokens": event.output_tokens,
        "startTime": shown_instant(event.time),
        "endTime": shown_instant(one.ended_at),
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
    """A day or a moment in UTC; a day stands for `day_is` after its midnight."""
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
        whole_day = len(text) == len("YYYY-MM-DD")
        aware = instant.replace(tzinfo=instant.tzinfo or UTC) + (day_is if whole_day else timedelta())
        return aware.astimezone(UTC)
    except (ValueError, OverflowError):
        raise error(400, "bad_request", f"{name} is YYYY-MM-DD or YYYY-MM-DD HH:MM:SS", name) from None
