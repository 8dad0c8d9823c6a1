"""Routes of usage: of one customer, and by customer, in a window that ends now."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends
from starlette.responses import Response, StreamingResponse

from api.dialects.promptshuttle.customer_ids import existing_customer
from api.dialects.promptshuttle.models.requests import UsageQuery
from api.dialects.promptshuttle.models.responses import UsageResponse
from api.dialects.promptshuttle.ordered_rows import OrderedRows
from api.dialects.promptshuttle.query_reading import query_of, query_openapi
from api.dialects.promptshuttle.routes.customers import BASE, ONE_CUSTOMER
from api.dialects.promptshuttle.views import credits_of, shown_instant
from api.http.authentication import Reader
from api.http.folded_answers import json_response
from api.http.headers.unknown_cost import UNKNOWN_COST_ANSWER, unknown_cost_header
from api.http.problems import Problem
from api.http.reading import AskedByHeaders, CustomerId, Reading, reading
from api.http.state import StateOf
from domain.customers.derived_id import derived_id
from domain.scope import Scope
from domain.values.periods import Interval
from domain.values.time_spans import GRAMMAR, NotATimeSpan, TimeSpan, parse_time_span
from projections.queries.snapshot import PAGE_ROWS_MAX
from projections.views.customers import CustomerHistory, customer_history
from projections.views.rolling.rolling_usage import (
    RollingUsage,
    rolling_usage,
    rolling_usage_of_page,
    window_ending,
)

router = APIRouter(tags=["Usage"])


@router.get(
    f"{ONE_CUSTOMER}/usage",
    response_model=UsageResponse,
    responses=UNKNOWN_COST_ANSWER,
    openapi_extra=query_openapi(UsageQuery),
    summary="Show the usage of a customer",
)
def get_customer_usage(
    state: StateOf,
    key: Reader,
    customer_id: CustomerId,
    query: Annotated[UsageQuery, Depends(query_of(UsageQuery))],
    known: AskedByHeaders,
) -> Response:
    """Credits, requests and cost of a customer in the last `period`, in its present life, whether it is active or not.
    400 for a period that cannot be read, 404 when the customer does not exist."""
    period = _period(query.period)
    with reading(state, known, key.scope) as asked:
        history, window = existing_customer(asked, key.scope, customer_id), _Window.of(period, asked.now)
        used = rolling_usage(asked.snapshot, key.scope, history, window.interval)
        shown = _usage_object(key.scope, history, used, window)
        return json_response(shown, asked, cost_unknown_events=used.cost_unknown_events)


@router.get(
    f"{BASE}/usage/by-customer",
    response_model=list[UsageResponse],
    responses=UNKNOWN_COST_ANSWER,
    openapi_extra=query_openapi(UsageQuery),
    summary="Show usage by customer",
)
def get_usage_by_customer(
    state: StateOf,
    key: Reader,
    query: Annotated[UsageQuery, Depends(query_of(UsageQuery))],
    known: AskedByHeaders,
) -> Response:
    """The same of every active customer, those without usage too: the most credits first, then by `externalId`.
    400 for a period that cannot be read."""
    period = _period(query.period)
    rows = OrderedRows(state.engine.settings.data_dir)
    try:
        with reading(state, known, key.scope) as asked:
            unknown_events = _add_all(rows, asked, key.scope, period)
            headers = asked.headers() | unknown_cost_header(unknown_events)
    except BaseException:
        rows.close()
        raise
    return StreamingResponse(rows.as_array(), headers=headers, media_type="application/json")


def _add_all(rows: OrderedRows, asked: Reading, scope: Scope, period: TimeSpan) -> int:
    """Add a row of every active customer, read by pages from one snapshot; return their events of unknown cost."""
    window, after, unknown_events = _Window.of(period, asked.now), None, 0
    while True:
        records = asked.snapshot.customers(scope, after, PAGE_ROWS_MAX)
        histories = [one for one in (customer_history(record, asked.now) for record in records) if _is_shown(one)]
        usages = rolling_usage_of_page(asked.snapshot, scope, histories, window.interval)
        for history, used in zip(histories, usages, strict=True):
            shown = _usage_object(scope, history, used, window)
            rows.add(shown["creditsUsed"], msgspec.json.encode(shown))
            unknown_events += used.cost_unknown_events
        if len(records) < PAGE_ROWS_MAX:
            return unknown_events
        after = records[-1].customer_id


def _is_shown(history: CustomerHistory) -> bool:
    return history.exists and history.profile.active


class _Window(msgspec.Struct, frozen=True):
    """The window of an answer, and how it is shown. `interval` None: no instant is in it."""

    interval: Interval | None
    period: str
    start: str
    end: str

    @classmethod
    def of(cls, period: TimeSpan, now: datetime) -> _Window:
        interval = window_ending(now, period.length)
        return cls(
            interval, period.text(), shown_instant(now if interval is None else interval.start), shown_instant(now)
        )


def _usage_object(scope: Scope, history: CustomerHistory, used: RollingUsage, window: _Window) -> dict[str, Any]:
    external_id = history.record.customer_id
    return {
        "customerId": derived_id(scope, external_id),
        "externalId": external_id,
        "name": history.profile.fields.get("name"),
        "period": window.period,
        "from": window.start,
        "to": window.end,
        "creditsUsed": credits_of(used.reported_cost_usd),
        "requestCount": used.requests,
        "costUsd": float(used.reported_cost_usd),
    }


def _period(text: str) -> TimeSpan:
    """Parse a period; `Problem` for one that says what of it was understood, and what is allowed."""
    try:
        period = parse_time_span(text)
    except NotATimeSpan as error:
        raise _not_a_period(text, str(error)) from None
    if period.ticks <= 0:
        raise _not_a_period(text, f"it was understood as {period.text()}")
    return period


def _not_a_period(text: str, understood: str) -> Problem:
    return Problem.invalid(
        "period", f"must be a time span longer than zero, written as {GRAMMAR}; {text!r}: {understood}"
    )
