"""Routes /budget/new, update, info, delete, list and settings. Their errors are {"detail": {"error": ...}}."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial
from tempfile import SpooledTemporaryFile
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Depends
from starlette.responses import Response, StreamingResponse

from api.dialects.litellm.budget_fields import BUDGET_MEMBERS, BadDuration, native_changes
from api.dialects.litellm.error_shapes import detail_refusal, invalid_input_refusal
from api.dialects.litellm.models.requests import BudgetDeleteRequest, BudgetNewRequest, BudgetQuery, BudgetRequest
from api.dialects.litellm.models.responses import BudgetRow
from api.dialects.litellm.request_reading import query_of, query_openapi
from api.dialects.litellm.views import budget_row
from api.dialects.litellm.writing import Shown, answer_command, new_budget_id, provenance_of, uses_seed_profile
from api.http.authentication import Administrator
from api.http.bodies import body_of, body_openapi
from api.http.folded_answers import json_response
from api.http.reading import AS_OF_HEADERS, Asked, AskedAsOf, AskedByHeaders, Reading, reading
from api.http.state import ApiState, StateOf
from consumers.commands.handler import CommandResult
from domain.budgets.commands import CreateBudget, DeleteBudget, UpdateBudgetBy
from domain.errors import AlreadyExists, InvalidInput, NotFound
from domain.scope import Scope
from projections.queries.api_keys import ApiKeyRecord
from projections.views.budgets import SharedBudgetView, shared_budget

router = APIRouter(tags=["budget management"], prefix="/budget")
#: How much of the list of all budgets is held in memory, at most; the rest is spooled to disk.
SPOOLED_BYTES_MAX: Final = 1 << 20
CHUNK_BYTES: Final = 1 << 16
_AMOUNTS: Final = ("max_budget", "soft_budget")
_REPLACED: Final = frozenset({"model_limits"})
#: The members that /budget/settings lists, in its order, with the names of their types.
_SETTINGS: Final = {
    "max_budget": "Float",
    "soft_budget": "Float",
    "max_parallel_requests": "Integer",
    "tpm_limit": "Integer",
    "rpm_limit": "Integer",
    "tpd_limit": "Integer",
    "budget_duration": "String",
    "model_max_budget": "Object",
}
_OF_A_SETTING: Final[dict[str, Any]] = {
    "stored_in_db": True,
    "field_default_value": None,
    "premium_field": False,
    "nested_fields": None,
    "field_options": None,
    "field_tab": None,
    "source": "unset",
    "editable": True,
}


@router.post("/new", summary="Create a budget", response_model=BudgetRow, openapi_extra=body_openapi(BudgetNewRequest))
async def new_budget(
    state: StateOf, key: Administrator, given: Annotated[BudgetNewRequest, Depends(body_of(BudgetNewRequest))]
) -> Response:
    """Create a shared budget that customers can refer to. 400 when the id is in use."""
    budget_id = given.budget_id or new_budget_id()
    members = {
        name: value for name, value in given.sent_members.items() if name in BUDGET_MEMBERS and value is not None
    }
    _check_amounts(state, members)

    def create() -> Sequence[CommandResult[Any]]:
        command = CreateBudget(key.scope, provenance_of(key), budget_id, _native(state, members, {}))
        try:
            return [state.engine.commands.handle(command)]
        except AlreadyExists:
            raise detail_refusal(400, f"Budget with id '{budget_id}' already exists.") from None
        except InvalidInput as problem:
            raise invalid_input_refusal(problem) from None

    return await answer_command(state, key, create, _shown(key, budget_id))


@router.post(
    "/update", summary="Change a budget", response_model=BudgetRow | None, openapi_extra=body_openapi(BudgetNewRequest)
)
async def update_budget(
    state: StateOf, key: Administrator, given: Annotated[BudgetNewRequest, Depends(body_of(BudgetNewRequest))]
) -> Response:
    """Change a budget for every customer that refers to it; null clears. The answer is null when there is no such
    budget."""
    if not given.budget_id:
        raise detail_refusal(400, "budget_id is required")
    budget_id = given.budget_id
    members = {name: value for name, value in given.sent_members.items() if name in BUDGET_MEMBERS}
    _check_amounts(state, members)

    command = UpdateBudgetBy(key.scope, provenance_of(key), budget_id, partial(_native, state, members), _REPLACED)

    def update() -> Sequence[CommandResult[Any]]:
        try:
            return [state.engine.commands.handle(command)]
        except NotFound:
            return []
        except InvalidInput as problem:
            raise invalid_input_refusal(problem) from None

    return await answer_command(state, key, update, _shown(key, budget_id))


@router.post(
    "/info",
    summary="Show budgets",
    response_model=list[BudgetRow],
    openapi_extra={"parameters": AS_OF_HEADERS, **body_openapi(BudgetRequest)},
)
def info_budget(
    state: StateOf,
    key: Administrator,
    given: Annotated[BudgetRequest, Depends(body_of(BudgetRequest))],
    known: AskedByHeaders,
) -> Response:
    """Show budgets by id; ids without a budget are left out."""
    if not given.budgets:
        raise detail_refusal(400, f"Specify list of budget id's to query. Passed in={given.budgets}")
    with reading(state, known, key.scope) as asked:
        found = asked.snapshot.facts_named(key.scope, "budget", given.budgets)
        named = [shared_budget(name, found.get(name, ()), asked.now) for name in dict.fromkeys(given.budgets)]
        return json_response([budget_row(one, asked.now) for one in named if one is not None], asked)


@router.get(
    "/list",
    summary="List budgets",
    response_model=list[BudgetRow],
    openapi_extra={"parameters": AS_OF_HEADERS},
)
def list_budget(state: StateOf, key: Administrator, known: AskedByHeaders) -> Response:
    """All budgets in order of creation, streamed."""
    with reading(state, known, key.scope) as asked:
        asked.snapshot.require_rows()
        headers, again = asked.headers(), asked.again()
    return StreamingResponse(_stream_all(state, key.scope, again), headers=headers, media_type="application/json")


@router.get(
    "/settings",
    summary="Show the settings of a budget",
    response_model=list[dict[str, Any]],
    openapi_extra=query_openapi(BudgetQuery),
)
def budget_settings(
    state: StateOf,
    key: Administrator,
    query: Annotated[BudgetQuery, Depends(query_of(BudgetQuery))],
    known: AskedByHeaders,
) -> Response:
    """The settings of a budget, with their types and values."""
    with reading(state, known, key.scope) as asked:
        budget = _budget(asked, key.scope, query.budget_id)
        row = {} if budget is None else budget_row(budget, asked.now)
        return json_response([_setting(name, row.get(name)) for name in _SETTINGS], asked)


def _setting(name: str, value: Any) -> dict[str, Any]:
    return {
        "field_name": name,
        "field_type": _SETTINGS[name],
        "field_description": BudgetNewRequest.model_fields[name].description,
        "field_value": value,
        **_OF_A_SETTING,
    }


@router.post(
    "/delete",
    summary="Delete a budget",
    response_model=BudgetRow | None,
    openapi_extra=body_openapi(BudgetDeleteRequest),
)
async def delete_budget(
    state: StateOf, key: Administrator, given: Annotated[BudgetDeleteRequest, Depends(body_of(BudgetDeleteRequest))]
) -> Response:
    """Delete a budget; customers that refer to it have none then. The answer is the deleted budget, or null when there
    was none."""
    before: list[SharedBudgetView] = []

    def delete() -> Sequence[CommandResult[Any]]:
        with reading(state, AskedAsOf(), key.scope) as asked:
            budget = _budget(asked, key.scope, given.id)
        if budget is None:
            return []
        before.append(budget)
        try:
            return [state.engine.commands.handle(DeleteBudget(key.scope, provenance_of(key), given.id))]
        except NotFound:
            before.clear()
            return []

    def show(asked: Reading) -> Shown:
        return Shown(budget_row(before[0], asked.now) if before else None)

    return await answer_command(state, key, delete, show)


def _check_amounts(state: ApiState, members: Mapping[str, Any]) -> None:
    for name in _AMOUNTS:
        amount: Decimal | None = members.get(name)
        if amount is not None and amount < 0 and not uses_seed_profile(state):
            raise detail_refusal(400, f"{name} must be a non-negative finite number. Received: {float(amount)}")


def _native(state: ApiState, members: Mapping[str, Any], current: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return native_changes(members, current, state.engine.now(), uses_seed_profile(state))
    except BadDuration as problem:
        raise detail_refusal(400, str(problem)) from None
    except InvalidInput as problem:
        raise invalid_input_refusal(problem) from None


def _budget(asked: Reading, scope: Scope, budget_id: str) -> SharedBudgetView | None:
    return shared_budget(budget_id, asked.snapshot.facts(scope, "budget", budget_id), asked.now)


def _shown(key: ApiKeyRecord, budget_id: str) -> Callable[[Reading], Shown]:
    def show(asked: Reading) -> Shown:
        budget = _budget(asked, key.scope, budget_id)
        return Shown(None if budget is None else budget_row(budget, asked.now))

    return show


def _stream_all(state: ApiState, scope: Scope, known: Asked) -> Iterator[bytes]:
    """Yield one JSON array, read at one log position. It is spooled, so that a slow client holds no snapshot open."""
    opening = b"["
    with SpooledTemporaryFile(SPOOLED_BYTES_MAX) as spooled:
        with reading(state, known, scope) as asked:
            for name, facts in asked.snapshot.all_facts(scope, "budget"):
                budget = shared_budget(name, facts, asked.now)
                if budget is not None:
                    spooled.write(opening + msgspec.json.encode(budget_row(budget, asked.now)))
                    opening = b","
        spooled.write(b"[]" if opening == b"[" else b"]")
        spooled.seek(0)
        yield from iter(partial(spooled.read, CHUNK_BYTES), b"")
