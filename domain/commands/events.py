"""Events and values that record the outcome of a received command."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from domain.event import LifecycleEvent

CommandVerdict = Literal["honoured", "duplicate", "refused"]

#: Topics of these events in the log, which never change.
COMMAND_HONOURED: Final = "command.honoured"


class CommandHonoured(LifecycleEvent, frozen=True, kw_only=True):
    """The command with this source and id was executed.

    It is the only record of its stream, which prevents a second execution. A Kafka tombstone has no identity: `source`
    and `id` are empty, and the stream names the record.
    """

    tenant: str
    environment: str
    source: str
    id: str
    kind: str  # customer.create ...


class CommandRecord(msgspec.Struct, frozen=True, array_like=True):
    """The outcome of one command of an append.

    `source` and `id` are None for a tombstone, which has neither, and for values that are not allowed as ids.
    """

    offset: int
    index: int  # its position in a batched record
    kind: str
    source: str | None
    id: str | None
    outcome: CommandVerdict
    reason: str | None = None
