"""What each consumer process tells of itself, in a small file of the data folder that the owner reads.

`consumers/<name>.json` is replaced as a whole, about once a second. A file that is older than `STALE_SECONDS` was left
by a process that is gone or hangs; one older than `KEPT_SECONDS` is of no more interest.
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
#: Files that are read at most; the newest first.
CONSUMERS_MAX: Final = 256
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class PartitionStatus(msgspec.Struct, frozen=True):
    """One assigned partition.

    `next_offset` is the one after the last in the log, `end_offset` the broker's end; None while unknown.
    `lag_seconds` is 0 when nothing waits, else at most how long the oldest unread record has been waiting.
    `stopped` says why nothing is read, if so.
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
    """One consumer process. Counts are since its start; `trouble` is what it tries to get over just now."""

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

    def is_stale(self, now: datetime) -> bool:
        return (now - self.written_at).total_seconds() > STALE_SECONDS


def checked_name(name: str) -> str:
    """The name of a consumer: it is part of a file's name and of what the broker shows."""
    if _NAME.fullmatch(name) is None:
        raise InvalidInput("name", "is 1 to 64 letters, digits, '.', '_' and '-', and starts with a letter or digit")
    return name


class StatusFile:
    """Where one consumer tells of itself."""

    def __init__(self, data_dir: Path, name: str) -> None:
        self._path = data_dir / FOLDER_NAME / f"{checked_name(name)}.json"

    def write(self, status: ConsumerStatus) -> None:
        """Replace what was told before. A disk that is full keeps nobody from consuming."""
        fresh = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(exist_ok=True)
            fresh.write_bytes(msgspec.json.encode(status))
            os.replace(fresh, self._path)
        except OSError:
            return

    def close(self) -> None:
        """The consumer has ended in peace."""
        self._path.unlink(missing_ok=True)


def consumers_of(data_dir: Path, now: datetime) -> list[ConsumerStatus]:
    """What the consumers of a data folder told last, by name; those that are long gone left out."""
    found = []
    for path in sorted((data_dir / FOLDER_NAME).glob("*.json"))[:CONSUMERS_MAX]:
        try:
            status = msgspec.json.decode(path.read_bytes(), type=ConsumerStatus)
        except (OSError, msgspec.MsgspecError):
            continue
        if (now - status.written_at).total_seconds() <= KEPT_SECONDS:
            found.append(status)
    return found
