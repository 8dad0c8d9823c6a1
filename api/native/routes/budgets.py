"""Routes of shared budgets (tiers)."""

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
from api.http.paging import cursor_values, page, rows_to_read
from api.http.problems import found_or_404
from api.http.reading import WAIT_FOR_MIN_POSITION, reading
from api.http.state import ApiState, StateOf
from api.http.writing import ACCEPTED, DeletedAt, ReasonGiven, answer_command, optional_instant, provenance_of
from api.native.models.budgets import BudgetGiven, BudgetPage, BudgetPatch, BudgetView
from api.native.models.field_types import AsOfPageQuery, AsOfQuery
from api.native.request_fields import shown_tier_field, tier_changes, without_nulls
from api.native.views.budgets import budget_view
from domain.budgets.commands import CreateBudget, DeleteBudget, UpdateBudget
from domain.scope import Scope
from domain.values.instants import EPOCH
from projections.queries.snapshot import Snapshot

router = APIRouter(tags=["budgets"])
_LIST: Final = "budgets"
_ONE: Final = "/v1/budgets/{budget_id:segment}"
#: Members of a body that are no fields of the budget.
_BESIDE: Final = frozenset({"id", "effective_at"})


@router.get(
    "/v1/budgets", response_model=BudgetPage, dependencies=[WAIT_FOR_MIN_POSITION], summary="List shared budgets"
)
def list_budgets(state: StateOf, key: Reader, query: Annotated[AsOfPageQuery, FromQuery()]) -> BudgetPage:
    """Shared budgets, ordered by id."""
    after = cursor_values(_LIST, query.cursor, str)
    with reading(state, query, key.scope) as asked:
        ids = asked.snapshot.ids(key.scope, "budget", after, rows_to_read(query.limit))
        shown, next_cursor = page(ids, query.limit, _LIST, lambda budget_id: budget_id)
        views = [budget_view(asked.snapshot, key.scope, budget_id, asked.now) for budget_id in shown]
        return BudgetPage(
            position=asked.position,
            now=asked.now,
            data=[view for view in views if view is not None],
            next_cursor=next_cursor,
        )


@router.post(
    "/v1/budgets",
    response_model=BudgetView,
    status_code=201,
    responses=ACCEPTED,
    openapi_extra=body_openapi(BudgetGiven),
    summary="Create a shared budget",
)
async def create_budget(
    request: Request,
    state: StateOf,
    key: Administrator,
    given: Annotated[BudgetGiven, Depends(body_of(BudgetGiven))],
    reason: ReasonGiven,
) -> Response:
    """Make a shared budget (tier) that customers can refer to by id. 409 when the id is in use."""
    effective_at = optional_instant("effective_at", given.effective_at)
    fields = without_nulls(tier_changes(given, _BESIDE))
    command = CreateBudget(key.scope, provenance_of(key, reason), given.id, fields, effective_at=effective_at)
    show = _show(state, key.scope, given.id, effective_at)
    return await answer_command(request, state, command, show, 201, _shown_in_creation)


@router.get(_ONE, response_model=BudgetView, dependencies=[WAIT_FOR_MIN_POSITION], summary="Show a shared budget")
def get_budget(state: StateOf, key: Reader, budget_id: str, query: Annotated[AsOfQuery, FromQuery()]) -> BudgetView:
    """Show one shared budget. 404 when there is none with this id."""
    with reading(state, query, key.scope) as asked:
        found = budget_view(asked.snapshot, key.scope, budget_id, asked.now)
        view: BudgetView = found_or_404(found, "budget", budget_id)
        return view


@router.patch(
    _ONE,
    response_model=BudgetView,
    responses=ACCEPTED,
    openapi_extra=body_openapi(BudgetPatch, MERGE_PATCH),
    summary="Change a shared budget",
)
async def change_budget(
    request: Request,
    state: StateOf,
    key: Administrator,
    budget_id: str,
    patch: Annotated[BudgetPatch, Depends(body_of(BudgetPatch, MERGE_PATCH))],
    reason: ReasonGiven,
) -> Response:
    """A merge patch: an absent member stays, null clears. It holds for every customer that refers to the budget. 404
    when there is no such budget."""
    changes, effective_at = tier_changes(patch, _BESIDE), optional_instant("effective_at", patch.effective_at)
    command = UpdateBudget(key.scope, provenance_of(key, reason), budget_id, changes, effective_at=effective_at)
    show = _show(state, key.scope, budget_id)
    return await answer_command(request, state, command, show, shown_field=shown_tier_field)


@router.delete(_ONE, status_code=204, responses=ACCEPTED, summary="Delete a shared budget")
async def delete_budget(
    request: Request,
    state: StateOf,
    key: Administrator,
    budget_id: str,
    reason: ReasonGiven,
    effective_at: DeletedAt,
) -> Response:
    """Delete a shared budget: its limits no longer hold for the customers that refer to it. 404 when there is none."""
    command = DeleteBudget(key.scope, provenance_of(key, reason), budget_id, effective_at=effective_at)
    return await answer_command(request, state, command)


def _show(
    state: ApiState, scope: Scope, budget_id: str, created_at: datetime | None = None
) -> Callable[[Snapshot], BudgetView | None]:
    """Show the budget as it is now; one that is created in the future, as it will be then."""
    return lambda snapshot: budget_view(snapshot, scope, budget_id, max(state.engine.now(), created_at or EPOCH))


def _shown_in_creation(field: str) -> str:
    return "id" if field == "budget_id" else shown_tier_field(field)
