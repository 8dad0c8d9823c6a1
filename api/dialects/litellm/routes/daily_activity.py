"""GET /customer/daily/activity: usage of customers per UTC day, with breakdowns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from pydantic import Field
from starlette.responses import Response

from api.dialects.litellm.error_shapes import detail_refusal
from api.dialects.litellm.log_payloads import KEY_PROPERTY
from api.dialects.litellm.models.requests import PAGE_MAX, RequestFields
from api.dialects.litellm.models.responses import SpendAnalyticsPaginatedResponse
from api.dialects.litellm.request_reading import query_of, query_openapi
from api.dialects.litellm.routes.customers import TAG
from api.http.authentication import Administrator
from api.http.folded_answers import json_response
from api.http.headers.unknown_cost import UNKNOWN_COST_ANSWER
from api.http.reading import AskedByHeaders, reading
from api.http.state import StateOf
from domain.errors import InvalidInput
from domain.scope import Scope
from domain.values.periods import USAGE_TIME_LIMIT, USAGE_TIME_MIN
from projections.queries.snapshot import Snapshot
from projections.queries.usage import Segment, UsageQuestion
from projections.views.measures import Measures, measures_of

DAYS_PER_PAGE_DEFAULT: Final = 10
DAYS_PER_PAGE_MAX: Final = 1_000
DAYS_MAX: Final = 3_660
CUSTOMERS_MAX: Final = 100
_GROUPS: Final = ("customer", "provider", "model", "status")
#: One sum: its group and its measures.
_Row = tuple[tuple[str | None, ...], Measures]
_FAILED: Final = "failed"
_ONE_DAY: Final = timedelta(days=1)
_COUNTED: Final = ("prompt_tokens", "completion_tokens", "total_tokens", "api_requests", "successful_requests",
    "failed_requests", "cache_read_input_tokens", "cache_creation_input_tokens")  # fmt: skip


class ActivityQuery(RequestFields):
    """Query parameters of /customer/daily/activity."""

    end_user_ids: str | None = Field(None, description="Customer ids, comma-separated.")
    exclude_end_user_ids: str | None = Field(None, description="Customer ids to leave out, comma-separated.")
    start_date: str | None = Field(None, description="YYYY-MM-DD")
    end_date: str | None = Field(None, description="YYYY-MM-DD, inclusive.")
    model: str | None = None
    api_key: str | None = Field(None, description="The hash of the LiteLLM key, as it was logged.")
    page: int = Field(1, ge=1, le=PAGE_MAX)
    page_size: int = Field(DAYS_PER_PAGE_DEFAULT, ge=1, le=DAYS_PER_PAGE_MAX, description="Days on a page.")


def get_customer_daily_activity(
    state: StateOf,
    key: Administrator,
    query: Annotated[ActivityQuery, Depends(query_of(ActivityQuery))],
    known: AskedByHeaders,
) -> Response:
    """Usage per UTC day, newest first; days without usage are left out. Totals are over all pages. 400 without
    `start_date` and `end_date`."""
    if query.start_date is None or query.end_date is None:
        raise detail_refusal(400, "Please provide start_date and end_date")
    days = _days(_day("start_date", query.start_date), _day("end_date", query.end_date))
    with reading(state, known, key.scope) as asked:
        found = _by_day(asked.snapshot, key.scope, days, query)
        unknown = sum(measures.cost_unknown_events for rows in found.values() for _, measures in rows)
        return json_response(_page(found, query), asked, cost_unknown_events=unknown)


def _page(found: Mapping[date, list[_Row]], query: ActivityQuery) -> dict[str, Any]:
    used = sorted(found, reverse=True)
    start = (query.page - 1) * query.page_size
    shown = used[start : start + query.page_size]
    pages = max(1, -(-len(used) // query.page_size))
    total = _metrics(row for rows in found.values() for row in rows)
    return {
        "results": [_result(day, found[day]) for day in shown],
        "metadata": {
            **{f"total_{name}" if name != "total_tokens" else name: value for name, value in total.items()},
            "page": query.page,
            "total_pages": pages,
            "has_more": query.page < pages,
        },
    }


def _by_day(snapshot: Snapshot, scope: Scope, days: list[date], query: ActivityQuery) -> dict[date, list[_Row]]:
    segments = tuple(Segment(_midnight(day), _midnight(day + _ONE_DAY)) for day in days)
    models = None if query.model is None else (query.model,)
    keys = ((KEY_PROPERTY, query.api_key),) if query.api_key else ()
    left_out = set(_names(query.exclude_end_user_ids))
    customers: list[str | None] = [*_names(query.end_user_ids)]
    if len(customers) > CUSTOMERS_MAX:
        raise detail_refusal(400, f"end_user_ids must name at most {CUSTOMERS_MAX} customers")
    found: dict[date, list[_Row]] = {}
    for customer in customers or [None]:
        question = UsageQuestion(segments, customer, _GROUPS, models=models, split_markup=True, properties=keys)
        try:
            sums = snapshot.usage(scope, question)
        except InvalidInput as problem:
            raise detail_refusal(400, f"{problem.field} {problem.rule}") from None
        for one in sums:
            if one.group[0] not in left_out:
                found.setdefault(days[one.segment], []).append((one.group, measures_of(one)))
    return found


def _result(day: date, rows: list[_Row]) -> dict[str, Any]:
    return {
        "date": day.isoformat(),
        "metrics": _metrics(rows),
        "breakdown": {
            "models": _broken_down(rows, 2),
            "model_groups": _broken_down(rows, 2),
            "providers": _broken_down(rows, 1),
            "entities": _broken_down(rows, 0),
            "endpoints": {},
            "mcp_servers": {},
            "api_keys": {},
            "guardrails": {},
        },
    }


def _broken_down(rows: list[_Row], index: int) -> dict[str, Any]:
    by_name: dict[str, list[_Row]] = {}
    for row in rows:
        by_name.setdefault(row[0][index] or "", []).append(row)
    return {
        name: {"metrics": _metrics(of_name), "metadata": {}, "api_key_breakdown": {}}
        for name, of_name in sorted(by_name.items())
    }


def _metrics(rows: Iterable[_Row]) -> Mapping[str, Any]:
    total, failed = Measures(), 0
    for group, measures in rows:
        total = total.plus(measures)
        failed += measures.requests if group[3] == _FAILED else 0
    counts = (
        total.input_tokens,
        total.output_tokens,
        total.total_tokens,
        total.requests,
        total.requests - failed,
        failed,
        total.cached_input_tokens,
        total.cache_write_tokens,
    )
    return {"spend": float(total.reported_cost_usd), **dict(zip(_COUNTED, counts, strict=True))}


def _days(first: date, last: date) -> list[date]:
    count = (last - first).days + 1
    if count > DAYS_MAX:
        raise detail_refusal(400, f"start_date and end_date must be at most {DAYS_MAX} days apart")
    return [first + number * _ONE_DAY for number in range(max(0, count))]


def _day(name: str, text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise detail_refusal(400, f"{name} must be a day, YYYY-MM-DD") from None
    if not USAGE_TIME_MIN.year <= day.year < USAGE_TIME_LIMIT.year:
        years = f"{USAGE_TIME_MIN.year} to {USAGE_TIME_LIMIT.year - 1}"
        raise detail_refusal(400, f"{name} must be a day of the years {years}")
    return day


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)


def _names(text: str | None) -> list[str]:
    return list(dict.fromkeys(name.strip() for name in (text or "").split(",") if name.strip()))


def activity_routes(prefix: str) -> APIRouter:
    """Make the route below /customer, or below its older name."""
    router = APIRouter(prefix=prefix, tags=[TAG])
    router.add_api_route(
        "/daily/activity",
        get_customer_daily_activity,
        methods=["GET"],
        summary="Report daily usage of customers",
        response_model=SpendAnalyticsPaginatedResponse,
        responses=UNKNOWN_COST_ANSWER,
        openapi_extra=query_openapi(ActivityQuery),
    )
    return router
