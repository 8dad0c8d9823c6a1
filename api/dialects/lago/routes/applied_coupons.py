"""Routes of applied coupons: apply, list, terminate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

import api.http.middleware.raw_paths  # noqa: F401 -- registers the parameter type `segment`
from api.dialects.lago.customers_then import existing_customer
from api.dialects.lago.definitions.coupons import SHOWN_FIELDS, own_terms
from api.dialects.lago.error_shapes import not_allowed, not_found, validation_refusal
from api.dialects.lago.keys import provenance_of
from api.dialects.lago.models.coupons import AppliedCouponAnswer, AppliedCouponInput, AppliedCouponPage
from api.dialects.lago.paging import PAGE_PARAMETERS, Page, PageAsked
from api.dialects.lago.paths import BASE
from api.dialects.lago.readings.applied_coupons import AppliedCoupons
from api.dialects.lago.request_reading import wrapped_body, wrapped_openapi
from api.dialects.lago.routes.customers import ONE_CUSTOMER, ExternalCustomerId
from api.dialects.lago.writing import answer_command
from api.http.authentication import Administrator, Reader
from api.http.folded_answers import json_response
from api.http.reading import AS_OF_HEADERS, AskedAsOf, AskedByHeaders, Reading, reading
from api.http.state import ApiState, StateOf
from api.http.writing import renaming_fields
from consumers.commands.handler import CommandResult
from domain.coupons.applying import NOT_REUSABLE, OVERLAPS, ApplyCoupon, TerminateAppliedCoupon
from domain.coupons.customer_coupons import CustomerCoupons
from domain.errors import InvalidInput
from domain.scope import Scope
from projections.views.charging.coupons import coupon_view

router = APIRouter(tags=["coupons"])
_ALL: Final = f"{BASE}/applied_coupons"
_OF_CUSTOMER: Final = f"{ONE_CUSTOMER}/applied_coupons"
_NAME: Final = "applied_coupon"
_FILTERS: Final[list[dict[str, Any]]] = [
    {
        "name": "status",
        "in": "query",
        "required": False,
        "description": "By default any.",
        "schema": {"type": "string", "enum": ["active", "terminated"]},
    },
    {
        "name": "coupon_code[]",
        "in": "query",
        "required": False,
        "schema": {"type": "array", "items": {"type": "string"}},
    },
]
_CUSTOMER: Final = {"name": "external_customer_id", "in": "query", "required": False, "schema": {"type": "string"}}


@router.post(
    _ALL,
    response_model=AppliedCouponAnswer,
    openapi_extra=wrapped_openapi(_NAME, AppliedCouponInput),
    summary="Apply a coupon to a customer",
)
async def apply_coupon(
    state: StateOf,
    key: Administrator,
    given: Annotated[AppliedCouponInput, Depends(wrapped_body(_NAME, AppliedCouponInput))],
) -> Response:
    """Apply a coupon, with its amount, rate and frequency or others. 404 without such a customer or coupon, 405 when
    another limited coupon of the customer may take something off the same charges, 422 when the coupon is not reusable
    and the customer has applied it before."""
    numbers: list[int] = []

    def apply() -> Sequence[CommandResult[Any]]:
        with reading(state, AskedAsOf(), key.scope) as asked:
            history = existing_customer(asked, key.scope, given.external_customer_id)
            facts = asked.snapshot.facts(key.scope, "coupon", given.coupon_code)
            coupon = coupon_view(given.coupon_code, facts, asked.now)
            if coupon is None or (coupon.expires_at is not None and coupon.expires_at <= asked.now):
                raise not_found("coupon")
            terms = own_terms(given, coupon)
            standing = AppliedCoupons(asked, key.scope).of_life(history)
            used_up = [one.number for one in standing if one.status(asked.now) == "terminated"]
        customer_id = given.external_customer_id
        command = ApplyCoupon(
            key.scope, provenance_of(key), customer_id, code=given.coupon_code, terms=terms, used_up=used_up
        )
        result = _applied(state, command)
        numbers.append(result.state.last_number)
        return [result]

    def show(asked: Reading) -> dict[str, Any]:
        applied = AppliedCoupons(asked, key.scope)
        history = existing_customer(asked, key.scope, given.external_customer_id)
        found = next((one for one in applied.of_life(history) if one.number == numbers[0]), None)
        if found is None:  # the customer was deleted and begun again meanwhile
            raise not_found(_NAME)
        return {_NAME: applied.shown(found)}

    return await answer_command(state, key, apply, show)


@router.get(
    _ALL,
    response_model=AppliedCouponPage,
    openapi_extra={"parameters": [*PAGE_PARAMETERS, _CUSTOMER, *_FILTERS, *AS_OF_HEADERS]},
    summary="List applied coupons",
)
def find_all_applied_coupons(
    request: Request, state: StateOf, key: Reader, page: PageAsked, known: AskedByHeaders
) -> Response:
    """List applied coupons, the last applied first, those of all customers or of one."""
    customer_id = request.query_params.get("external_customer_id")
    with reading(state, known, key.scope) as asked:
        return _list(asked, key.scope, request.query_params, page, customer_id)


@router.get(
    _OF_CUSTOMER,
    response_model=AppliedCouponPage,
    openapi_extra={"parameters": [*PAGE_PARAMETERS, *_FILTERS, *AS_OF_HEADERS]},
    summary="List the applied coupons of a customer",
)
def find_all_customer_applied_coupons(
    request: Request,
    state: StateOf,
    key: Reader,
    external_customer_id: ExternalCustomerId,
    page: PageAsked,
    known: AskedByHeaders,
) -> Response:
    """List the applied coupons of a customer, the last applied first. 404 when the customer does not exist."""
    with reading(state, known, key.scope) as asked:
        existing_customer(asked, key.scope, external_customer_id)
        return _list(asked, key.scope, request.query_params, page, external_customer_id)


@router.delete(
    f"{_OF_CUSTOMER}/{{applied_coupon_id:segment}}",
    response_model=AppliedCouponAnswer,
    summary="Terminate an applied coupon",
)
async def delete_applied_coupon(
    state: StateOf, key: Administrator, external_customer_id: ExternalCustomerId, applied_coupon_id: str
) -> Response:
    """End an applied coupon now, and answer it; one that has ended stays as it is. 404 when the customer has none with
    this id."""

    def end() -> Sequence[CommandResult[Any]]:
        with reading(state, AskedAsOf(), key.scope) as asked:
            history = existing_customer(asked, key.scope, external_customer_id)
            found = AppliedCoupons(asked, key.scope).named(history, applied_coupon_id)
            if found is None:
                raise not_found(_NAME)
            if found.status(asked.now) == "terminated":
                return []
        command = TerminateAppliedCoupon(key.scope, provenance_of(key), external_customer_id, found.number)
        return [state.engine.commands.handle(command)]

    def show(asked: Reading) -> dict[str, Any]:
        applied = AppliedCoupons(asked, key.scope)
        history = existing_customer(asked, key.scope, external_customer_id)
        found = applied.named(history, applied_coupon_id)
        if found is None:
            raise not_found(_NAME)
        return {_NAME: applied.shown(found)}

    return await answer_command(state, key, end, show)


def _list(asked: Reading, scope: Scope, query: QueryParams, page: Page, customer_id: str | None) -> Response:
    applied = AppliedCoupons(asked, scope)
    status = query.get("status") if query.get("status") in ("active", "terminated") else None
    codes = frozenset(query.getlist("coupon_code[]"))
    total, shown = applied.page(customer_id, codes, status, page.offset, page.per_page)
    listed = [{**applied.shown(one), "credits": []} for one in shown]
    return json_response({"applied_coupons": listed, "meta": page.meta(total)}, asked)


def _applied(state: ApiState, command: ApplyCoupon) -> CommandResult[CustomerCoupons]:
    """Carry out an application; its refusals as Lago words them."""
    try:
        return state.engine.commands.handle(command)
    except InvalidInput as error:
        if error.code == NOT_REUSABLE:
            raise validation_refusal({"coupon": ["coupon_is_not_reusable"]}) from None
        if error.code == OVERLAPS:
            raise not_allowed("plan_overlapping") from None
        if error.field == "coupon":
            raise not_found("coupon") from None
        with renaming_fields(lambda field: SHOWN_FIELDS.get(field, field)):
            raise
