"""Parameters that routes share: a customer's id, `min_position` (wait until it is folded), `as_of` (as known then)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from anyio import to_thread
from fastapi import Depends
from starlette.requests import Request

from api.http.authentication import Reader
from api.http.problems import Problem
from api.http.state import StateOf
from domain.values.field_rules import instant
from domain.values.identifiers import checked_id
from projections.queries.snapshot import Snapshot

POSITION_DIGITS_MAX = 18


async def _folded_far_enough(request: Request, state: StateOf, key: Reader) -> None:
    """Wait until `min_position` is folded, for a key that may read; `Problem` 503 when it is not folded in time.

    A malformed value is passed by: the validation of the query reports it.
    """
    text = request.query_params.get("min_position", "")
    if not (text.isascii() and text.isdigit() and len(text) <= POSITION_DIGITS_MAX):
        return
    if await state.fold.folded(int(text)):
        return
    if (await to_thread.run_sync(state.engine.progress)).failure is not None:
        raise Problem("fold_stopped", f"position {text} is not folded, and the fold has stopped")
    raise Problem("not_folded_yet", f"position {text} is not folded yet")


async def _checked_customer(customer_id: str) -> str:
    """Check an id from the path by the rule for all ids."""
    return checked_id("customer", customer_id)


CustomerId = Annotated[str, Depends(_checked_customer)]
#: Route dependency: wait for the parameter `min_position`.
WAIT_FOR_MIN_POSITION: Any = Depends(_folded_far_enough)


def as_of_position(snapshot: Snapshot, as_of: str | None) -> int | None:
    """Return the log position that `as_of`, an instant or a position, stands for; None means as known now."""
    if as_of is None:
        return None
    if as_of.isascii() and as_of.isdigit() and len(as_of) <= POSITION_DIGITS_MAX:
        if int(as_of) > snapshot.point().position:
            raise Problem.invalid("as_of", "must not be later than the last folded position")
        return int(as_of)
    return snapshot.position_at(datetime.fromisoformat(instant("as_of", restore_plus(as_of))))


def restore_plus(text: str) -> str:
    """Restore the + of a UTC offset that was not percent-encoded in a query and became a space."""
    head, space, tail = text.rpartition(" ")
    return f"{head}+{tail}" if space and "T" in head.upper() else text
