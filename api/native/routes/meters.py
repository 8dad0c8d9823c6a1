"""Meters: the built-in ones and a tenant's own."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends
from fastapi import Query as FromQuery
from starlette.requests import Request
from starlette.responses import Response

from api.http.authentication import Administrator, Reader
from api.http.bodies import MERGE_PATCH, body_of, described
from api.http.paging import cursor_text, cursor_values, rows_to_read
from api.http.problems import Problem, found_or_404
from api.http.reading import FOLDED
from api.http.state import StateOf
from api.http.writing import ACCEPTED, ReasonGiven, provenance_of, written
from api.native.models.field_types import PageQuery, Reading
from api.native.models.meters import MeterGiven, MeterPage, MeterPatch, MeterView
from api.native.request_fields import without_nulls
from api.native.views.meters import meter_of
from projections.views.meters import BUILT_IN_METERS

router = APIRouter(tags=["meters"])
_LIST: Final = "meters"
_ONE: Final = "/v1/meters/{code:segment}"


@router.get("/v1/meters", response_model=MeterPage, dependencies=[FOLDED])
def list_meters(state: StateOf, key: Reader, query: Annotated[PageQuery, FromQuery()]) -> MeterPage:
    """The built-in meters and the tenant's own, by code."""
    after, now = cursor_values(_LIST, query.cursor, str), state.engine.now()
    with state.engine.reads.snapshot() as snapshot:
        own = snapshot.meter_codes(key.scope, after, rows_to_read(query.limit))
        codes = sorted([*own, *(code for code in BUILT_IN_METERS if after is None or code > after)])
        listed = [meter_of(snapshot, key.scope, code, now) for code in codes[: query.limit]]
        return MeterPage(
            position=snapshot.point().position,
            data=[view for view in listed if view is not None],
            next_cursor=cursor_text(_LIST, codes[query.limit - 1]) if len(codes) > query.limit else None,
        )


@router.post(
    "/v1/meters", response_model=MeterView, status_code=201, responses=ACCEPTED, openapi_extra=described(MeterGiven)
)
async def create_meter(
    request: Request,
    state: StateOf,
    key: Administrator,
    given: Annotated[MeterGiven, Depends(body_of(MeterGiven))],
    reason: ReasonGiven,
) -> Response:
    """Measure events of one type; events that came before are measured too."""
    fields = without_nulls(given.model_dump(exclude_unset=True, exclude={"code"}))
    return await written(
        request,
        state,
        lambda: state.engine.commands.create_meter(key.scope, given.code, fields, provenance_of(key, reason)),
        lambda snapshot: meter_of(snapshot, key.scope, given.code, state.engine.now()),
        201,
    )


@router.get(_ONE, response_model=MeterView, dependencies=[FOLDED])
def get_meter(state: StateOf, key: Reader, code: str, query: Annotated[Reading, FromQuery()]) -> MeterView:
    """One meter."""
    with state.engine.reads.snapshot() as snapshot:
        view: MeterView = found_or_404(meter_of(snapshot, key.scope, code, state.engine.now()), "meter", code)
        return view


@router.patch(_ONE, response_model=MeterView, responses=ACCEPTED, openapi_extra=described(MeterPatch, MERGE_PATCH))
async def change_meter(
    request: Request,
    state: StateOf,
    key: Administrator,
    code: str,
    patch: Annotated[MeterPatch, Depends(body_of(MeterPatch, MERGE_PATCH))],
    reason: ReasonGiven,
) -> Response:
    """A merge patch of name, description and groups; what it measures cannot change."""
    _refuse_built_in(code)
    changes = patch.model_dump(exclude_unset=True)
    return await written(
        request,
        state,
        lambda: state.engine.commands.update_meter(key.scope, code, changes, provenance_of(key, reason)),
        lambda snapshot: meter_of(snapshot, key.scope, code, state.engine.now()),
    )


@router.delete(_ONE, status_code=204, responses=ACCEPTED)
async def delete_meter(
    request: Request, state: StateOf, key: Administrator, code: str, reason: ReasonGiven
) -> Response:
    """It is shown no longer; its events stay."""
    _refuse_built_in(code)
    return await written(
        request,
        state,
        lambda: state.engine.commands.delete_meter(key.scope, code, provenance_of(key, reason)),
        lambda snapshot: None,
        204,
    )


def _refuse_built_in(code: str) -> None:
    if code in BUILT_IN_METERS:
        raise Problem("conflict", f"meter {code!r} is built in: it cannot be changed or deleted")
