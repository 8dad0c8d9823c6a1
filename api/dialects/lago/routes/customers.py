"""Routes of customers: create or change one, list, find and delete."""

from __future__ import annotations

from typing import Annotated, Any, Final

from anyio import to_thread
from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from api.dialects.lago.customer_changes import METADATA_ENTRIES, PERSONAL, native_changes, without_cleared
from api.dialects.lago.customer_filters import FILTER_PARAMETERS, customer_question
from api.dialects.lago.customer_metadata import metadata_changes
from api.dialects.lago.customers_then import customer_then, existing_customer
from api.dialects.lago.error_shapes import not_found
from api.dialects.lago.keys import DIALECT, provenance_of
from api.dialects.lago.models.customers import CustomerAnswer, CustomerInput, CustomersAnswer
from api.dialects.lago.paging import PAGE_PARAMETERS, Page, PageAsked
from api.dialects.lago.paths import BASE
from api.dialects.lago.request_reading import wrapped_body, wrapped_openapi
from api.dialects.lago.views.customers import customer_object
from api.dialects.lago.writing import answer_command, decided_again
from api.http.authentication import Administrator, Reader
from api.http.folded_answers import json_response
from api.http.middleware.raw_paths import SEGMENTS
from api.http.reading import AS_OF_HEADERS, Asked, AskedAsOf, AskedByHeaders, Reading, reading
from api.http.state import ApiState, StateOf
from consumers.commands.handler import CommandResult
from domain.customers.commands import CreateCustomer, DeleteCustomer, UpdateCustomer
from domain.customers.customer import Customer
from domain.errors import NotFound
from domain.scope import Scope
from domain.values.identifiers import id_problem
from projections.queries.api_keys import ApiKeyRecord
from projections.views.customers import CustomerHistory, customer_history, known_by

router = APIRouter(tags=["customers"])
_WRAPPER: Final = "customer"
_ALL: Final = f"{BASE}/customers"
#: One customer: its id may have slashes and dots that are not escaped.
ONE_CUSTOMER: Final = f"{_ALL}/{{external_customer_id:{SEGMENTS}}}"


async def _checked(external_customer_id: str) -> str:
    if id_problem(external_customer_id) is not None:
        raise not_found("customer")
    return external_customer_id


#: The customer of a path, as a parameter of a route.
ExternalCustomerId = Annotated[str, Depends(_checked)]


@router.post(
    _ALL,
    response_model=CustomerAnswer,
    openapi_extra=wrapped_openapi(_WRAPPER, CustomerInput),
    summary="Create or change a customer",
)
async def create_customer(
    state: StateOf, key: Administrator, given: Annotated[CustomerInput, Depends(wrapped_body(_WRAPPER, CustomerInput))]
) -> Response:
    """Create a customer, or change the one with this `external_id`: only members that are given, and null clears. The
    metadata becomes the entries that are given, of which there are 5 at most; each takes the place of the one with its
    `id`, else of the one with its key."""

    def show(asked: Reading) -> Any:
        return {"customer": customer_object(key.scope, existing_customer(asked, key.scope, given.external_id))}

    return await answer_command(state, key, lambda: decided_again(state, lambda: _upserted(state, key, given)), show)


def _upserted(state: ApiState, key: ApiKeyRecord, given: CustomerInput) -> list[CommandResult[Customer]]:
    scope, external_id, provenance = key.scope, given.external_id, provenance_of(key)
    with reading(state, AskedAsOf(), scope) as asked:
        history = customer_then(asked, scope, external_id)
    changes = native_changes(given)
    if "metadata" in given.sent:
        changes["metadata"], beside = metadata_changes(scope, history, given.metadata or ())
        changes.setdefault(PERSONAL, {DIALECT: {}})[DIALECT][METADATA_ENTRIES] = beside or None
    if history is None:
        fields = without_cleared(changes)
        return [state.engine.commands.handle(CreateCustomer(scope, provenance, external_id, fields))]
    seen_at = known_by(history.record, history.until)
    update = UpdateCustomer(scope, provenance, external_id, changes, seen_at=seen_at)
    commands = [update] if history.creation else [update, CreateCustomer(scope, provenance, external_id)]
    return [state.engine.commands.handle(one) for one in commands]


@router.get(
    _ALL,
    response_model=CustomersAnswer,
    openapi_extra={"parameters": [*PAGE_PARAMETERS, *FILTER_PARAMETERS, *AS_OF_HEADERS]},
    summary="List customers",
)
async def find_all_customers(
    request: Request, state: StateOf, key: Reader, page: PageAsked, known: AskedByHeaders
) -> Response:
    """A page of the customers that all filters let through, created or known by their usage; those created last come
    first."""
    return await to_thread.run_sync(_listed, request, state, key.scope, page, known)


def _listed(request: Request, state: ApiState, scope: Scope, page: Page, known: Asked) -> Response:
    with reading(state, known, scope) as asked:
        question = customer_question(request.query_params, asked.now)
        count = asked.snapshot.customer_count(scope, question)
        records = asked.snapshot.customer_list(scope, question, page.offset, page.per_page)
        histories = [customer_history(record, asked.now) for record in records]
        shown = [customer_object(scope, history) for history in histories]
        return json_response({"customers": shown, "meta": page.meta(count)}, asked)


@router.get(
    ONE_CUSTOMER, response_model=CustomerAnswer, openapi_extra={"parameters": AS_OF_HEADERS}, summary="Find a customer"
)
def find_customer(
    state: StateOf, key: Reader, external_customer_id: ExternalCustomerId, known: AskedByHeaders
) -> Response:
    """Show a customer, created or known by its usage. 404 when it does not exist."""
    with reading(state, known, key.scope) as asked:
        found = existing_customer(asked, key.scope, external_customer_id)
        return json_response({"customer": customer_object(key.scope, found)}, asked)


@router.delete(ONE_CUSTOMER, response_model=CustomerAnswer, summary="Delete a customer")
async def destroy_customer(state: StateOf, key: Administrator, external_customer_id: ExternalCustomerId) -> Response:
    """Delete a customer, and answer what it was. Its subscriptions end, and its usage stays in reports over all time. A
    customer created with this id later is another one. 404 when it does not exist."""
    deleted: list[CustomerHistory] = []

    def delete() -> list[CommandResult[Customer]]:
        with reading(state, AskedAsOf(), key.scope) as asked:
            history = existing_customer(asked, key.scope, external_customer_id)
        deleted.append(history)
        seen_at = known_by(history.record, history.until)
        command = DeleteCustomer(key.scope, provenance_of(key), external_customer_id, seen_at=seen_at)
        try:
            return [state.engine.commands.handle(command)]
        except NotFound:  # deleted meanwhile
            raise not_found("customer") from None

    return await answer_command(state, key, delete, lambda _: {"customer": customer_object(key.scope, deleted[0])})
