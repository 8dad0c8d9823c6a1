"""Routes of applied coupons: which customer takes something off by which coupon, and what is left of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Annotated, Final

from fastapi import APIRouter, Depends
from fastapi import Query as FromQuery
from starlette.requests import Request
from starlette.responses import Response

from api.http.authentication import Administrator, Reader
from api.http.bodies import body_of, body_openapi
from api.http.paging import cursor_values, page, rows_to_read
from api.http.reading import WAIT_FOR_MIN_POSITION, CustomerId, reading
from api.http.state import ApiState, StateOf
from api.http.writing import ACCEPTED, DeletedAt, ReasonGiven, answer_command, optional_instant, provenance_of
from api.native.models.charging.coupons import (
    ApplicationGiven,
    AppliedCouponPage,
    AppliedCouponsQuery,
    AppliedCouponView,
)
from api.native.request_fields import without_nulls
from api.native.views.coupons import applied_document
from domain.coupons.applying import ApplyCoupon, TerminateAppliedCoupon
from domain.coupons.customer_coupons import CustomerCoupons
from domain.scope import Scope
from domain.values.identifiers import checked_id
from projections.queries.snapshot import Snapshot
from projections.views.charging.coupon_amounts import applied_after_bills
from projections.views.charging.coupons import applied_rows, numbered

router = APIRouter(tags=["coupons"])
_LIST: Final = "applied-coupons"
_OF_CUSTOMER: Final = "/v1/customers/{customer_id:segment}/coupons"


@router.get(
    "/v1/applied-coupons",
    response_model=AppliedCouponPage,
    dependencies=[WAIT_FOR_MIN_POSITION],
    summary="List applied coupons",
)
def list_applied_coupons(
    state: StateOf, key: Reader, query: Annotated[AppliedCouponsQuery, FromQuery()]
) -> AppliedCouponPage:
    """What customers have applied, by customer, then number, ended ones included: also those that ended with a life of
    the customer, whoever has the id now. The filters choose among the rows of a page, which may be fewer than asked
    for; the last page has no `next_cursor`."""
    after = cursor_values(_LIST, query.cursor, tuple[str, int])
    customer_id = None if query.customer is None else checked_id("customer", query.customer)
    with reading(state, query, key.scope) as asked:
        rows = applied_rows(asked.snapshot, key.scope, customer_id, after, rows_to_read(query.limit))
        shown, next_cursor = page(rows, query.limit, _LIST, lambda row: (row.customer_id, row.number))
        after_bills = cache(lambda name: numbered(applied_after_bills(asked.snapshot, key.scope, name, asked.now)))
        found = (after_bills(row.customer_id)[row.number] for row in shown)
        listed = [applied_document(one, asked.position, asked.now) for one in found]
        return AppliedCouponPage(
            position=asked.position,
            now=asked.now,
            data=[one for one in listed if query.coupon in (None, one.coupon) and query.status in (None, one.status)],
            next_cursor=next_cursor,
        )


@router.post(
    _OF_CUSTOMER,
    response_model=AppliedCouponView,
    status_code=201,
    responses=ACCEPTED,
    openapi_extra=body_openapi(ApplicationGiven),
    summary="Apply a coupon for a customer",
)
async def apply_coupon(
    request: Request,
    state: StateOf,
    key: Administrator,
    customer_id: CustomerId,
    given: Annotated[ApplicationGiven, Depends(body_of(ApplicationGiven))],
    reason: ReasonGiven,
) -> Response:
    """Apply a coupon for a customer, known or not, with the terms of the coupon or others. 422 when there is no such
    coupon, when it has expired, or when it is not reusable and the customer has applied it before."""
    effective_at = optional_instant("effective_at", given.effective_at)
    terms = without_nulls(given.model_dump(exclude_unset=True, exclude={"coupon", "effective_at"}))
    command = ApplyCoupon(
        key.scope,
        provenance_of(key, reason),
        customer_id,
        code=given.coupon,
        terms=terms,
        effective_at=effective_at,
    )
    return await answer_command(request, state, command, status=201, show_state=_show_last(state, key.scope))


@router.delete(f"{_OF_CUSTOMER}/{{number}}", status_code=204, responses=ACCEPTED, summary="Terminate an applied coupon")
async def terminate_applied_coupon(
    request: Request,
    state: StateOf,
    key: Administrator,
    customer_id: CustomerId,
    number: int,
    reason: ReasonGiven,
    effective_at: DeletedAt,
) -> Response:
    """End what a customer has applied, now or at a past `effective_at`: it takes nothing off periods that end later.
    404 when the customer has applied no coupon with this number."""
    command = TerminateAppliedCoupon(
        key.scope, provenance_of(key, reason), customer_id, number, effective_at=effective_at
    )
    return await answer_command(request, state, command)


def _show_last(state: ApiState, scope: Scope) -> Callable[[CustomerCoupons], Callable[[Snapshot], AppliedCouponView]]:
    """Show the coupon that a command has applied."""

    def show(made: CustomerCoupons) -> Callable[[Snapshot], AppliedCouponView]:
        number, customer_id = made.last_number, made.customer_id

        def shown(snapshot: Snapshot) -> AppliedCouponView:
            position, now = snapshot.point().position, state.engine.now()
            applied = numbered(applied_after_bills(snapshot, scope, customer_id, now))
            return applied_document(applied[number], position, now)

        return shown

    return show
