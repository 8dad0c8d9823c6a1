"""Routes of customers: create, list, show, change, delete."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Depends
from starlette.responses import Response, StreamingResponse

import api.http.middleware.raw_paths  # noqa: F401 -- registers the parameter type `segment`
from api.dialects.promptshuttle.customer_ids import existing_customer
from api.dialects.promptshuttle.models.requests import CustomerCreation, CustomerMembers, CustomerUpdate
from api.dialects.promptshuttle.models.responses import CustomerResponse
from api.dialects.promptshuttle.views import customer_object
from api.dialects.promptshuttle.writing import answer_command, provenance_of
from api.http.authentication import Administrator, Reader
from api.http.bodies import body_of, body_openapi
from api.http.folded_answers import json_response
from api.http.problems import Problem
from api.http.reading import AS_OF_HEADERS, Asked, AskedAsOf, AskedByHeaders, CustomerId, Reading, reading
from api.http.state import ApiState, StateOf
from consumers.commands.handler import CommandResult
from domain.customers.commands import CreateCustomer, DeleteCustomer, UpdateCustomer
from domain.errors import AlreadyExists
from domain.scope import Scope
from domain.values.json_numbers import plain_json
from projections.queries.api_keys import ApiKeyRecord
from projections.queries.snapshot import PAGE_ROWS_MAX
from projections.views.customers import customer_history, known_by

router = APIRouter(tags=["Customers"])
BASE: Final = "/promptshuttle/api/v1"
_ALL: Final = f"{BASE}/customers"
ONE_CUSTOMER: Final = f"{BASE}/customers/{{customer_id:segment}}"
_READ: Final[dict[str, Any]] = {"parameters": AS_OF_HEADERS}
_REPLACED: Final = frozenset({"metadata"})
#: An id that producers use, and the time of the customer's last usage.
_Named = tuple[str, datetime | None]


@router.post(
    _ALL,
    response_model=CustomerResponse,
    status_code=201,
    openapi_extra=body_openapi(CustomerCreation),
    summary="Create a customer",
)
async def create_customer(
    state: StateOf, key: Administrator, given: Annotated[CustomerCreation, Depends(body_of(CustomerCreation))]
) -> Response:
    """Create a customer. One that is known by its usage only is created with that usage. 409 when `externalId` was
    created before."""
    scope, provenance, external_id = key.scope, provenance_of(key), given.external_id
    fields = {name: value for name, value in _changes(given).items() if value is not None}

    def create() -> Sequence[CommandResult[Any]]:
        try:
            made = [state.engine.commands.handle(CreateCustomer(scope, provenance, external_id, fields))]
        except AlreadyExists:
            raise Problem("already_exists", f"a customer with the externalId {external_id!r} exists already") from None
        if given.is_active is not None:
            activity = UpdateCustomer(scope, provenance, external_id, active=given.is_active)
            made.append(state.engine.commands.handle(activity))
        return made

    return await answer_command(state, key, create, lambda asked: _shown(asked, scope, external_id), 201)


@router.get(_ALL, response_model=list[CustomerResponse], openapi_extra=_READ, summary="List customers")
def list_customers(state: StateOf, key: Reader, known: AskedByHeaders) -> Response:
    """All customers, ordered by `externalId`, streamed."""
    with reading(state, known, key.scope) as asked:
        asked.snapshot.require_rows()
        headers, again = asked.headers(), asked.again()
    return StreamingResponse(_stream(state, key.scope, again), headers=headers, media_type="application/json")


def _stream(state: ApiState, scope: Scope, known: Asked) -> Iterator[bytes]:
    """Yield one JSON array in chunks, all as known at one position, with only one chunk in memory."""
    after = None
    opening = b"["
    while True:
        with reading(state, known, scope) as asked:
            records = asked.snapshot.customers(scope, after, PAGE_ROWS_MAX)
            histories = [customer_history(record, asked.now) for record in records]
        shown = [msgspec.json.encode(customer_object(scope, one)) for one in histories if one.exists]
        if shown:
            yield opening + b",".join(shown)
            opening = b","
        if len(records) < PAGE_ROWS_MAX:
            break
        after = records[-1].customer_id
    yield b"[]" if opening == b"[" else b"]"


@router.get(ONE_CUSTOMER, response_model=CustomerResponse, openapi_extra=_READ, summary="Show a customer")
def get_customer(state: StateOf, key: Reader, customer_id: CustomerId, known: AskedByHeaders) -> Response:
    """Show a customer, by its internal id or its `externalId`. 404 when it does not exist."""
    with reading(state, known, key.scope) as asked:
        return json_response(_shown(asked, key.scope, customer_id), asked)


@router.put(
    ONE_CUSTOMER,
    response_model=CustomerResponse,
    openapi_extra=body_openapi(CustomerUpdate),
    summary="Change a customer",
)
async def update_customer(
    state: StateOf,
    key: Administrator,
    customer_id: CustomerId,
    given: Annotated[CustomerUpdate, Depends(body_of(CustomerUpdate))],
) -> Response:
    """Change the members that are given and not null; `metadata` is replaced as a whole. `isActive` deactivates the
    customer or brings it back. 404 when it does not exist."""
    changes = _changes(given)

    def change() -> Sequence[CommandResult[Any]]:
        external_id, seen_at = _named(state, key, customer_id)
        if given.external_id not in (None, external_id):
            raise Problem.invalid("externalId", f"must be {external_id!r}, as it cannot change")
        if not changes and given.is_active is None:
            return []
        command = UpdateCustomer(
            key.scope, provenance_of(key), external_id, changes, given.is_active, _REPLACED, seen_at=seen_at
        )
        return [state.engine.commands.handle(command)]

    return await answer_command(state, key, change, lambda asked: _shown(asked, key.scope, customer_id), 200)


@router.delete(ONE_CUSTOMER, status_code=204, summary="Delete a customer")
async def delete_customer(state: StateOf, key: Administrator, customer_id: CustomerId) -> Response:
    """Delete a customer: it is gone from lists and usage reports, and its requests stay in the log. A later request
    with its `externalId` begins a new customer without usage. 404 when it does not exist."""

    def delete() -> Sequence[CommandResult[Any]]:
        external_id, seen_at = _named(state, key, customer_id)
        return [
            state.engine.commands.handle(DeleteCustomer(key.scope, provenance_of(key), external_id, seen_at=seen_at))
        ]

    return await answer_command(state, key, delete, lambda asked: None, 204)


def _changes(given: CustomerMembers) -> dict[str, Any]:
    """The native fields that a request sets; empty text clears one."""
    changes: dict[str, Any] = {
        name: value or None for name, value in (("name", given.name), ("email", given.email)) if value is not None
    }
    return changes if given.metadata is None else {**changes, "metadata": plain_json(given.metadata)}


def _shown(asked: Reading, scope: Scope, customer_id: str) -> dict[str, Any]:
    return customer_object(scope, existing_customer(asked, scope, customer_id))


def _named(state: ApiState, key: ApiKeyRecord, customer_id: str) -> _Named:
    """The customer that a client names, if it exists now."""
    with reading(state, AskedAsOf(), key.scope) as asked:
        record = existing_customer(asked, key.scope, customer_id).record
        return record.customer_id, known_by(record, asked.now)
