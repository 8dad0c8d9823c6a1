"""Routes /customer/new, update, delete, block, unblock and info.

The same routes exist below /end_user, and block and unblock below /user.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from starlette.responses import Response

from api.dialects.litellm.budget_fields import BadDuration
from api.dialects.litellm.customer_changes import creation_change, update_change
from api.dialects.litellm.error_shapes import (
    detail_in_error_refusal,
    detail_refusal,
    error_refusal,
    field_refusal,
    invalid_input_refusal,
)
from api.dialects.litellm.models.requests import (
    BlockUsers,
    DeleteCustomerRequest,
    InfoQuery,
    NewCustomerRequest,
    UpdateCustomerRequest,
)
from api.dialects.litellm.models.responses import (
    BlockUsersResponse,
    CustomerResponse,
    DeleteCustomersResponse,
    UnblockUsersResponse,
)
from api.dialects.litellm.request_reading import query_of, query_openapi
from api.dialects.litellm.views import customer_object
from api.dialects.litellm.writing import (
    Shown,
    answer_command,
    customer_then,
    new_budget_id,
    provenance_of,
    uses_seed_profile,
)
from api.http.authentication import Administrator
from api.http.bodies import body_of, body_openapi
from api.http.dialect import Refusal
from api.http.folded_answers import json_response
from api.http.headers.unknown_cost import UNKNOWN_COST_ANSWER
from api.http.reading import AskedByHeaders, Reading, reading
from api.http.state import ApiState, StateOf
from consumers.commands.handler import CommandResult
from domain.budgets.budgeted_customers import (
    BudgetedChange,
    BudgetOf,
    CreateBudgetedCustomer,
    NoSuchCustomer,
    UpdateBudgetedCustomer,
)
from domain.customers.commands import NOT_LOOKED_UP, BlockCustomer, DeleteCustomers, UnblockCustomer
from domain.errors import AlreadyExists, InvalidInput, NotFound
from domain.values.identifiers import checked_id
from projections.queries.api_keys import ApiKeyRecord
from projections.queries.snapshot import PAGE_ROWS_MAX
from projections.views.budget_list import BudgetedCustomer
from projections.views.customers import customer_view, known_by

TAG: Final = "Customer Management"
#: How many of the ids that are still blocked an unblocking answers, at most.
BLOCKED_SHOWN_MAX: Final = PAGE_ROWS_MAX


async def new_end_user(
    state: StateOf, key: Administrator, given: Annotated[NewCustomerRequest, Depends(body_of(NewCustomerRequest))]
) -> Response:
    """Create a customer. A customer that is known by its usage only is created with that usage. 400 when the customer
    was created before, 404 when the budget does not exist."""
    user_id = _checked(given.user_id)

    def create() -> Sequence[CommandResult[Any]]:
        with _refusing(given.budget_id):
            now, own_budget_id = state.engine.now(), new_budget_id()

            def decide(_: Any, budget_of: BudgetOf) -> BudgetedChange:
                return creation_change(given, budget_of, own_budget_id, now, uses_seed_profile(state))

            try:
                command = CreateBudgetedCustomer(key.scope, provenance_of(key), user_id, decide)
                return [state.engine.commands.handle(command)]
            except AlreadyExists:
                message = f"Customer already exists, passed user_id={user_id}. Please pass a new user_id."
                raise error_refusal(400, "bad_request", message, "user_id") from None

    return await answer_command(state, key, create, lambda asked: _shown(asked, state, key, user_id))


async def update_end_user(
    state: StateOf,
    key: Administrator,
    given: Annotated[UpdateCustomerRequest, Depends(body_of(UpdateCustomerRequest))],
) -> Response:
    """Change a customer. A limit of its shared budget changes for every customer that refers to that budget. 404 when
    the customer or the budget does not exist."""
    user_id = _checked(given.user_id)

    def change() -> Sequence[CommandResult[Any]]:
        now, own_budget_id = state.engine.now(), new_budget_id()

        def decide(customer: Any, budget_of: BudgetOf) -> BudgetedChange:
            return update_change(given, customer, budget_of, own_budget_id, now, uses_seed_profile(state))

        with _refusing(given.budget_id):
            seen_at = _existing(state, key, [user_id]).get(user_id)
            try:
                command = UpdateBudgetedCustomer(key.scope, provenance_of(key), user_id, decide, seen_at)
                return [state.engine.commands.handle(command)]
            except NoSuchCustomer:
                raise _unknown(state, user_id, "user_id") from None

    return await answer_command(state, key, change, lambda asked: _shown(asked, state, key, user_id))


async def delete_end_user(
    state: StateOf,
    key: Administrator,
    given: Annotated[DeleteCustomerRequest, Depends(body_of(DeleteCustomerRequest))],
) -> Response:
    """Delete customers: all of them, or none when one does not exist (404). Their usage stays in reports."""
    ids = list(dict.fromkeys(given.user_ids))
    if not ids:
        raise error_refusal(400, "bad_request", "user_id is required, passed user_id = []", "user_ids")

    def delete() -> Sequence[CommandResult[Any]]:
        seen_at = _existing(state, key, ids)
        _refuse_missing([user_id for user_id in ids if user_id not in seen_at])
        deleted = state.engine.commands.handle(DeleteCustomers(key.scope, provenance_of(key), seen_at))
        _refuse_missing(deleted.state)
        return [deleted]

    summary = {
        "deleted_customers": len(ids),
        "message": f"Successfully deleted customers with ids: {ids}",
    }
    return await answer_command(state, key, delete, lambda asked: Shown(summary))


async def block_user(
    state: StateOf, key: Administrator, given: Annotated[BlockUsers, Depends(body_of(BlockUsers))]
) -> Response:
    """Block customers. An unknown id is created, blocked."""
    ids = [_checked(user_id, "user_ids") for user_id in dict.fromkeys(given.user_ids)]

    def block() -> Sequence[CommandResult[Any]]:
        blocks = [BlockCustomer(key.scope, provenance_of(key), user_id, seen_at=NOT_LOOKED_UP) for user_id in ids]
        return [state.engine.commands.handle(block) for block in blocks]

    def show(asked: Reading) -> Shown:
        found = [_found(asked, state, key, user_id) for user_id in ids]
        blocked = [customer_object(one, with_budget=False) for one in found]
        return Shown({"blocked_users": blocked}, sum(one.cost_unknown_events for one in found))

    return await answer_command(state, key, block, show)


async def unblock_user(
    state: StateOf, key: Administrator, given: Annotated[BlockUsers, Depends(body_of(BlockUsers))]
) -> Response:
    """Unblock customers. The answer lists the ids that are still blocked, at most a thousand."""
    ids = list(dict.fromkeys(given.user_ids))

    def unblock() -> Sequence[CommandResult[Any]]:
        results: list[CommandResult[Any]] = []
        for user_id, seen_at in _existing(state, key, ids).items():
            with suppress(NotFound):  # deleted meanwhile
                unblock = UnblockCustomer(key.scope, provenance_of(key), user_id, seen_at=seen_at)
                results.append(state.engine.commands.handle(unblock))
        return results

    def show(asked: Reading) -> Shown:
        records = asked.snapshot.customers_blocked(key.scope, asked.now, BLOCKED_SHOWN_MAX)
        views = [customer_view(record, asked.now) for record in records]
        return Shown({"blocked_users": [view.customer_id for view in views if view.exists and view.blocked]})

    return await answer_command(state, key, unblock, show)


def end_user_info(
    state: StateOf,
    key: Administrator,
    query: Annotated[InfoQuery, Depends(query_of(InfoQuery))],
    known: AskedByHeaders,
) -> Response:
    """Show a customer with the budget in effect. 404 when it does not exist."""
    with reading(state, known, key.scope) as asked:
        found = customer_then(asked, key.scope, query.end_user_id)
        if found is None:
            raise _unknown(state, query.end_user_id, "end_user_id")
        return json_response(customer_object(found), asked, cost_unknown_events=found.cost_unknown_events)


def _found(asked: Reading, state: ApiState, key: ApiKeyRecord, user_id: str) -> BudgetedCustomer:
    found = customer_then(asked, key.scope, user_id)
    if found is None:  # deleted meanwhile
        raise _unknown(state, user_id, "user_id")
    return found


def _shown(asked: Reading, state: ApiState, key: ApiKeyRecord, user_id: str) -> Shown:
    found = _found(asked, state, key, user_id)
    return Shown(customer_object(found), found.cost_unknown_events)


def _existing(state: ApiState, key: ApiKeyRecord, user_ids: Sequence[str]) -> dict[str, datetime | None]:
    """Those of the ids that are customers now, created or known by their usage, with the time of their last usage."""
    now = state.engine.now()
    with state.engine.reads.snapshot() as snapshot:
        records = [snapshot.customer(key.scope, user_id) for user_id in user_ids]
    found = [one for one in records if one is not None and customer_view(one, now).exists]
    return {one.customer_id: known_by(one, now) for one in found}


def _refuse_missing(user_ids: Sequence[str]) -> None:
    if user_ids:
        raise error_refusal(404, "not_found", f"End User Id(s)={', '.join(user_ids)} do not exist in db", "user_ids")


def _checked(user_id: str, field: str = "user_id") -> str:
    try:
        return checked_id(field, user_id)
    except InvalidInput as problem:
        raise field_refusal(field, problem.rule) from None


@contextmanager
def _refusing(budget_id: str | None) -> Iterator[None]:
    """Turn the errors of a customer or its budget into refusals of LiteLLM's shapes."""
    try:
        yield
    except BadDuration as problem:
        raise detail_in_error_refusal(400, str(problem)) from None
    except InvalidInput as problem:
        raise invalid_input_refusal(problem) from None
    except NoSuchCustomer:
        raise
    except NotFound:
        raise error_refusal(404, "not_found", f"Budget Id={budget_id} does not exist in db", "budget_id") from None


