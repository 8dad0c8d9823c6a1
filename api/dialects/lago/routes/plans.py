"""Routes of plans, with their charges."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from starlette.responses import Response

import api.http.middleware.raw_paths  # noqa: F401 -- registers the parameter type `segment`
from api.dialects.lago.definitions.charges import Details
from api.dialects.lago.definitions.metrics import Metric, metrics_by_code, metrics_by_lago_id, newest_first
from api.dialects.lago.definitions.plans import metric_ids, plan_changes, plan_fields, shown_field, with_changes
from api.dialects.lago.error_shapes import ALREADY_EXISTS, not_found, validation_refusal
from api.dialects.lago.keys import provenance_of
from api.dialects.lago.models.plans import PlanAnswer, PlanInput, PlanPage, PlanPatch
from api.dialects.lago.paging import PAGE_PARAMETERS, PageAsked
from api.dialects.lago.paths import BASE
from api.dialects.lago.readings.counts import Counts
from api.dialects.lago.request_reading import wrapped_body, wrapped_openapi
from api.dialects.lago.views.plans import plan_object
from api.dialects.lago.writing import answer_command, decided_again
from api.http.authentication import Administrator, Reader
from api.http.folded_answers import json_response
from api.http.reading import AS_OF_HEADERS, AskedAsOf, AskedByHeaders, Reading, reading
from api.http.state import ApiState, StateOf
from api.http.writing import renaming_fields
from consumers.commands.handler import CommandResult
from domain.command import Command
from domain.errors import AlreadyExists, NotFound
from domain.facts.in_effect import existing_at
from domain.plans.commands import CreatePlan, DeletePlan, UpdatePlan
from domain.scope import Scope
from projections.queries.api_keys import ApiKeyRecord
from projections.views.charging.plans import PlanView, plan_view

router = APIRouter(tags=["plans"])
_ALL: Final = f"{BASE}/plans"
ONE_PLAN: Final = f"{_ALL}/{{code:segment}}"
_NAME: Final = "plan"
#: What Lago says of metrics that a plan names and that do not exist.
_METRICS: Final = "billable_metrics"


@router.post(_ALL, response_model=PlanAnswer, openapi_extra=wrapped_openapi(_NAME, PlanInput), summary="Create a plan")
async def create_plan(
    state: StateOf, key: Administrator, given: Annotated[PlanInput, Depends(wrapped_body(_NAME, PlanInput))]
) -> Response:
    """Make a plan with its charges. 404 when there is no metric with a `billable_metric_id`, 422 when the code is in
    use and for what would change an amount and is not served."""

    def create() -> Sequence[CommandResult[Any]]:
        details: Details = {}
        fields = plan_fields(given, _named_metrics(state, key.scope, given), details)
        if details:
            raise validation_refusal(details)
        return _handled(state, CreatePlan(key.scope, provenance_of(key), given.code, fields))

    return await answer_command(state, key, create, lambda asked: _answer(asked, key.scope, given.code))


@router.get(
    _ALL,
    response_model=PlanPage,
    openapi_extra={"parameters": [*PAGE_PARAMETERS, *AS_OF_HEADERS]},
    summary="List plans",
)
def find_all_plans(state: StateOf, key: Reader, page: PageAsked, known: AskedByHeaders) -> Response:
    """List plans, the last created first."""
    with reading(state, known, key.scope) as asked:
        codes = newest_first(asked.snapshot, key.scope, "plan", asked.now)
        shown = codes[page.offset : page.offset + page.per_page]
        facts = asked.snapshot.facts_named(key.scope, "plan", shown)
        plans = (plan_view(code, facts.get(code, ()), asked.now) for code in shown)
        listed = _objects(asked, key.scope, [plan for plan in plans if plan is not None])
        return json_response({"plans": listed, "meta": page.meta(len(codes))}, asked)


@router.get(ONE_PLAN, response_model=PlanAnswer, openapi_extra={"parameters": AS_OF_HEADERS}, summary="Find a plan")
def find_plan(state: StateOf, key: Reader, code: str, known: AskedByHeaders) -> Response:
    """Show a plan. 404 when there is none with this code."""
    with reading(state, known, key.scope) as asked:
        return json_response(_answer(asked, key.scope, code), asked)


@router.put(
    ONE_PLAN, response_model=PlanAnswer, openapi_extra=wrapped_openapi(_NAME, PlanPatch), summary="Update a plan"
)
async def update_plan(
    state: StateOf,
    key: Administrator,
    code: str,
    given: Annotated[PlanPatch, Depends(wrapped_body(_NAME, PlanPatch))],
) -> Response:
    """Change the members that are given; `charges` replaces all of them, and one with the `id` of a charge changes that
    one. Open periods are priced by the plan as it is, ended ones as it was at their end. Code, interval and currency
    cannot change. 404 when there is no such plan."""

    def change() -> Sequence[CommandResult[Any]]:
        return change_plan(state, key, code, lambda shown: given)

    return await answer_command(state, key, change, lambda asked: _answer(asked, key.scope, code))


@router.delete(ONE_PLAN, response_model=PlanAnswer, summary="Delete a plan")
async def destroy_plan(state: StateOf, key: Administrator, code: str) -> Response:
    """Delete a plan: its subscriptions have no charges from then on. 404 when there is no such plan."""
    shown: list[dict[str, Any]] = []

    def delete() -> Sequence[CommandResult[Any]]:
        shown.append(_shown_and_stored(state, key.scope, code)[0])
        return _handled(state, DeletePlan(key.scope, provenance_of(key), code))

    return await answer_command(state, key, delete, lambda asked: {_NAME: shown[0]})


def change_plan(
    state: ApiState, key: ApiKeyRecord, code: str, change: Callable[[dict[str, Any]], PlanPatch]
) -> Sequence[CommandResult[Any]]:
    """Change a plan, from what it is shown as now; 404 when it does not exist, 409 when others go on changing it."""
    return decided_again(state, lambda: _changed_plan(state, key, code, change))


def _changed_plan(
    state: ApiState, key: ApiKeyRecord, code: str, change: Callable[[dict[str, Any]], PlanPatch]
) -> Sequence[CommandResult[Any]]:
    shown, stored = _shown_and_stored(state, key.scope, code)
    details: Details = {}
    given = change(shown)
    after = with_changes(shown, given)
    fields = plan_fields(after, _named_metrics(state, key.scope, after), details)
    if given.charges is None:
        fields["charges"] = stored.get("charges", [])
    changes = plan_changes(code, stored, after, fields, details)
    if details:
        raise validation_refusal(details)
    read = {name: stored.get(name) for name in changes}
    return _handled(state, UpdatePlan(key.scope, provenance_of(key), code, changes, read))


def remove_charges_by(state: ApiState, key: ApiKeyRecord, meter: str) -> list[CommandResult[Any]]:
    """Remove the charges by a meter from every plan. `ChangedMeanwhile` when a plan was changed since it was read."""
    with reading(state, AskedAsOf(), key.scope) as asked:
        plans = [
            (code, plan.fields.get("charges", ()))
            for code, facts in asked.snapshot.all_facts(key.scope, "plan")
            if (plan := existing_at(facts, asked.now)) is not None
        ]
    removed: list[CommandResult[Any]] = []
    for code, charges in plans:
        left = [one for one in charges if one["meter"] != meter]
        if len(left) < len(charges):
            change = UpdatePlan(key.scope, provenance_of(key), code, {"charges": left}, {"charges": charges})
            removed.append(state.engine.commands.handle(change))
    return removed


def shown_plan(asked: Reading, scope: Scope, code: str) -> dict[str, Any]:
    """The JSON object of a plan; 404 `plan_not_found` when it does not exist then."""
    return _objects(asked, scope, [_plan_then(asked, scope, code)])[0]


def _plan_then(asked: Reading, scope: Scope, code: str) -> PlanView:
    plan = plan_view(code, asked.snapshot.facts(scope, "plan", code), asked.now)
    if plan is None:
        raise not_found(_NAME)
    return plan


def _answer(asked: Reading, scope: Scope, code: str) -> dict[str, Any]:
    return {_NAME: shown_plan(asked, scope, code)}


def _objects(asked: Reading, scope: Scope, plans: Sequence[PlanView]) -> list[dict[str, Any]]:
    codes = (charge.meter for plan in plans for charge in plan.charges)
    metrics = metrics_by_code(asked.snapshot, scope, codes, asked.now)
    counts = Counts(asked, scope)
    return [plan_object(scope, plan, metrics) | counts.of_plan(plan.code) for plan in plans]


def _shown_and_stored(state: ApiState, scope: Scope, code: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A plan as it is shown now, and its stored fields; 404 when it does not exist."""
    with reading(state, AskedAsOf(), scope) as asked:
        state_now = existing_at(asked.snapshot.facts(scope, "plan", code), asked.now)
        shown = shown_plan(asked, scope, code)
    return shown, dict(state_now.fields) if state_now is not None else {}


def _named_metrics(state: ApiState, scope: Scope, given: PlanInput) -> dict[str, Metric]:
    """The metrics that charges name, by `lago_id`; 404 when there is no such one."""
    wanted = metric_ids(given)
    with reading(state, AskedAsOf(), scope) as asked:
        found = metrics_by_lago_id(asked.snapshot, scope, wanted, asked.now)
    if found.keys() != wanted:
        raise not_found(_METRICS)
    return found


def _handled(state: ApiState, command: Command[Any]) -> Sequence[CommandResult[Any]]:
    handle: Callable[[Command[Any]], CommandResult[Any]] = state.engine.commands.handle
    try:
        with renaming_fields(shown_field):
            return [handle(command)]
    except AlreadyExists:
        raise validation_refusal({"code": [ALREADY_EXISTS]}) from None
    except NotFound:
        raise not_found(_NAME) from None
