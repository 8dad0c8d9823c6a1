"""Routes of coupons: what they take off the charges of customers that apply them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Depends
from fastapi import Query as FromQuery
from starlette.requests import Request
from starlette.responses import Response

from api.http.authentication import Administrator, Reader
from api.http.bodies import MERGE_PATCH, body_of, body_openapi
from api.http.paging import cursor_text, cursor_values, rows_to_read
from api.http.problems import found_or_404
from api.http.reading import WAIT_FOR_MIN_POSITION, reading
from api.http.state import ApiState, StateOf
from api.http.writing import ACCEPTED, DeletedAt, ReasonGiven, answer_command, optional_instant, provenance_of
from api.native.models.charging.coupons import CouponGiven, CouponPage, CouponPatch, CouponView
from api.native.models.field_types import AsOfPageQuery, AsOfQuery
from api.native.request_fields import without_nulls
from api.native.views.coupons import coupon_of
from domain.coupons.commands import CreateCoupon, DeleteCoupon, UpdateCoupon
from domain.scope import Scope
from domain.values.instants import EPOCH
from projections.queries.snapshot import Snapshot

router = APIRouter(tags=["coupons"])
_LIST: Final = "coupons"
_ONE: Final = "/v1/coupons/{code:segment}"


@router.get("/v1/coupons", response_model=CouponPage, dependencies=[WAIT_FOR_MIN_POSITION], summary="List coupons")
def list_coupons(state: StateOf, key: Reader, query: Annotated[AsOfPageQuery, FromQuery()]) -> CouponPage:
    """Coupons, ordered by code; deleted ones are left out."""
    after = cursor_values(_LIST, query.cursor, str)
    with reading(state, query, key.scope) as asked:
        codes = asked.snapshot.ids(key.scope, "coupon", after, rows_to_read(query.limit))
        listed = [coupon_of(asked.snapshot, key.scope, code, asked.now) for code in codes[: query.limit]]
        return CouponPage(
            position=asked.position,
            now=asked.now,
            data=[coupon for coupon in listed if coupon is not None],
            next_cursor=cursor_text(_LIST, codes[query.limit - 1]) if len(codes) > query.limit else None,
        )


@router.post(
    "/v1/coupons",
    response_model=CouponView,
    status_code=201,
    responses=ACCEPTED,
    openapi_extra=body_openapi(CouponGiven),
    summary="Create a coupon",
)
async def create_coupon(
    request: Request,
    state: StateOf,
    key: Administrator,
    given: Annotated[CouponGiven, Depends(body_of(CouponGiven))],
    reason: ReasonGiven,
) -> Response:
    """Make a coupon, which customers can apply: an amount or a percentage off, once, in some billing periods or in all.
    409 when the code is in use."""
    effective_at = optional_instant("effective_at", given.effective_at)
    fields = without_nulls(given.model_dump(exclude_unset=True, exclude={"code", "effective_at"}))
    command = CreateCoupon(key.scope, provenance_of(key, reason), given.code, fields, effective_at=effective_at)
    return await answer_command(request, state, command, _show(state, key.scope, given.code, effective_at), 201)


@router.get(_ONE, response_model=CouponView, dependencies=[WAIT_FOR_MIN_POSITION], summary="Show a coupon")
def get_coupon(state: StateOf, key: Reader, code: str, query: Annotated[AsOfQuery, FromQuery()]) -> CouponView:
    """Show one coupon. 404 when there is none with this code."""
    with reading(state, query, key.scope) as asked:
        view: CouponView = found_or_404(coupon_of(asked.snapshot, key.scope, code, asked.now), "coupon", code)
        return view


@router.patch(
    _ONE,
    response_model=CouponView,
    responses=ACCEPTED,
    openapi_extra=body_openapi(CouponPatch, MERGE_PATCH),
    summary="Change a coupon",
)
async def change_coupon(
    request: Request,
    state: StateOf,
    key: Administrator,
    code: str,
    patch: Annotated[CouponPatch, Depends(body_of(CouponPatch, MERGE_PATCH))],
    reason: ReasonGiven,
) -> Response:
    """A merge patch: an absent member stays, null clears. Who applies it from then on has it so; what was applied
    before stays as it is. 404 when there is no such coupon."""
    changes = patch.model_dump(exclude_unset=True, exclude={"effective_at"})
    effective_at = optional_instant("effective_at", patch.effective_at)
    command = UpdateCoupon(key.scope, provenance_of(key, reason), code, changes, effective_at=effective_at)
    return await answer_command(request, state, command, _show(state, key.scope, code))


@router.delete(_ONE, status_code=204, responses=ACCEPTED, summary="Delete a coupon")
async def delete_coupon(
    request: Request,
    state: StateOf,
    key: Administrator,
    code: str,
    reason: ReasonGiven,
    effective_at: DeletedAt,
) -> Response:
    """Delete a coupon: what customers have applied of it takes nothing off from then on. 404 when there is no such
    coupon."""
    command = DeleteCoupon(key.scope, provenance_of(key, reason), code, effective_at=effective_at)
    return await answer_command(request, state, command)


def _show(
    state: ApiState, scope: Scope, code: str, created_at: datetime | None = None
) -> Callable[[Snapshot], CouponView | None]:
    """Show the coupon as it is now; one that is created in the future, as it will be then."""
    return lambda snapshot: coupon_of(snapshot, scope, code, max(state.engine.now(), created_at or EPOCH))
