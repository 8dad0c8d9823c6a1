"""Carrying out commands for dialects, whose clients know no 202: wait for the fold, then answer what was made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from anyio import to_thread
from starlette.responses import Response

from api.http.headers.unknown_cost import unknown_cost_header
from api.http.problems import Problem
from api.http.reading import AskedAsOf, Reading, reading
from api.http.state import ApiState
from consumers.commands.handler import CommandResult
from domain.scope import Scope


def json_response(body: Any, asked: Reading, status: int = 200, cost_unknown_events: int = 0) -> Response:
    """Make a response with a JSON body, and headers with the position and the time that it is true for.

    `cost_unknown_events`: those that are not in the sums of money of the body; another header tells them.
    """
    headers = asked.headers() | unknown_cost_header(cost_unknown_events)
    return Response(msgspec.json.encode(body), status, headers, "application/json")


def late_problem(message: str) -> Exception:
    """Make the problem of a change that is stored, but not folded in time."""
    return Problem("not_folded_yet", message)


async def answer_folded(
    state: ApiState,
    scope: Scope,
    command: Callable[[], Sequence[CommandResult[Any]]],
    show: Callable[[Reading], Response],
    late: Callable[[str], Exception] = late_problem,
) -> Response:
    """Carry out commands in a thread, wait until they are folded, and answer what `show` reads then.

    Raises what `late` makes of a message when they are not folded in time. They are stored durably all the same, and
    counted once the fold goes on.
    """
    results = await to_thread.run_sync(command)
    position = max((result.known_position for result in results), default=0)
    if not await state.fold.folded(position):
        raise late(f"the change is stored at log position {position}, but not folded yet: read it again later")

    def read() -> Response:
        with reading(state, AskedAsOf(), scope) as asked:
            return show(asked)

    return await to_thread.run_sync(read)
