"""POST and GET /users/list/: a page of customers, filtered and sorted."""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import urlencode

from anyio import to_thread
from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from api.dialects.respan.authentication import ENVIRONMENT_PARAMETER, Client, Reader
from api.dialects.respan.list_questions import list_asked
from api.dialects.respan.models.requests import ListQuery, ListRequest
from api.dialects.respan.models.responses import UserPage
from api.dialects.respan.routes.users import BASE, TAG
from api.dialects.respan.views import listed_user
from api.http.bodies import body_of, body_openapi, validated
from api.http.documentation_pages import own_address
from api.http.folded_answers import json_response
from api.http.headers.unknown_cost import UNKNOWN_COST_ANSWER
from api.http.paging import rows_to_read
from api.http.reading import AS_OF_HEADERS, AskedAsOf, AskedByHeaders, Reading, reading
from api.http.state import ApiState, StateOf
from projections.queries.snapshot import PAGE_ROWS_MAX
from projections.views.accounts.account_list import ListedAccount, listed_accounts


async def _query(request: Request) -> ListQuery:
    """Read the query; of a repeated parameter the last value counts."""
    return validated(ListQuery, dict(request.query_params), "query")


QueryOf = Annotated[ListQuery, Depends(_query)]


async def list_customers(
    request: Request,
    state: StateOf,
    client: Reader,
    query: QueryOf,
    known: AskedByHeaders,
    given: Annotated[ListRequest, Depends(body_of(ListRequest, required=False))],
) -> Response:
    """List customers with their usage and budgets, by filters. A page after the last one is empty."""
    return await to_thread.run_sync(_page, request, state, client, query, given, known)


async def list_all_customers(
    request: Request, state: StateOf, client: Reader, query: QueryOf, known: AskedByHeaders
) -> Response:
    """List customers with their usage and budgets, without filters."""
    return await to_thread.run_sync(_page, request, state, client, query, ListRequest(filters=None), known)


def _page(
    request: Request, state: ApiState, client: Client, query: ListQuery, given: ListRequest, known: AskedAsOf
) -> Response:
    with reading(state, known, client.scope) as asked:
        found, more = _rows(asked, client, query, given)
        body = {
            "count": len(found),
            "next": _address(request, state, query.page + 1) if more else None,
            "previous": _address(request, state, query.page - 1) if query.page > 1 else None,
            "results": [listed_user(one, client.scope) for one in found],
        }
        unknown = sum(one.cost_unknown_events for one in found)
        return json_response(body, asked, cost_unknown_events=unknown)


def _rows(asked: Reading, client: Client, query: ListQuery, given: ListRequest) -> tuple[list[ListedAccount], bool]:
    """The customers of the page, and whether there is a page after it."""
    wanted = list_asked(given.filters or {}, query.sort_by, client.scope.environment, asked.now)
    if not wanted.environment_fits:
        return [], False
    offset, rows = (query.page - 1) * query.page_size, rows_to_read(query.page_size)
    found = listed_accounts(asked.snapshot, client.scope, wanted.question, offset, rows)
    more = len(found) > query.page_size
    if len(found) == query.page_size == PAGE_ROWS_MAX:  # the store reads no more rows at once
        more = bool(asked.snapshot.customer_list(client.scope, wanted.question, offset + PAGE_ROWS_MAX, 1))
    return found[: query.page_size], more


def _address(request: Request, state: ApiState, page: int) -> str:
    """The address of another page of this list."""
    base = (state.engine.settings.public_url or own_address(request)).rstrip("/")
    return f"{base}{BASE}/list/?{urlencode({**request.query_params, 'page': page})}"


def _router() -> APIRouter:
    router = APIRouter(prefix=BASE, tags=[TAG])
    members = ListQuery.model_json_schema()["properties"]
    in_query = [{"name": name, "in": "query", "required": False, "schema": one} for name, one in members.items()]
    parameters = [*in_query, ENVIRONMENT_PARAMETER, *AS_OF_HEADERS]
    body = body_openapi(ListRequest, required=False)
    for path, published in (("/list/", True), ("/list", False)):
        for method, handler, summary, more in (
            ("POST", list_customers, "List customers", {**body, "parameters": parameters}),
            ("GET", list_all_customers, "List customers without filters", {"parameters": parameters}),
        ):
            router.add_api_route(
                path,
                handler,
                methods=[method],
                response_model=UserPage,
                responses=UNKNOWN_COST_ANSWER,
                openapi_extra=more,
                summary=summary,
                include_in_schema=published,
            )
    return router


router: Final = _router()
