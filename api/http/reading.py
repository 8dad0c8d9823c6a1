"""What reads have in common: a snapshot that is late enough, and the past as it was known."""

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
from projections.queries.snapshot import Snapshot

POSITION_DIGITS_MAX = 18


async def _folded_far_enough(request: Request, state: StateOf, key: Reader) -> None:
    """Wait for `min_position`; without a thread, and only for who may read. Its form is checked with the query."""
    text = request.query_params.get("min_position", "")
    if not (text.isascii() and text.isdigit() and len(text) <= POSITION_DIGITS_MAX):
        return
    if await state.fold.folded(int(text)):
        return
    if (await to_thread.run_sync(state.engine.progress)).failure is not None:
        raise Problem("fold_stopped", f"position {text} is not folded, and the fold stands still")
    raise Problem("not_folded_yet", f"position {text} is not folded yet")


FOLDED: Any = Depends(_folded_far_enough)
FoldedFarEnough = Annotated[None, FOLDED]


def as_of_position(snapshot: Snapshot, as_of: str | None) -> int | None:
    """The position that `as_of` means; None: as known now."""
    if as_of is None:
        return None
    if as_of.isascii() and as_of.isdigit() and len(as_of) <= POSITION_DIGITS_MAX:
        if int(as_of) > snapshot.point().position:
            raise Problem.invalid("as_of", "is not later than the last folded position")
        return int(as_of)
    return snapshot.position_at(datetime.fromisoformat(instant("as_of", repaired(as_of))))


def repaired(text: str) -> str:
    """An instant from a query in which the + of the offset was not encoded and became a space."""
    head, space, tail = text.rpartition(" ")
    return f"{head}+{tail}" if space and "T" in head.upper() else text
