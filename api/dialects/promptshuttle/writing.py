"""Carrying out commands for this dialect: wait for the fold, then answer what was made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from anyio import to_thread
from starlette.responses import Response

from api.http.problems import Problem
from api.http.reading import AskedAsOf, Reading, reading
from api.http.state import ApiState
from consumers.commands.handler import CommandResult
from domain.event import Provenance
from projections.queries.api_keys import ApiKeyRecord

DIALECT: Final = "promptshuttle"


def provenance_of(key: ApiKeyRecord) -> Provenance:
    """The provenance of a change by this key through this dialect."""
    return Provenance(key.key_id, DIALECT)


def json_response(body: Any, asked: Reading, status: int = 200) -> Response:
    """Make a response with a JSON body, and headers with the position and the time that it is true for."""
    return Response(msgspec.json.encode(body), status, asked.headers(), "application/json")


async def answer_command(
    state: ApiState,
    key: ApiKeyRecord,
    command: Callable[[], Sequence[CommandResult[Any]]],
    show: Callable[[Reading], Any],
    status: int,
) -> Response:
    """Carry out commands, wait until they are folded, and answer what `show` reads then; None: an empty body.

    `Problem` 503 when they are not folded in time. They are stored durably all the same, and counted once the fold
    goes on.
    """
    results = await to_thread.run_sync(command)
    position = max((result.position for result in results if result.position is not None), default=None)
    if position is not None and not await state.fold.folded(position):
        detail = f"the change is stored at log position {position}, but not folded yet: read it again later"
        raise Problem("not_folded_yet", detail)

    def read() -> Response:
        with reading(state, AskedAsOf(), key.scope) as asked:
            shown = show(asked)
            return (
                Response(status_code=status, headers=asked.headers())
                if shown is None
                else json_response(shown, asked, status)
            )

    return await to_thread.run_sync(read)
