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
from api.http.reading import Asked, AskedByHeaders, Reading, reading
from api.http.state import ApiState, StateOf
from domain.scope import Scope
from projections.queries.customers import CustomerRecord
from projections.views.budget_list import budgeted_customers
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
        found = b"[" + _objects(asked, scope, records) + b"]"
        return Response(found, headers=asked.headers(), media_type="application/json")


def _all(state: ApiState, scope: Scope, search: str | None, known: Asked) -> Response:
    with reading(state, known, scope) as asked:
        headers, again = asked.headers(), asked.again()
    return StreamingResponse(_stream_all(state, scope, search, again), headers=headers, media_type="application/json")


def _stream_all(state: ApiState, scope: Scope, search: str | None, known: Asked) -> Iterator[bytes]:
    """Yield one JSON array in chunks, all as known at one position, with only one chunk in memory."""
    after = None
    opening = b"["
    while True:
        with reading(state, known, scope) as asked:
            records = asked.snapshot.customers(scope, after, STREAMED_ROWS)
            chunk = _objects(asked, scope, [one for one in records if _matches(one, search, asked.now)])
        if chunk:
            yield opening + chunk
            opening = b","
        if len(records) < STREAMED_ROWS:
            break
        after = records[-1].customer_id
    yield b"[]" if opening == b"[" else b"]"


def _objects(asked: Reading, scope: Scope, records: list[CustomerRecord]) -> bytes:
    """Encode customers as JSON objects, comma-separated."""
    found = budgeted_customers(asked.snapshot, scope, records, asked.now)
    return b",".join(msgspec.json.encode(customer_object(one)) for one in found)


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
        openapi_extra=query_openapi(ListQuery),
    )
    return router
