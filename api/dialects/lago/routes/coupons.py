"""Routes of coupons."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from starlette.responses import Response

import api.http.middleware.raw_paths  # noqa: F401 -- registers the parameter type `segment`
from api.dialects.lago.definitions.coupons import SHOWN_FIELDS, coupon_changes, coupon_fields
from api.dialects.lago.definitions.metrics import newest_first
from api.dialects.lago.error_shapes import ALREADY_EXISTS, not_found, validation_refusal
from api.dialects.lago.keys import provenance_of
from api.dialects.lago.models.coupons import CouponAnswer, CouponInput, CouponPage, CouponPatch
from api.dialects.lago.paging import PAGE_PARAMETERS, PageAsked
from api.dialects.lago.paths import BASE
from api.dialects.lago.request_reading import wrapped_body, wrapped_openapi
from api.dialects.lago.views.coupons import coupon_object
from api.dialects.lago.writing import answer_command
from api.http.authentication import Administrator, Reader
from api.http.folded_answers import json_response
from api.http.reading import AS_OF_HEADERS, AskedAsOf, AskedByHeaders, Reading, reading
from api.http.state import ApiState, StateOf
from api.http.writing import renaming_fields
from consumers.commands.handler import CommandResult
from domain.command import Command
from domain.coupons.commands import CreateCoupon, DeleteCoupon, UpdateCoupon
from domain.errors import AlreadyExists, NotFound
from domain.scope import Scope
from projections.views.charging.coupons import coupon_view

router = APIRouter(tags=["coupons"])
_ALL: Final = f"{BASE}/coupons"
_ONE: Final = f"{_ALL}/{{code:segment}}"
_NAME: Final = "coupon"


@router.post(
    _ALL, response_model=CouponAnswer, openapi_extra=wrapped_openapi(_NAME, CouponInput), summary="Create a coupon"
)
async def create_coupon(
    state: StateOf, key: Administrator, given: Annotated[CouponInput, Depends(wrapped_body(_NAME, CouponInput))]
) -> Response:
    """Make a coupon. 404 without the plans or metrics that it is limited to, 405 with both, 422 when the code is in
    use."""

    def create() -> Sequence[CommandResult[Any]]:
        with reading(state, AskedAsOf(), key.scope) as asked:
            fields = coupon_fields(given, asked, key.scope)
        return _handled(state, CreateCoupon(key.scope, provenance_of(key), given.code, fields))

    return await answer_command(state, key, create, lambda asked: _answer(asked, key.scope, given.code))


@router.get(
    _ALL,
    response_model=CouponPage,
    openapi_extra={"parameters": [*PAGE_PARAMETERS, *AS_OF_HEADERS]},
    summary="List coupons",
)
def find_all_coupons(state: StateOf, key: Reader, page: PageAsked, known: AskedByHeaders) -> Response:
    """List coupons, the last created first."""
    with reading(state, known, key.scope) as asked:
        codes = newest_first(asked.snapshot, key.scope, "coupon", asked.now)
        shown = codes[page.offset : page.offset + page.per_page]
        facts = asked.snapshot.facts_named(key.scope, "coupon", shown)
        coupons = (coupon_view(code, facts.get(code, ()), asked.now) for code in shown)
        listed = [coupon_object(key.scope, coupon, asked.now) for coupon in coupons if coupon is not None]
        return json_response({"coupons": listed, "meta": page.meta(len(codes))}, asked)


@router.get(_ONE, response_model=CouponAnswer, openapi_extra={"parameters": AS_OF_HEADERS}, summary="Find a coupon")
def find_coupon(state: StateOf, key: Reader, code: str, known: AskedByHeaders) -> Response:
    """Show a coupon. 404 when there is none with this code."""
    with reading(state, known, key.scope) as asked:
        return json_response(_answer(asked, key.scope, code), asked)


@router.put(
    _ONE, response_model=CouponAnswer, openapi_extra=wrapped_openapi(_NAME, CouponPatch), summary="Update a coupon"
)
async def update_coupon(
    state: StateOf,
    key: Administrator,
    code: str,
    given: Annotated[CouponPatch, Depends(wrapped_body(_NAME, CouponPatch))],
) -> Response:
    """Change the members that are given, for customers that apply the coupon from then on. 404 when there is no such
    coupon."""

    def change() -> Sequence[CommandResult[Any]]:
        with reading(state, AskedAsOf(), key.scope) as asked:
            shown = _answer(asked, key.scope, code)[_NAME]
            changes = coupon_changes(shown, given, asked, key.scope)
        return _handled(state, UpdateCoupon(key.scope, provenance_of(key), code, changes))

    return await answer_command(state, key, change, lambda asked: _answer(asked, key.scope, code))


@router.delete(_ONE, response_model=CouponAnswer, summary="Delete a coupon")
async def destroy_coupon(state: StateOf, key: Administrator, code: str) -> Response:
    """Delete a coupon, and end what customers have applied of it. 404 when there is no such coupon."""
    shown: list[dict[str, Any]] = []

    def delete() -> Sequence[CommandResult[Any]]:
        with reading(state, AskedAsOf(), key.scope) as asked:
            shown.append(_answer(asked, key.scope, code))
        return _handled(state, DeleteCoupon(key.scope, provenance_of(key), code))

    return await answer_command(state, key, delete, lambda asked: shown[0])


def _answer(asked: Reading, scope: Scope, code: str) -> dict[str, Any]:
    coupon = coupon_view(code, asked.snapshot.facts(scope, "coupon", code), asked.now)
    if coupon is None:
        raise not_found(_NAME)
    return {_NAME: coupon_object(scope, coupon, asked.now)}


def _handled(state: ApiState, command: Command[Any]) -> Sequence[CommandResult[Any]]:
    handle: Callable[[Command[Any]], CommandResult[Any]] = state.engine.commands.handle
    try:
        with renaming_fields(lambda field: SHOWN_FIELDS.get(field.partition(".")[0], field)):
            return [handle(command)]
    except AlreadyExists:
        raise validation_refusal({"code": [ALREADY_EXISTS]}) from None
    except NotFound:
        raise not_found(_NAME) from None
