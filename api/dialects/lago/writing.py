"""Carrying out commands for this dialect: wait for the fold, then answer what was made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from starlette.responses import Response

from api.http.folded_answers import answer_folded, json_response
from api.http.reading import Reading
from api.http.state import ApiState
from consumers.commands.handler import CommandResult
from projections.queries.api_keys import ApiKeyRecord


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
