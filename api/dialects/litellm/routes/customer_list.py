"""GET /customer/list: all customers, streamed; one page with `page` or `page_size`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

import msgspec
from anyio import to_thread
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from api.dialects.litellm.models.requests import ListQuery
from api.dialects.litellm.models.responses import CustomerResponse
from api.dialects.litellm.request_reading import checked_query, query_openapi
from api.dialects.litellm.routes.customers import TAG
from api.dialects.litellm.views import customer_object
from api.dialects.litellm.writing import uses_seed_profile
from api.http.authentication import Administrator
from api.http.headers.unknown_cost import UNKNOWN_COST_ANSWER, unknown_cost_header
from api.http.reading import Asked, AskedByHeaders, reading
from api.http.state import ApiState, StateOf
from domain.scope import Scope
from projections.queries.customers import CustomerRecord
from projections.views.budget_list import BudgetedCustomer, any_cost_unknown, budgeted_customers
from projections.views.customers import customer_view

#: Customers in one chunk of the stream. Each chunk is read in a snapshot of its own.
STREAMED_ROWS: Final = 1_000
_PAGING: Final = ("page", "page_size")


async def list_end_user(request: Request, state: StateOf, key: Administrator, known: AskedByHeaders) -> Response:
    """Customers, ordered by id. Without `page` and `page_size`: all of them, streamed."""
    given = {} if uses_seed_profile(state) else dict(request.query_params)
    query = checked_query(ListQuery, given)
    if any(name in given for name in _PAGING):
        return await to_thread.run_sync(_page, state, key.scope, query, known)
    return await to_thread.run_sync(_all, state, key.scope, query.search, known)


def _page(state: ApiState, scope: Scope, query: ListQuery, known: Asked) -> Response:
    with reading(state, known, scope) as asked:
        offset = (query.page - 1) * query.page_size
        records = asked.snapshot.customer_page(scope, asked.now, offset, query.page_size, query.search)
        found = budgeted_customers(asked.snapshot, scope, records, asked.now)
        headers = asked.headers() | unknown_cost_header(_unknown_events(found))
        return Response(b"[" + _objects(found) + b"]", headers=headers, media_type="application/json")


def _all(state: ApiState, scope: Scope, search: str | None, known: Asked) -> Response:
    with reading(state, known, scope) as asked:
        asked.snapshot.require_rows()
        headers, again = asked.headers(), asked.again()
        any_unknown = any_cost_unknown(asked.snapshot, scope)
    if any_unknown:  # headers go before the stream, so that the customers are read twice
        headers |= unknown_cost_header(sum(map(_unknown_events, _chunks(state, scope, search, again))))
    return StreamingResponse(_stream_all(state, scope, search, again), headers=headers, media_type="application/json")


def _stream_all(state: ApiState, scope: Scope, search: str | None, known: Asked) -> Iterator[bytes]:
    """Yield one JSON array in chunks, with only one chunk in memory."""
    opening = b"["
    for chunk in _chunks(state, scope, search, known):
        if chunk:
            yield opening + _objects(chunk)
            opening = b","
    yield b"[]" if opening == b"[" else b"]"


def _chunks(state: ApiState, scope: Scope, search: str | None, known: Asked) -> Iterator[list[BudgetedCustomer]]:
    """Yield all customers in chunks, all as known at one position."""
    after = None
    while True:
        with reading(state, known, scope) as asked:
            records = asked.snapshot.customers(scope, after, STREAMED_ROWS)
            matching = [one for one in records if _matches(one, search, asked.now)]
            chunk = budgeted_customers(asked.snapshot, scope, matching, asked.now)
        yield chunk
        if len(records) < STREAMED_ROWS:
            return
        after = records[-1].customer_id


def _objects(found: list[BudgetedCustomer]) -> bytes:
    """Encode customers as JSON objects, comma-separated."""
    return b",".join(msgspec.json.encode(customer_object(one)) for one in found)


def _unknown_events(found: list[BudgetedCustomer]) -> int:
    return sum(one.cost_unknown_events for one in found)


def _matches(record: CustomerRecord, search: str | None, now: datetime) -> bool:
    if not search:
        return True
    name = customer_view(record, now).fields.get("name") if record.facts else None
    return any(search.lower() in text.lower() for text in (record.customer_id, name or ""))


def listing_routes(prefix: str) -> APIRouter:
    """Make the route below /customer, or below its older name."""
    router = APIRouter(prefix=prefix, tags=[TAG])
    router.add_api_route(
        "/list",
        list_end_user,
        methods=["GET"],
        summary="List customers",
        response_model=list[CustomerResponse],
        responses=UNKNOWN_COST_ANSWER,
        openapi_extra=query_openapi(ListQuery),
    )
    return router
