"""Carrying out a command for a request: wait for the fold, then answer with what the command made.

Where the client does not want to wait (`Prefer: respond-async`), or the fold takes too long, the answer is 202 with the
log position.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Annotated, Any, Final

from anyio import to_thread
from fastapi import Depends, Header, Query
from pydantic import BaseModel, Field, WithJsonSchema
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from api.http.problems import Problem
from api.http.query_instants import INSTANT_OR_DAY, given_instant, is_day, local_midnight, optional_query_instant
from api.http.reading import POSITION_HEADER
from api.http.state import ApiState
from domain.command import Command
from domain.commands.received import REASON_LENGTH_MAX, reason_or_none
from domain.errors import InvalidInput
from domain.event import Provenance
from projections.queries.api_keys import ApiKeyRecord
from projections.queries.snapshot import Snapshot

#: The header with the reason for a change.
REASON_HEADER: Final = "X-Meterfold-Reason"


class Accepted(BaseModel):
    """The body of a 202: stored durably, not counted yet."""

    position: int = Field(
        description="Log position of what was stored; a read with `min_position` waits until it is counted."
    )


ACCEPTED: Final[dict[int | str, dict[str, Any]]] = {
    202: {
        "model": Accepted,
        "description": "Stored durably, but not counted yet: the request asked not to wait, or waited too long.",
    }
}


#: The header of a reason. Its length is that of the text which its bytes are, not that of the bytes.
_ReasonHeader = Annotated[str, WithJsonSchema({"type": "string", "maxLength": REASON_LENGTH_MAX})]


async def _reason(
    request: Request,
    reason: Annotated[
        _ReasonHeader | None,
        Header(alias=REASON_HEADER, description="Reason for the change; stored with it."),
    ] = None,
) -> str | None:
    if "reason" in request.query_params:  # which would be lost
        raise Problem.invalid("reason", f"belongs into the header {REASON_HEADER}, not into the query")
    if reason is None:
        return None
    with suppress(UnicodeDecodeError):  # a client that does not send UTF-8
        reason = reason.encode("latin-1").decode()
    if len(reason) > REASON_LENGTH_MAX:
        raise Problem.invalid(REASON_HEADER, f"must have at most {REASON_LENGTH_MAX} characters")
    return reason_or_none(reason)


ReasonGiven = Annotated[str | None, Depends(_reason)]


async def _deleted_at(
    effective_at: Annotated[
        str | None,
        Query(description="When the deletion takes effect, RFC 3339, not in the future. Default: now."),
    ] = None,
) -> datetime | None:
    return optional_query_instant("effective_at", effective_at)


#: The instant of a deletion, from the query.
DeletedAt = Annotated[datetime | None, Depends(_deleted_at)]


def provenance_of(key: ApiKeyRecord, reason: str | None = None) -> Provenance:
    """The provenance of a change by this key through the native API."""
    return Provenance(key.key_id, "native", reason)


def optional_instant(field: str, text: str | None) -> datetime | None:
    """Parse an RFC 3339 instant of a request; None stays None."""
    return None if text is None else given_instant(field, text)


def bound(field: str, text: str) -> datetime:
    """Parse the bound of a time in a body: an RFC 3339 instant, or a day, which stands for its midnight in UTC."""
    return local_midnight(field, text, "UTC") if is_day(text) else given_instant(field, text, INSTANT_OR_DAY)


def optional_bound(field: str, text: str | None) -> datetime | None:
    """Parse the bound of a time in a body; None stays None."""
    return None if text is None else bound(field, text)


@contextmanager
def renaming_fields(shown: Callable[[str], str]) -> Iterator[None]:
    """Turn `InvalidInput` of the domain into `Problem` 422, with fields named as in the request (`shown`)."""
    try:
        yield
    except InvalidInput as error:
        raise Problem.invalid(shown(error.field), error.rule, error.code) from None


def wants_async(request: Request) -> bool:
    """Whether the request has `Prefer: respond-async`, which asks for an answer before the fold."""
    preferences = ",".join(request.headers.getlist("prefer")).split(",")
    return any(preference.partition(";")[0].strip().lower() == "respond-async" for preference in preferences)


def accepted(position: int, preferred: bool) -> Response:
    """Make the 202 response; `preferred` tells that the client asked for it."""
    headers = {POSITION_HEADER: str(position)}
    if preferred:
        headers["Preference-Applied"] = "respond-async"
    return JSONResponse({"position": position}, 202, headers)


def _nothing(snapshot: Snapshot) -> None:
    """Show nothing, which is answered 204."""


async def answer_command(
    request: Request,
    state: ApiState,
    command: Command[Any],
    show: Callable[[Snapshot], BaseModel | None] = _nothing,
    status: int = 200,
    shown_field: Callable[[str], str] = str,
    show_state: Callable[[Any], Callable[[Snapshot], BaseModel | None]] | None = None,
) -> Response:
    """Hand a command to the handler, and answer with what it made.

    `show_state` takes the place of `show` where this depends on the state that the command answers.

    1. Handle the command, in a thread. Fields of errors are named by `shown_field`.
    2. Wait until its position is folded, or what made it needless; 202 when the client prefers that, or when it is not
       folded in time.
    3. Show what it made, read from a snapshot: `status` with the view, or 204 when `show` returns None.
    """
    with renaming_fields(shown_field):
        result = await to_thread.run_sync(state.engine.commands.handle, command)
    preferred = wants_async(request)
    if preferred or not await state.fold.folded(result.known_position):
        return accepted(result.known_position, preferred)
    if show_state is not None:
        show = show_state(result.state)
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
