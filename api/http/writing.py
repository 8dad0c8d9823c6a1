"""How a command is answered: after it is folded, with what it made; or with its position only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any, Final

from anyio import to_thread
from fastapi import Depends, Header
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from api.http.problems import Problem
from api.http.state import ApiState
from consumers.commands.handler import CommandResult
from domain.errors import InvalidInput
from domain.event import Provenance
from domain.values.field_rules import instant
from projections.queries.api_keys import ApiKeyRecord
from projections.queries.snapshot import Snapshot

POSITION_HEADER: Final = "Meterfold-Position"
REASON_LENGTH_MAX: Final = 1_000


class Accepted(BaseModel):
    """Stored for good, not counted yet."""

    position: int = Field(description="Log position of it; ask with `min_position` to wait until it is counted.")


ACCEPTED: Final[dict[int | str, dict[str, Any]]] = {
    202: {"model": Accepted, "description": "Stored for good, but not counted within the time a request may wait."}
}


async def _reason(
    reason: Annotated[
        str | None,
        Header(alias="X-Meterfold-Reason", max_length=REASON_LENGTH_MAX, description="Why; kept with the change."),
    ] = None,
) -> str | None:
    return reason


ReasonGiven = Annotated[str | None, Depends(_reason)]


def provenance_of(key: ApiKeyRecord, reason: str | None = None) -> Provenance:
    """A change by this key, through the native API."""
    return Provenance(key.key_id, "native", reason)


def instant_given(field: str, text: str | None) -> datetime | None:
    """An RFC 3339 instant of a request."""
    return None if text is None else datetime.fromisoformat(instant(field, text))


@contextmanager
def named_as(shown: Callable[[str], str]) -> Iterator[None]:
    """Rules broken in here name fields as the caller wrote them."""
    try:
        yield
    except InvalidInput as error:
        raise Problem.invalid(shown(error.field), error.rule, error.code) from None


def wants_async(request: Request) -> bool:
    """Whether the header Prefer asks for an answer before the fold."""
    preferences = ",".join(request.headers.getlist("prefer")).split(",")
    return any(preference.partition(";")[0].strip().lower() == "respond-async" for preference in preferences)


def accepted(position: int, preferred: bool) -> Response:
    """202: durable, not yet counted."""
    headers = {POSITION_HEADER: str(position)}
    if preferred:
        headers["Preference-Applied"] = "respond-async"
    return JSONResponse({"position": position}, 202, headers)


async def written(
    request: Request,
    state: ApiState,
    command: Callable[[], CommandResult[Any]],
    show: Callable[[Snapshot], BaseModel | None],
    status: int = 200,
) -> Response:
    """Carry out a command, wait for the fold, show what it made (None: 204). 202 when it was not folded in time."""
    result = await to_thread.run_sync(command)
    if result.position is not None:
        preferred = wants_async(request)
        if preferred or not await state.fold.folded(result.position):
            return accepted(result.position, preferred)
    return await to_thread.run_sync(_shown, state, result.position, show, status)


def _shown(
    state: ApiState, position: int | None, show: Callable[[Snapshot], BaseModel | None], status: int
) -> Response:
    with state.engine.reads.snapshot() as snapshot:
        view = show(snapshot)
        headers = {POSITION_HEADER: str(position or snapshot.point().position)}
    if view is None:
        return Response(status_code=204, headers=headers)
    return Response(view.model_dump_json(by_alias=True), status, headers, "application/json")
