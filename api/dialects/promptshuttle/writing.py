"""Carrying out commands for this dialect: wait for the fold, then answer what was made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from starlette.responses import Response

from api.http.folded_answers import answer_folded, json_response
from api.http.reading import Reading
from api.http.state import ApiState
from consumers.commands.handler import CommandResult
from domain.event import Provenance
from projections.queries.api_keys import ApiKeyRecord

DIALECT: Final = "promptshuttle"


def provenance_of(key: ApiKeyRecord) -> Provenance:
    """The provenance of a change by this key through this dialect."""
    return Provenance(key.key_id, DIALECT)


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

    def shown(asked: Reading) -> Response:
        found = show(asked)
        return Response(None, status, asked.headers()) if found is None else json_response(found, asked, status)

    return await answer_folded(state, key.scope, command, shown)
