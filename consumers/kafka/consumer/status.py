"""Status files of consumer processes: a small file each in the data folder, which the owner of the folder reads.

`consumers/<name>.json` is replaced as a whole, about once a second. A file older than `STALE_SECONDS` was left by a
process that has died or hangs; one older than `KEPT_SECONDS` is ignored.
"""

from __future__ import annotations

import os
import re
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from domain.errors import InvalidInput

FOLDER_NAME: Final = "consumers"
STALE_SECONDS: Final = 15.0
KEPT_SECONDS: Final = 24 * 3600.0
#: Files that are read at most, in the order of their names.
CONSUMERS_MAX: Final = 256
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class PartitionStatus(msgspec.Struct, frozen=True):
    """The status of one assigned partition.

    `next_offset` is the offset after the last in the log, `end_offset` the broker's end; None while unknown.
    `lag_seconds` is 0 when nothing waits, else an upper bound of how long the oldest unread record has been waiting.
    `stopped` is the reason why nothing is read; None while it is read.
    """

    topic: str
    partition: int
    next_offset: int | None
    end_offset: int | None
    lag_positions: int
    lag_seconds: float
    paused: bool
    stopped: str | None = None


class ConsumerStatus(msgspec.Struct, frozen=True):
    """The status of one consumer process. Counts are since its start; `trouble` is the error after which it retries.

    `public_poll` is the reason why records are read by the slower public poll of kafka-python; None: they are not.
    """

    name: str
    pid: int
    written_at: datetime
    partitions: tuple[PartitionStatus, ...] = ()
    records: int = 0
    items_rejected: int = 0
    commands: int = 0
    appends: int = 0
    appends_fenced: int = 0
    letters_unpublished: int = 0
    fold_lag_seconds: float = 0.0
    trouble: str | None = None
    public_poll: str | None = None

    def is_stale(self, now: datetime) -> bool:
        """Whether it is so old that its process must have died or hang."""
        return (now - self.written_at).total_seconds() > STALE_SECONDS


def checked_name(name: str) -> str:
    """Return the name if it can be part of a file name; raise `InvalidInput` otherwise."""
    if _NAME.fullmatch(name) is None:
        raise InvalidInput("name", "must be 1 to 64 letters, digits, '.', '_' or '-', and start with a letter or digit")
    return name


class StatusFile:
    """The status file of one consumer."""

    def __init__(self, data_dir: Path, name: str) -> None:
        self._path = data_dir / FOLDER_NAME / f"{checked_name(name)}.json"

    def write(self, status: ConsumerStatus) -> None:
        """Replace the file. Failures are ignored: a full disk must not stop the consumer."""
        fresh = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(exist_ok=True)
            fresh.write_bytes(msgspec.json.encode(status))
            os.replace(fresh, self._path)
        except OSError:
            return

    def close(self) -> None:
        """Delete the file when the consumer has ended normally."""
        self._path.unlink(missing_ok=True)


def consumers_of(data_dir: Path, now: datetime) -> list[ConsumerStatus]:
    """Return the last statuses of the consumers of a data folder by name, without those older than `KEPT_SECONDS`."""
    found = []
    for path in sorted((data_dir / FOLDER_NAME).glob("*.json"))[:CONSUMERS_MAX]:
        try:
            status = msgspec.json.decode(path.read_bytes(), type=ConsumerStatus)
        except (OSError, msgspec.MsgspecError):
            continue
        if (now - status.written_at).total_seconds() <= KEPT_SECONDS:
            found.append(status)
    return found