def _unknown(state: ApiState, user_id: str, param: str) -> Refusal:
    message = f"End User Id={user_id} does not exist in db"
    if not uses_seed_profile(state):
        return error_refusal(404, "not_found", message, param)
    return detail_refusal(400, message) if param == "end_user_id" else detail_in_error_refusal(400, message)


def customer_routes(prefix: str) -> APIRouter:
    """Make the routes below /customer, or below its older name."""
    router = APIRouter(prefix=prefix, tags=[TAG])
    for name, summary, route, model, body in (
        ("new", "Create a customer", new_end_user, CustomerResponse, NewCustomerRequest),
        ("update", "Change a customer", update_end_user, CustomerResponse, UpdateCustomerRequest),
        ("delete", "Delete customers", delete_end_user, DeleteCustomersResponse, DeleteCustomerRequest),
    ):
        router.add_api_route(
            f"/{name}",
            route,
            methods=["POST"],
            response_model=model,
            responses=UNKNOWN_COST_ANSWER if model is CustomerResponse else None,
            openapi_extra=body_openapi(body),
            summary=summary,
        )
    router.add_api_route(
        "/info",
        end_user_info,
        methods=["GET"],
        response_model=CustomerResponse,
        responses=UNKNOWN_COST_ANSWER,
        openapi_extra=query_openapi(InfoQuery),
        summary="Show a customer",
    )
    return router


def blocking_routes(prefix: str) -> APIRouter:
    """Make the two routes that exist below /user too."""
    router = APIRouter(prefix=prefix, tags=[TAG])
    for name, summary, route, model in (
        ("block", "Block customers", block_user, BlockUsersResponse),
        ("unblock", "Unblock customers", unblock_user, UnblockUsersResponse),
    ):
        router.add_api_route(
            f"/{name}",
            route,
            methods=["POST"],
            response_model=model,
            responses=UNKNOWN_COST_ANSWER if model is BlockUsersResponse else None,
            openapi_extra=body_openapi(BlockUsers),
            summary=summary,
        )
    return router
