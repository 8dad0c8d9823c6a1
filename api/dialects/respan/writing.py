"""Carrying out commands for this dialect: wait for the fold, then answer what was made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from anyio import to_thread
from starlette.responses import Response

from api.http.problems import Problem
from api.http.reading import AskedAsOf, Reading, reading
from api.http.state import ApiState
from consumers.commands.handler import CommandResult
from domain.scope import Scope


def json_response(body: Any, asked: Reading, status: int = 200) -> Response:
    """Make a response with a JSON body, and headers with the position and the time that it is true for."""
    return Response(msgspec.json.encode(body), status, asked.headers(), "application/json")


async def answer_command(
    state: ApiState,
    scope: Scope,
    command: Callable[[], CommandResult[Any]],
    show: Callable[[Reading], Response],
) -> Response:
    """Carry out a command in a thread, wait until it is folded, and answer what `show` reads then.

    503 when it is not folded in time. It is stored durably all the same, and counted once the fold goes on.
    """
    result = await to_thread.run_sync(command)
    if result.position is not None and not await state.fold.folded(result.position):
        raise Problem(
            "not_folded_yet",
            f"the change is stored at log position {result.position}, but not folded yet: read it again later",
        )

    def read() -> Response:
        with reading(state, AskedAsOf(), scope) as asked:
            return show(asked)

    return await to_thread.run_sync(read)
