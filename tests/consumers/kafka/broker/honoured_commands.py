"""The outcomes of all commands, read from the log."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from domain.commands.events import CommandRecord
from domain.log.event_codec import decode_lifecycle
from domain.log.sqlite.event_log import SQLiteEventLog
from domain.sources.events import PartitionConsumed

PAGE_RECORDS = 500


class RecordedCommand(msgspec.Struct, frozen=True):
    """A command as recorded with its poll."""

    stream: str
    command: CommandRecord

    @property
    def origin(self) -> tuple[str, int, int]:
        """Its stream, offset and index, which identify the delivery."""
        return self.stream, self.command.offset, self.command.index


def recorded_commands(folder: Path) -> Iterator[RecordedCommand]:
    """Every delivery of a command in the log of a data folder, in log order."""
    log = SQLiteEventLog(folder / "log.sqlite")
    try:
        position = 0
        while page := log.read(position, PAGE_RECORDS):
            for record in page:
                if record.topic == "source.consumed":
                    consumed = decode_lifecycle(record.topic, record.state)
                    assert isinstance(consumed, PartitionConsumed)
                    yield from (RecordedCommand(record.stream, command) for command in consumed.commands)
            position = page[-1].position
    finally:
        log.close()
