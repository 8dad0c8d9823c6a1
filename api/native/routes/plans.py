"""Routes of plans: what usage costs the customers that are subscribed to them."""

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
from api.native.models.charging.plans import PlanGiven, PlanPage, PlanPatch, PlanView
from api.native.models.field_types import AsOfPageQuery, AsOfQuery
from api.native.request_fields import without_nulls
from api.native.views.plans import plan_of
from domain.plans.commands import CreatePlan, DeletePlan, UpdatePlan
from domain.scope import Scope
from domain.values.instants import EPOCH
from projections.queries.snapshot import Snapshot

router = APIRouter(tags=["plans"])
_LIST: Final = "plans"
_ONE: Final = "/v1/plans/{code:segment}"


@router.get("/v1/plans", response_model=PlanPage, dependencies=[WAIT_FOR_MIN_POSITION], summary="List plans")
def list_plans(state: StateOf, key: Reader, query: Annotated[AsOfPageQuery, FromQuery()]) -> PlanPage:
    """Plans, ordered by code; deleted ones are left out."""
    after = cursor_values(_LIST, query.cursor, str)
    with reading(state, query, key.scope) as asked:
        codes = asked.snapshot.ids(key.scope, "plan", after, rows_to_read(query.limit))
        listed = [plan_of(asked.snapshot, key.scope, code, asked.now) for code in codes[: query.limit]]
        return PlanPage(
            position=asked.position,
            now=asked.now,
            data=[plan for plan in listed if plan is not None],
            next_cursor=cursor_text(_LIST, codes[query.limit - 1]) if len(codes) > query.limit else None,
        )


@router.post(
    "/v1/plans",
    response_model=PlanView,
    status_code=201,
    responses=ACCEPTED,
    openapi_extra=body_openapi(PlanGiven),
    summary="Create a plan",
)
async def create_plan(
    request: Request,
    state: StateOf,
    key: Administrator,
    given: Annotated[PlanGiven, Depends(body_of(PlanGiven))],
    reason: ReasonGiven,
) -> Response:
    """Make a plan: how often it bills, in what currency, and what the usage of meters costs. 409 when the code is in
    use."""
    effective_at = optional_instant("effective_at", given.effective_at)
    fields = without_nulls(given.model_dump(exclude_unset=True, exclude={"code", "effective_at"}))
    command = CreatePlan(key.scope, provenance_of(key, reason), given.code, fields, effective_at=effective_at)
    return await answer_command(request, state, command, _show(state, key.scope, given.code, effective_at), 201)


@router.get(_ONE, response_model=PlanView, dependencies=[WAIT_FOR_MIN_POSITION], summary="Show a plan")
def get_plan(state: StateOf, key: Reader, code: str, query: Annotated[AsOfQuery, FromQuery()]) -> PlanView:
    """Show one plan. 404 when there is none with this code."""
    with reading(state, query, key.scope) as asked:
        view: PlanView = found_or_404(plan_of(asked.snapshot, key.scope, code, asked.now), "plan", code)
        return view


@router.patch(
    _ONE,
    response_model=PlanView,
    responses=ACCEPTED,
    openapi_extra=body_openapi(PlanPatch, MERGE_PATCH),
    summary="Change a plan",
)
async def change_plan(
    request: Request,
    state: StateOf,
    key: Administrator,
    code: str,
    patch: Annotated[PlanPatch, Depends(body_of(PlanPatch, MERGE_PATCH))],
    reason: ReasonGiven,
) -> Response:
    """A merge patch of name, description, fee and charges: an absent member stays, null clears. Open periods are priced
    by the plan as it is, ended ones as it was at their end. 404 when there is no such plan."""
    changes = patch.model_dump(exclude_unset=True, exclude={"effective_at"})
    effective_at = optional_instant("effective_at", patch.effective_at)
    command = UpdatePlan(key.scope, provenance_of(key, reason), code, changes, effective_at=effective_at)
    return await answer_command(request, state, command, _show(state, key.scope, code))


@router.delete(_ONE, status_code=204, responses=ACCEPTED, summary="Delete a plan")
async def delete_plan(
    request: Request,
    state: StateOf,
    key: Administrator,
    code: str,
    reason: ReasonGiven,
    effective_at: DeletedAt,
) -> Response:
    """Delete a plan: its subscriptions have no charges from then on. 404 when there is no such plan."""
    command = DeletePlan(key.scope, provenance_of(key, reason), code, effective_at=effective_at)
    return await answer_command(request, state, command)


def _show(
    state: ApiState, scope: Scope, code: str, created_at: datetime | None = None
) -> Callable[[Snapshot], PlanView | None]:
    """Show the plan as it is now; one that is created in the future, as it will be then."""
    return lambda snapshot: plan_of(snapshot, scope, code, max(state.engine.now(), created_at or EPOCH))
