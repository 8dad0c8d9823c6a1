"""Carrying out commands for this dialect: wait for the fold, then answer what was made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final
from uuid import UUID, uuid4

import msgspec
from starlette.responses import Response

from api.dialects.litellm.budget_fields import DIALECT
from api.dialects.litellm.error_shapes import error_refusal
from api.http.dialect import Refusal
from api.http.folded_answers import answer_folded, json_response
from api.http.reading import Reading
from api.http.state import ApiState
from consumers.commands.handler import CommandResult
from domain.event import Provenance
from domain.scope import Scope
from projections.queries.api_keys import ApiKeyRecord
from projections.views.budget_list import BudgetedCustomer, budgeted_customer

RETRY_AFTER_SECONDS: Final = "1"


class Shown(msgspec.Struct, frozen=True):
    """The body of an answer, and the events of unknown cost that are not in the sums of money in it."""

    body: Any
    cost_unknown_events: int = 0


def provenance_of(key: ApiKeyRecord) -> Provenance:
    """The provenance of a change by this key through this dialect."""
    return Provenance(key.key_id, DIALECT)


def uses_seed_profile(state: ApiState) -> bool:
    """Whether the setting asks for the status codes of LiteLLM 1.71 (profile `seed`)."""
    return state.engine.settings.litellm_profile == "seed"


def new_budget_id() -> str:
    """A random id for a budget that was given none."""
    made: UUID = uuid4()
    return str(made)


async def answer_command(
    state: ApiState,
    key: ApiKeyRecord,
    command: Callable[[], Sequence[CommandResult[Any]]],
    show: Callable[[Reading], Shown],
) -> Response:
    """Carry out commands, wait until they are folded, and answer what `show` reads then.

    503 when they are not folded in time. They are stored durably all the same, and counted once the fold goes on.
    """

    def shown(asked: Reading) -> Response:
        found = show(asked)
        return json_response(found.body, asked, cost_unknown_events=found.cost_unknown_events)

    return await answer_folded(state, key.scope, command, shown, _late)


def _late(message: str) -> Refusal:
    return error_refusal(503, "service_unavailable", message, headers={"Retry-After": RETRY_AFTER_SECONDS})


def customer_then(asked: Reading, scope: Scope, customer_id: str) -> BudgetedCustomer | None:
    """The customer, created or known by its usage; None when it does not exist then."""
    return budgeted_customer(asked.snapshot, scope, customer_id, asked.now)
