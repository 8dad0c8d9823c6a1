"""Carrying out commands for this dialect: wait for the fold, then answer what was made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from starlette.responses import Response

from api.http.folded_answers import answer_folded, json_response
from api.http.reading import Reading
from api.http.state import ApiState
from consumers.commands.handler import CommandResult
from domain.errors import AlreadyExists, ChangedMeanwhile, NotFound
from projections.queries.api_keys import ApiKeyRecord

#: How often a change is decided on, when what it concerns is created, changed or deleted meanwhile.
_TRIES: Final = 20

Result = TypeVar("Result")


def decided_again(state: ApiState, decide: Callable[[], Result]) -> Result:
    """Call `decide`, and again when what it concerns was created, changed or deleted since it was read.

    Each time what came first is folded by then. The last refusal is raised.
    """
    for _ in range(_TRIES - 1):
        try:
            return decide()
        except (AlreadyExists, ChangedMeanwhile, NotFound):
            state.engine.wait_folded(state.engine.progress().head, state.engine.settings.http_write_wait_seconds_max)
    return decide()


async def answer_command(
    state: ApiState,
    key: ApiKeyRecord,
    command: Callable[[], Sequence[CommandResult[Any]]],
    show: Callable[[Reading], Any],
) -> Response:
    """Carry out commands, wait until they are folded, and answer 200 with the body that `show` reads then.

    503 when they are not folded in time. They are stored durably all the same, and counted once the fold goes on.
    """
    return await answer_folded(state, key.scope, command, lambda asked: json_response(show(asked), asked))
