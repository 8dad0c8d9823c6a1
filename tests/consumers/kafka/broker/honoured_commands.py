"""What the log says became of every command."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from domain.commands.events import CommandRecord
from domain.log.event_codec import decode_lifecycle
from domain.log.sqlite.event_log import SQLiteEventLog
from domain.sources.events import PartitionConsumed

PAGE_RECORDS = 500


class ToldCommand(msgspec.Struct, frozen=True):
    """A command as the record of its poll tells of it."""

    stream: str
    command: CommandRecord

    @property
    def place(self) -> tuple[str, int, int]:
        """Where it stood, which no other command did."""
        return self.stream, self.command.offset, self.command.index


def told_commands(folder: Path) -> Iterator[ToldCommand]:
    """Every delivery of a command that the log of a data folder tells of, in its order."""
    log = SQLiteEventLog(folder / "log.sqlite")
    try:
        position = 0
        while page := log.read(position, PAGE_RECORDS):
            for record in page:
                if record.topic == "source.consumed":
                    consumed = decode_lifecycle(record.topic, record.state)
                    assert isinstance(consumed, PartitionConsumed)
                    yield from (ToldCommand(record.stream, command) for command in consumed.commands)
            position = page[-1].position
    finally:
        log.close()
