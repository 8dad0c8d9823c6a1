"""Routes of one customer: PATCH, GET and DELETE /users/{customer_identifier}/."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from starlette.responses import Response

from api.dialects.respan.authentication import ENVIRONMENT_PARAMETER, Administrator, Client, Reader
from api.dialects.respan.customer_changes import REPLACED, anchor_default, native_changes
from api.dialects.respan.error_shapes import not_found_refusal
from api.dialects.respan.models.requests import UpdateUserRequest
from api.dialects.respan.models.responses import UserResponse
from api.dialects.respan.views import user_object
from api.http.bodies import body_of, body_openapi
from api.http.folded_answers import answer_folded, json_response
from api.http.headers.unknown_cost import UNKNOWN_COST_ANSWER
from api.http.middleware.raw_paths import SEGMENTS
from api.http.reading import AS_OF_HEADERS, AskedAsOf, AskedByHeaders, Reading, reading
from api.http.state import ApiState, StateOf
from consumers.commands.handler import CommandResult
from domain.budgets.budgeted_customers import BudgetedChange, BudgetOf, NoSuchCustomer, UpdateBudgetedCustomer
from domain.customers.commands import DeleteCustomer
from domain.customers.customer import Customer
from domain.values.identifiers import checked_id
from domain.values.periods import Interval
from projections.views.accounts.account import account
from projections.views.budgets import open_period, tiers_of
from projections.views.customers import CustomerHistory, customer_history, known_by

TAG: Final = "users"
BASE: Final = "/respan/api/users"
IDENTIFIER: Final = "customer_identifier"


async def _checked(customer_identifier: str) -> str:
    return checked_id(IDENTIFIER, customer_identifier)


CustomerIdentifier = Annotated[str, Depends(_checked)]


async def update_user(
    state: StateOf,
    client: Administrator,
    customer_identifier: CustomerIdentifier,
    given: Annotated[UpdateUserRequest, Depends(body_of(UpdateUserRequest))],
) -> Response:
    """Change the profile and the budget of a customer: an absent member stays as it is, null clears it. 404 when there
    is no such customer, created or known by its usage."""
    sent = given.sent_members
    return await answer_folded(
        state,
        client.scope,
        lambda: [_updated(state, client, customer_identifier, sent)],
        lambda asked: show_user(asked, client, customer_identifier),
    )


def retrieve_user(
    state: StateOf, client: Reader, customer_identifier: CustomerIdentifier, known: AskedByHeaders
) -> Response:
    """Show a customer with its budget and what it used of it. 404 when there is no such customer."""
    with reading(state, known, client.scope, customer_identifier) as asked:
        return show_user(asked, client, customer_identifier)


async def delete_user(state: StateOf, client: Administrator, customer_identifier: CustomerIdentifier) -> Response:
    """Delete a customer, with its settings. Its usage stays in reports over all time; usage after the deletion begins
    a new customer with this identifier. 404 when there is no such customer."""
    return await answer_folded(
        state,
        client.scope,
        lambda: [_deleted(state, client, customer_identifier)],
        lambda asked: Response(status_code=204, headers=asked.headers()),
    )


def _deleted(state: ApiState, client: Client, customer_identifier: str) -> CommandResult[Customer]:
    history, _ = _customer_now(state, client, customer_identifier)
    seen_at = known_by(history.record, history.until)
    command = DeleteCustomer(client.scope, client.provenance, customer_identifier, seen_at=seen_at)
    return state.engine.commands.handle(command)


def _updated(
    state: ApiState, client: Client, customer_identifier: str, sent: Mapping[str, Any]
) -> CommandResult[Customer]:
    history, period = _customer_now(state, client, customer_identifier)
    default = anchor_default(history.view().first_seen_at)

    def decide(current: Mapping[str, Any], budget_of: BudgetOf) -> BudgetedChange:
        changes = native_changes(sent, current, period.start)
        return BudgetedChange(changes, replaced=REPLACED, anchor_default=default)

    seen_at = known_by(history.record, history.until)
    try:
        command = UpdateBudgetedCustomer(client.scope, client.provenance, customer_identifier, decide, seen_at)
        return state.engine.commands.handle(command)
    except NoSuchCustomer:  # deleted meanwhile
        raise not_found_refusal() from None


def _customer_now(state: ApiState, client: Client, customer_identifier: str) -> tuple[CustomerHistory, Interval]:
    """The customer and its open period; a refusal when it does not exist."""
    with reading(state, AskedAsOf(), client.scope) as asked:
        found = asked.snapshot.customer_with_budgets(client.scope, customer_identifier)
    history = None if found is None else customer_history(found.record, asked.now)
    if found is None or history is None or not history.exists:
        raise not_found_refusal()
    return history, open_period(history, tiers_of(found.budgets))


def show_user(asked: Reading, client: Client, customer_identifier: str, status: int = 200) -> Response:
    """The response that shows a customer; a refusal when there is none."""
    found = account(asked.snapshot, client.scope, customer_identifier, asked.now)
    if found is None:
        raise not_found_refusal()
    return json_response(user_object(found, client.scope), asked, status, found.cost_unknown_events)


def _router() -> APIRouter:
    router = APIRouter(prefix=BASE, tags=[TAG])
    body = body_openapi(UpdateUserRequest)
    for end, published in (("/", True), ("", False)):
        for method, handler, summary, more in (
            ("PATCH", update_user, "Update a customer", {**body, "parameters": [ENVIRONMENT_PARAMETER]}),
            ("GET", retrieve_user, "Retrieve a customer", {"parameters": [ENVIRONMENT_PARAMETER, *AS_OF_HEADERS]}),
            ("DELETE", delete_user, "Delete a customer", {"parameters": [ENVIRONMENT_PARAMETER]}),
        ):
            router.add_api_route(
                f"/{{{IDENTIFIER}:{SEGMENTS}}}{end}",
                handler,
                methods=[method],
                response_model=None if method == "DELETE" else UserResponse,
                responses=None if method == "DELETE" else UNKNOWN_COST_ANSWER,
                status_code=204 if method == "DELETE" else 200,
                openapi_extra=more,
                summary=summary,
                include_in_schema=published,
            )
    return router


router: Final = _router()
