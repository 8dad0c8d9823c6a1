"""Routes of meters: the built-in ones, and a tenant's own."""

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
from api.http.problems import Problem, found_or_404
from api.http.reading import WAIT_FOR_MIN_POSITION, reading
from api.http.state import ApiState, StateOf
from api.http.writing import ACCEPTED, DeletedAt, ReasonGiven, answer_command, optional_instant, provenance_of
from api.native.models.field_types import AsOfPageQuery, AsOfQuery
from api.native.models.meters import MeterGiven, MeterPage, MeterPatch, MeterView
from api.native.request_fields import without_nulls
from api.native.views.meters import meter_of
from domain.meters.commands import CreateMeter, DeleteMeter, UpdateMeter
from domain.scope import Scope
from domain.values.instants import EPOCH
from projections.queries.snapshot import Snapshot
from projections.views.meters import BUILT_IN_METERS, UNIT_METERS

router = APIRouter(tags=["meters"])
_LIST: Final = "meters"
_ONE: Final = "/v1/meters/{code:segment}"


@router.get("/v1/meters", response_model=MeterPage, dependencies=[WAIT_FOR_MIN_POSITION], summary="List meters")
def list_meters(state: StateOf, key: Reader, query: Annotated[AsOfPageQuery, FromQuery()]) -> MeterPage:
    """Built-in meters and the tenant's own, ordered by code. Units of usage are built-in meters too; they are not
    listed."""
    after = cursor_values(_LIST, query.cursor, str)
    with reading(state, query, key.scope) as asked:
        own = asked.snapshot.ids(key.scope, "meter", after, rows_to_read(query.limit))
        codes = sorted([*own, *(code for code in BUILT_IN_METERS if after is None or code > after)])
        listed = [meter_of(asked.snapshot, key.scope, code, asked.now) for code in codes[: query.limit]]
        return MeterPage(
            position=asked.position,
            now=asked.now,
            data=[view for view in listed if view is not None and not _is_unit(view)],
            next_cursor=cursor_text(_LIST, codes[query.limit - 1]) if len(codes) > query.limit else None,
        )


@router.post(
    "/v1/meters",
    response_model=MeterView,
    status_code=201,
    responses=ACCEPTED,
    openapi_extra=body_openapi(MeterGiven),
    summary="Create a meter",
)
async def create_meter(
    request: Request,
    state: StateOf,
    key: Administrator,
    given: Annotated[MeterGiven, Depends(body_of(MeterGiven))],
    reason: ReasonGiven,
) -> Response:
    """Make a meter that measures events of one type, those already recorded too. 409 when the code is in use."""
    effective_at = optional_instant("effective_at", given.effective_at)
    fields = without_nulls(given.model_dump(exclude_unset=True, exclude={"code", "effective_at"}))
    command = CreateMeter(key.scope, provenance_of(key, reason), given.code, fields, effective_at=effective_at)
    return await answer_command(request, state, command, _show(state, key.scope, given.code, effective_at), 201)


@router.get(_ONE, response_model=MeterView, dependencies=[WAIT_FOR_MIN_POSITION], summary="Show a meter")
def get_meter(state: StateOf, key: Reader, code: str, query: Annotated[AsOfQuery, FromQuery()]) -> MeterView:
    """Show one built-in or custom meter. 404 when there is none with this code."""
    with reading(state, query, key.scope) as asked:
        view: MeterView = found_or_404(meter_of(asked.snapshot, key.scope, code, asked.now), "meter", code)
        return view


@router.patch(
    _ONE,
    response_model=MeterView,
    responses=ACCEPTED,
    openapi_extra=body_openapi(MeterPatch, MERGE_PATCH),
    summary="Change a meter",
)
async def change_meter(
    request: Request,
    state: StateOf,
    key: Administrator,
    code: str,
    patch: Annotated[MeterPatch, Depends(body_of(MeterPatch, MERGE_PATCH))],
    reason: ReasonGiven,
) -> Response:
    """A merge patch of name, description, groups, filters, rounding and expression: an absent member stays, null
    clears. What else decides on the value cannot be changed. 404 when there is no such meter, 409 for a built-in
    one."""
    _refuse_built_in(code)
    changes = patch.model_dump(exclude_unset=True, exclude={"effective_at"})
    effective_at = optional_instant("effective_at", patch.effective_at)
    command = UpdateMeter(key.scope, provenance_of(key, reason), code, changes, effective_at=effective_at)
    return await answer_command(request, state, command, _show(state, key.scope, code))


@router.delete(_ONE, status_code=204, responses=ACCEPTED, summary="Delete a meter")
async def delete_meter(
    request: Request,
    state: StateOf,
    key: Administrator,
    code: str,
    reason: ReasonGiven,
    effective_at: DeletedAt,
) -> Response:
    """Delete a meter; its events stay. 404 when there is no such meter, 409 for a built-in one."""
    _refuse_built_in(code)
    command = DeleteMeter(key.scope, provenance_of(key, reason), code, effective_at=effective_at)
    return await answer_command(request, state, command)


def _show(
    state: ApiState, scope: Scope, code: str, created_at: datetime | None = None
) -> Callable[[Snapshot], MeterView | None]:
    """Show the meter as it is now; one that is created in the future, as it will be then."""
    return lambda snapshot: meter_of(snapshot, scope, code, max(state.engine.now(), created_at or EPOCH))


def _is_unit(view: MeterView) -> bool:
    """Whether a meter is a unit, which the list leaves out, as where a meter of its code was made and deleted."""
    return view.built_in and view.code in UNIT_METERS


def _refuse_built_in(code: str) -> None:
    if code in BUILT_IN_METERS:
        raise Problem("conflict", f"meter {code!r} is built in and cannot be changed or deleted")
