"""What all writes of this dialect share: the fold is waited for, then the answer is read from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4

import msgspec
from anyio import to_thread
from starlette.responses import Response

from api.dialects.litellm.budget_fields import DIALECT
from api.dialects.litellm.error_shapes import error
from api.http.state import ApiState
from api.http.writing import POSITION_HEADER
from consumers.commands.handler import CommandResult
from domain.event import Provenance
from domain.scope import Scope
from projections.queries.api_keys import ApiKeyRecord
from projections.queries.snapshot import Snapshot
from projections.views.budget_list import BudgetedCustomer, budgeted_customers

RETRY_AFTER_SECONDS: Final = "1"


def provenance_of(key: ApiKeyRecord) -> Provenance:
    """A change by this key, through this dialect."""
    return Provenance(key.key_id, DIALECT)


def is_seed(state: ApiState) -> bool:
    """Whether the status codes are those of LiteLLM 1.71."""
    return state.engine.settings.litellm_profile == "seed"


def fresh_id() -> str:
    """The id of a budget that nobody named."""
    made: UUID = uuid4()
    return str(made)


def json_answer(body: Any, position: int | None = None) -> Response:
    headers = {} if position is None else {POSITION_HEADER: str(position)}
    return Response(msgspec.json.encode(body), 200, headers, "application/json")


async def written(
    state: ApiState, command: Callable[[], Sequence[CommandResult[Any]]], show: Callable[[Snapshot], Any]
) -> Response:
    """Carry out commands, wait until all is folded, and answer what `show` reads then.

    503 when it was not folded in time: what was asked for is stored for good, and counts as soon as the fold goes on.
    """
    results = await to_thread.run_sync(command)
    position = max((result.position for result in results if result.position is not None), default=None)
    if position is not None and not await state.fold.folded(position):
        told = f"this is stored at log position {position}, but not folded yet: read it again later"
        raise error(503, "service_unavailable", told, headers={"Retry-After": RETRY_AFTER_SECONDS})

    def read() -> Any:
        with state.engine.reads.snapshot() as snapshot:
            return show(snapshot)

    return json_answer(await to_thread.run_sync(read), position)


def customer_now(snapshot: Snapshot, scope: Scope, customer_id: str, now: datetime) -> BudgetedCustomer | None:
    """The customer, created or known by its usage; None when there is none now."""
    record = snapshot.customer(scope, customer_id)
    found = [] if record is None else budgeted_customers(snapshot, scope, [record], now)
    return found[0] if found else None
