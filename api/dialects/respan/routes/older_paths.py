"""Paths of older releases: POST /users/create/, PATCH /user/update/{id} and GET /user/detail/{id}."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from starlette.responses import Response

from api.dialects.respan.authentication import ENVIRONMENT_PARAMETER, Administrator, Client
from api.dialects.respan.customer_changes import creation_fields
from api.dialects.respan.models.requests import CreateUserRequest, UpdateUserRequest
from api.dialects.respan.models.responses import UserResponse
from api.dialects.respan.routes.users import BASE, IDENTIFIER, TAG, retrieve_user, show_user, update_user
from api.http.bodies import body_of, body_openapi
from api.http.folded_answers import answer_folded
from api.http.headers.unknown_cost import unknown_cost_responses
from api.http.middleware.raw_paths import SEGMENTS
from api.http.problems import Problem
from api.http.reading import AS_OF_HEADERS
from api.http.state import ApiState, StateOf
from consumers.commands.handler import CommandResult
from domain.customers.commands import CreateCustomer
from domain.customers.customer import Customer
from domain.errors import AlreadyExists
from domain.values.identifiers import checked_id

OLDER_BASE: Final = "/respan/api/user"


async def create_user(
    state: StateOf, client: Administrator, given: Annotated[CreateUserRequest, Depends(body_of(CreateUserRequest))]
) -> Response:
    """Create a customer. One that is known by its usage alone is created with that usage; 400 when it was created
    before. A duration without a start counts from the midnight (UTC) before."""
    customer_identifier = checked_id(IDENTIFIER, given.customer_identifier)
    sent = {name: value for name, value in given.sent_members.items() if value is not None and name != IDENTIFIER}
    return await answer_folded(
        state,
        client.scope,
        lambda: [_created(state, client, customer_identifier, sent)],
        lambda asked: show_user(asked, client, customer_identifier, 201),
    )


def _created(
    state: ApiState, client: Client, customer_identifier: str, sent: Mapping[str, Any]
) -> CommandResult[Customer]:
    fields = creation_fields(sent, state.engine.now())
    try:
        return state.engine.commands.handle(
            CreateCustomer(client.scope, client.provenance, customer_identifier, fields=fields)
        )
    except AlreadyExists:
        raise Problem.invalid(IDENTIFIER, "is one of a customer that was created already") from None


def _router() -> APIRouter:
    router = APIRouter(tags=[TAG])
    one, asked = f"{{{IDENTIFIER}:{SEGMENTS}}}", [ENVIRONMENT_PARAMETER]
    create = {**body_openapi(CreateUserRequest), "parameters": asked}
    change = {**body_openapi(UpdateUserRequest), "parameters": asked}
    show = {"parameters": [*asked, *AS_OF_HEADERS]}
    for path, method, handler, status, summary, more in (
        (f"{BASE}/create", "POST", create_user, 201, "Create a customer", create),
        (f"{OLDER_BASE}/update/{one}", "PATCH", update_user, 200, "Update a customer", change),
        (f"{OLDER_BASE}/detail/{one}", "GET", retrieve_user, 200, "Retrieve a customer", show),
    ):
        for end in ("/", ""):
            router.add_api_route(
                path + end,
                handler,
                methods=[method],
                response_model=UserResponse,
                responses=unknown_cost_responses(status),
                status_code=status,
                openapi_extra=more,
                summary=f"{summary}, as older releases do",
                include_in_schema=end == "/",
            )
    return router


router: Final = _router()
