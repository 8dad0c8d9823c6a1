"""Routes of customers: profile, lifecycle, history. The same routes exist below /v1/customer with ?customer=."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

from anyio import to_thread
from fastapi import APIRouter, Depends
from fastapi import Query as FromQuery
from starlette.requests import Request
from starlette.responses import Response

from api.http.authentication import Administrator, Reader
from api.http.bodies import MERGE_PATCH, body_of, body_openapi
from api.http.paging import cursor_number, cursor_text, cursor_values
from api.http.reading import WAIT_FOR_MIN_POSITION, CustomerId, reading
from api.http.state import ApiState, StateOf
from api.http.writing import ACCEPTED, DeletedAt, ReasonGiven, answer_command, optional_instant, provenance_of
from api.native.models.customers import (
    CustomerGiven,
    CustomerPage,
    CustomerPatch,
    CustomerQuery,
    CustomerView,
    HistoryPage,
    WhyGiven,
)
from api.native.models.field_types import AsOfPageQuery, AsOfQuery
from api.native.request_fields import customer_changes, shown_customer_field, without_nulls
from api.native.views.customers import (
    customer_at,
    customer_document,
    customer_or_404,
    fact_document,
    living_customers,
)
from domain.customers.commands import (
    BlockCustomer,
    CreateCustomer,
    DeleteCustomer,
    ExistingCustomerCommand,
    UnblockCustomer,
    UpdateCustomer,
)
from domain.values.instants import EPOCH
from projections.queries.api_keys import ApiKeyRecord
from projections.queries.snapshot import Snapshot
from projections.views.customers import known_by
from projections.views.history_entries import history_entries

router = APIRouter(tags=["customers"])
_LIST: Final = "customers"
_HISTORY: Final = "history"
_ONE: Final = "/v1/customers/{customer_id:segment}"
#: Members of a body that are no fields of the customer.
_BESIDE: Final = frozenset({"id", "effective_at", "active"})


@router.get(
    "/v1/customers", response_model=CustomerPage, dependencies=[WAIT_FOR_MIN_POSITION], summary="List customers"
)
def list_customers(state: StateOf, key: Reader, query: Annotated[CustomerQuery, FromQuery()]) -> CustomerPage:
    """Customers that exist now, ordered by id: those that were created, and those known by their usage."""
    after = cursor_values(_LIST, query.cursor, str)
    with reading(state, query, key.scope) as asked:
        shown, behind = living_customers(asked.snapshot, key.scope, after, query.limit, query.prefix, asked.now)
        next_cursor = None if behind is None else cursor_text(_LIST, behind)
        return CustomerPage(position=asked.position, now=asked.now, data=shown, next_cursor=next_cursor)


@router.post(
    "/v1/customers",
    response_model=CustomerView,
    status_code=201,
    responses=ACCEPTED,
    openapi_extra=body_openapi(CustomerGiven),
    summary="Create a customer",
)
async def create_customer(
    request: Request,
    state: StateOf,
    key: Administrator,
    given: Annotated[CustomerGiven, Depends(body_of(CustomerGiven))],
    reason: ReasonGiven,
) -> Response:
    """Create a customer. A customer that is known by its usage only is created with that usage. 409 when the customer
    was created before."""
    effective_at = optional_instant("effective_at", given.effective_at)
    fields = without_nulls(customer_changes(given, _BESIDE))
    command = CreateCustomer(key.scope, provenance_of(key, reason), given.id, fields, effective_at=effective_at)

    def show(snapshot: Snapshot) -> CustomerView:
        # A customer created with a future effective_at is shown as it will be then.
        return customer_or_404(snapshot, key.scope, given.id, max(state.engine.now(), effective_at or EPOCH))

    return await answer_command(request, state, command, show, 201, shown_customer_field)


@router.get(_ONE, response_model=CustomerView, dependencies=[WAIT_FOR_MIN_POSITION], summary="Show a customer")
def get_customer(
    state: StateOf, key: Reader, customer_id: CustomerId, query: Annotated[AsOfQuery, FromQuery()]
) -> CustomerView:
    """Show a customer as it is now, or was then. 404 when it does not exist."""
    with reading(state, query, key.scope, customer_id) as asked:
        view = customer_at(asked.snapshot, key.scope, customer_id, asked.now)
        found = asked.customer_or_404(view, key.scope, customer_id)
        return customer_document(found, asked.position, asked.now)


@router.patch(
    _ONE,
    response_model=CustomerView,
    responses=ACCEPTED,
    openapi_extra=body_openapi(CustomerPatch, MERGE_PATCH),
    summary="Change a customer",
)
async def change_customer(
    request: Request,
    state: StateOf,
    key: Administrator,
    customer_id: CustomerId,
    patch: Annotated[CustomerPatch, Depends(body_of(CustomerPatch, MERGE_PATCH))],
    reason: ReasonGiven,
) -> Response:
    """A merge patch (RFC 7396): an absent member stays, null clears. `active` deactivates or reactivates the customer.
    404 when the customer does not exist."""
    command = UpdateCustomer(
        key.scope,
        provenance_of(key, reason),
        customer_id,
        customer_changes(patch, _BESIDE),
        patch.active,
        effective_at=optional_instant("effective_at", patch.effective_at),
        seen_at=await _seen_at(state, key, customer_id),
    )
    return await _changed(request, state, command)


@router.delete(_ONE, status_code=204, responses=ACCEPTED, summary="Delete a customer")
async def delete_customer(
    request: Request,
    state: StateOf,
    key: Administrator,
    customer_id: CustomerId,
    reason: ReasonGiven,
    effective_at: DeletedAt,
) -> Response:
    """End the customer's current life; its usage stays in reports. The id can be used again and starts with zero usage.
    404 when the customer does not exist."""
    seen_at = await _seen_at(state, key, customer_id)
    command = DeleteCustomer(
        key.scope, provenance_of(key, reason), customer_id, effective_at=effective_at, seen_at=seen_at
    )
    return await answer_command(request, state, command)


@router.post(
    _ONE + "/block",
    summary="Block a customer",
    response_model=CustomerView,
    responses=ACCEPTED,
    openapi_extra=body_openapi(WhyGiven, required=False),
)
async def block_customer(
    request: Request,
    state: StateOf,
    key: Administrator,
    customer_id: CustomerId,
    given: Annotated[WhyGiven, Depends(body_of(WhyGiven, required=False))],
    reason: ReasonGiven,
) -> Response:
    """Block a customer: access is refused. Its usage is still counted. 404 when the customer does not exist."""
    return await _switched(request, state, key, customer_id, BlockCustomer, given, reason)


@router.post(
    _ONE + "/unblock",
    summary="Unblock a customer",
    response_model=CustomerView,
    responses=ACCEPTED,
    openapi_extra=body_openapi(WhyGiven, required=False),
)
async def unblock_customer(
    request: Request,
    state: StateOf,
    key: Administrator,
    customer_id: CustomerId,
    given: Annotated[WhyGiven, Depends(body_of(WhyGiven, required=False))],
    reason: ReasonGiven,
) -> Response:
    """Remove the block of a customer. 404 when the customer does not exist."""
    return await _switched(request, state, key, customer_id, UnblockCustomer, given, reason)


@router.get(
    _ONE + "/history",
    response_model=HistoryPage,
    dependencies=[WAIT_FOR_MIN_POSITION],
    summary="Show the history of a customer",
)
def get_history(
    state: StateOf, key: Reader, customer_id: CustomerId, query: Annotated[AsOfPageQuery, FromQuery()]
) -> HistoryPage:
    """All changes of a customer, in the order in which they take effect. Its first usage is a derived entry. 404 when
    the customer was never known."""
    start = cursor_number(_HISTORY, query.cursor) or 0
    with reading(state, query, key.scope, customer_id) as asked:
        found = asked.snapshot.customer(key.scope, customer_id)
        entries = history_entries(asked.customer_or_404(found, key.scope, customer_id))
        position = asked.position
    end = start + query.limit
    return HistoryPage(
        position=position,
        now=asked.now,
        customer=customer_id,
        data=[fact_document(entry) for entry in entries[start:end]],
        next_cursor=cursor_text(_HISTORY, end) if end < len(entries) else None,
    )


async def _switched(
    request: Request,
    state: ApiState,
    key: ApiKeyRecord,
    customer_id: str,
    switch: type[BlockCustomer | UnblockCustomer],
    given: WhyGiven,
    reason: str | None,
) -> Response:
    effective_at = optional_instant("effective_at", given.effective_at)
    provenance, seen_at = provenance_of(key, given.reason or reason), await _seen_at(state, key, customer_id)
    command = switch(key.scope, provenance, customer_id, effective_at=effective_at, seen_at=seen_at)
    return await _changed(request, state, command)


async def _changed(request: Request, state: ApiState, command: ExistingCustomerCommand) -> Response:
    """Handle a command, and show the customer after it."""

    def show(snapshot: Snapshot) -> CustomerView:
        return customer_or_404(snapshot, command.scope, command.customer_id, state.engine.now())

    return await answer_command(request, state, command, show, shown_field=shown_customer_field)


async def _seen_at(state: ApiState, key: ApiKeyRecord, customer_id: str) -> datetime | None:
    """The time of the customer's last usage. With it, a command accepts a customer that was never created."""
    return await to_thread.run_sync(_last_known_by, state, key, customer_id)


def _last_known_by(state: ApiState, key: ApiKeyRecord, customer_id: str) -> datetime | None:
    with state.engine.reads.snapshot() as snapshot:
        record = snapshot.customer(key.scope, customer_id)
        return None if record is None else known_by(record, state.engine.now())
