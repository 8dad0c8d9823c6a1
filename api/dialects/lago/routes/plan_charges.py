"""Routes of the charges of a plan, one by one, and of their filters. Each change is one of the plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from starlette.responses import Response

from api.dialects.lago.definitions.parts_of_plans import (
    Shown,
    charge_of,
    filter_of,
    named_within,
    with_changed_charge,
    with_charge,
    with_charge_code,
    with_filters,
    without_charge,
)
from api.dialects.lago.models.plans import (
    ChargeAnswer,
    ChargeFilterAnswer,
    ChargeFilterInput,
    ChargeFilterPatch,
    ChargeFiltersPage,
    ChargeInput,
    ChargePatch,
    ChargesPage,
    PlanPatch,
)
from api.dialects.lago.paging import PAGE_PARAMETERS, PageAsked
from api.dialects.lago.request_reading import wrapped_body, wrapped_openapi
from api.dialects.lago.routes.plans import ONE_PLAN, change_plan, shown_plan
from api.dialects.lago.writing import answer_command
from api.http.authentication import Administrator, Reader
from api.http.folded_answers import json_response
from api.http.reading import AS_OF_HEADERS, AskedByHeaders, Reading, reading
from api.http.state import ApiState, StateOf
from consumers.commands.handler import CommandResult
from projections.queries.api_keys import ApiKeyRecord

router = APIRouter(tags=["plans"])
_ALL: Final = f"{ONE_PLAN}/charges"
_ONE: Final = f"{_ALL}/{{charge_code:segment}}"
_FILTERS: Final = f"{_ONE}/filters"
_FILTER: Final = f"{_FILTERS}/{{filter_id:segment}}"
_LISTED: Final[dict[str, Any]] = {"parameters": [*PAGE_PARAMETERS, *AS_OF_HEADERS]}
_FOUND: Final[dict[str, Any]] = {"parameters": AS_OF_HEADERS}


@router.get(_ALL, response_model=ChargesPage, openapi_extra=_LISTED, summary="List the charges of a plan")
def find_all_plan_charges(state: StateOf, key: Reader, code: str, page: PageAsked, known: AskedByHeaders) -> Response:
    """List the charges of a plan, in the order in which it has them."""
    with reading(state, known, key.scope) as asked:
        charges = shown_plan(asked, key.scope, code)["charges"]
        listed = charges[page.offset : page.offset + page.per_page]
        return json_response({"charges": listed, "meta": page.meta(len(charges))}, asked)


@router.post(
    _ALL,
    response_model=ChargeAnswer,
    openapi_extra=wrapped_openapi("charge", ChargeInput),
    summary="Add a charge to a plan",
)
async def create_plan_charge(
    state: StateOf,
    key: Administrator,
    code: str,
    given: Annotated[ChargeInput, Depends(wrapped_body("charge", ChargeInput))],
) -> Response:
    """Add a charge to a plan; without a code it has that of its metric."""
    return await _changed(
        state, key, code, lambda plan: with_charge(plan, given.sent), lambda plan: {"charge": plan["charges"][-1]}
    )


@router.get(_ONE, response_model=ChargeAnswer, openapi_extra=_FOUND, summary="Find a charge of a plan")
def find_plan_charge(state: StateOf, key: Reader, code: str, charge_code: str, known: AskedByHeaders) -> Response:
    """Show a charge of a plan. 404 when the plan has none with this code."""
    with reading(state, known, key.scope) as asked:
        return json_response({"charge": charge_of(shown_plan(asked, key.scope, code), charge_code)}, asked)


@router.put(
    _ONE,
    response_model=ChargeAnswer,
    openapi_extra=wrapped_openapi("charge", ChargePatch),
    summary="Update a charge of a plan",
)
async def update_plan_charge(
    state: StateOf,
    key: Administrator,
    code: str,
    charge_code: str,
    given: Annotated[ChargePatch, Depends(wrapped_body("charge", ChargePatch))],
) -> Response:
    """Change the members of a charge that are given. 404 when the plan has none with this code."""
    sent = given.sent
    return await _changed(
        state,
        key,
        code,
        lambda plan: with_changed_charge(plan, charge_code, sent),
        lambda plan: {"charge": charge_of(plan, sent.get("code") or charge_code)},
    )


@router.delete(_ONE, response_model=ChargeAnswer, summary="Remove a charge from a plan")
async def destroy_plan_charge(state: StateOf, key: Administrator, code: str, charge_code: str) -> Response:
    """Remove a charge from a plan. 404 when the plan has none with this code."""
    removed: list[Shown] = []

    def remove(plan: Shown) -> PlanPatch:
        removed.append(charge_of(plan, charge_code))
        return without_charge(plan, charge_code)

    return await _changed(state, key, code, remove, lambda plan: {"charge": removed[-1]})


@router.get(_FILTERS, response_model=ChargeFiltersPage, openapi_extra=_LISTED, summary="List the filters of a charge")
def find_all_plan_charge_filters(
    state: StateOf, key: Reader, code: str, charge_code: str, page: PageAsked, known: AskedByHeaders
) -> Response:
    """List the filters of a charge, in the order in which it has them."""
    with reading(state, known, key.scope) as asked:
        charge = charge_of(shown_plan(asked, key.scope, code), charge_code)
        filters = charge["filters"]
        listed = [with_charge_code(charge, one) for one in filters[page.offset : page.offset + page.per_page]]
        return json_response({"filters": listed, "meta": page.meta(len(filters))}, asked)


@router.post(
    _FILTERS,
    response_model=ChargeFilterAnswer,
    openapi_extra=wrapped_openapi("filter", ChargeFilterInput),
    summary="Add a filter to a charge",
)
async def create_plan_charge_filter(
    state: StateOf,
    key: Administrator,
    code: str,
    charge_code: str,
    given: Annotated[ChargeFilterInput, Depends(wrapped_body("filter", ChargeFilterInput))],
) -> Response:
    """Add a filter to a charge, after those that it has."""
    return await _changed(
        state,
        key,
        code,
        lambda plan: with_filters(plan, charge_code, lambda filters: [*filters, given.sent]),
        lambda plan: _filter_at(charge_of(plan, charge_code), -1),
    )


@router.get(_FILTER, response_model=ChargeFilterAnswer, openapi_extra=_FOUND, summary="Find a filter of a charge")
def find_plan_charge_filter(
    state: StateOf, key: Reader, code: str, charge_code: str, filter_id: str, known: AskedByHeaders
) -> Response:
    """Show a filter of a charge. 404 when the charge has none with this id."""
    with reading(state, known, key.scope) as asked:
        charge = charge_of(shown_plan(asked, key.scope, code), charge_code)
        return json_response({"filter": filter_of(charge, filter_id)}, asked)


@router.put(
    _FILTER,
    response_model=ChargeFilterAnswer,
    openapi_extra=wrapped_openapi("filter", ChargeFilterPatch),
    summary="Update a filter of a charge",
)
async def update_plan_charge_filter(
    state: StateOf,
    key: Administrator,
    code: str,
    charge_code: str,
    filter_id: str,
    given: Annotated[ChargeFilterPatch, Depends(wrapped_body("filter", ChargeFilterPatch))],
) -> Response:
    """Change the members of a filter that are given. With other values it has another id. 404 when the charge has none
    with this id."""
    changed: list[int] = []

    def change(plan: Shown) -> PlanPatch:
        charge = charge_of(plan, charge_code)
        own = filter_of(charge, filter_id)
        changed.append([one["lago_id"] for one in charge["filters"]].index(own["lago_id"]))
        return with_filters(
            plan,
            charge_code,
            lambda filters: [{**one, **(given.sent if one["lago_id"] == filter_id else {})} for one in filters],
        )

    return await _changed(state, key, code, change, lambda plan: _filter_at(charge_of(plan, charge_code), changed[-1]))


@router.delete(_FILTER, response_model=ChargeFilterAnswer, summary="Remove a filter from a charge")
async def destroy_plan_charge_filter(
    state: StateOf, key: Administrator, code: str, charge_code: str, filter_id: str
) -> Response:
    """Remove a filter from a charge. 404 when the charge has none with this id."""
    removed: list[Shown] = []

    def remove(plan: Shown) -> PlanPatch:
        removed.append(filter_of(charge_of(plan, charge_code), filter_id))
        return with_filters(plan, charge_code, lambda filters: [one for one in filters if one["lago_id"] != filter_id])

    return await _changed(state, key, code, remove, lambda plan: {"filter": removed[-1]})


async def _changed(
    state: ApiState,
    key: ApiKeyRecord,
    code: str,
    change: Callable[[Shown], PlanPatch],
    show: Callable[[Shown], Mapping[str, Any]],
) -> Response:
    """Change a plan, and answer what is shown of it then."""

    def handle() -> Sequence[CommandResult[Any]]:
        with named_within():
            return change_plan(state, key, code, change)

    def shown(asked: Reading) -> Mapping[str, Any]:
        return show(shown_plan(asked, key.scope, code))

    return await answer_command(state, key, handle, shown)


def _filter_at(charge: Mapping[str, Any], place: int) -> dict[str, Any]:
    return {"filter": with_charge_code(charge, charge["filters"][place])}
