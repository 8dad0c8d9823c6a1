"""Events that record what became of a received command."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from domain.event import LifecycleEvent

CommandVerdict = Literal["honoured", "duplicate", "refused"]

#: Topics of these events in the log, which never change.
COMMAND_HONOURED: Final = "command.honoured"


class CommandHonoured(LifecycleEvent, frozen=True, kw_only=True):
    """The command with this identity was carried out. Its stream has no other record: nobody carries it out again.

    A tombstone has no identity: `source` and `id` are empty, and its stream names the record.
    """

    tenant: str
    environment: str
    source: str
    id: str
    kind: str  # customer.create ...


class CommandRecord(msgspec.Struct, frozen=True, array_like=True):
    """What became of one command of an append. `source` and `id` are None for a tombstone, which has neither, and where
    they cannot be ids."""

    offset: int
    index: int  # its place in a batched record
    kind: str
    source: str | None
    id: str | None
    outcome: CommandVerdict
    reason: str | None = None
