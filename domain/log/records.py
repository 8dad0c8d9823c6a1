"""The event log as the rest of the engine sees it: records under one sequence of positions.

Positions start at 1, are contiguous and are never re-used. A stream's versions start at 1 and are
contiguous too; writing a version that exists raises `Fenced`, and nothing of that append is stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

USAGE_BATCH_TOPIC: Final = "usage.batch"


class NewRecord(msgspec.Struct, frozen=True):
    """Something to append: its place in its stream, its topic and its stored bytes."""

    stream: str
    version: int
    topic: str
    state: bytes


class LogRecord(msgspec.Struct, frozen=True):
    """Something appended, at its position."""

    position: int
    stream: str
    version: int
    topic: str
    state: bytes


class EventLog(Protocol):
    """An append-only log with optimistic concurrency per stream. Safe to call from several threads."""

    def append(self, records: Sequence[NewRecord]) -> list[int]:
        """Store all records or none, durably, in this order; answer their positions.

        Raises `Fenced` when a (stream, version) is taken, `LogUnavailable` when storage refuses.
        """

    def read(self, after: int, limit: int, until: int | None = None) -> list[LogRecord]:
        """Up to `limit` records with `after` < position (<= `until`), in position order."""

    def stream(self, stream: str, after_version: int = 0, limit: int | None = None) -> list[LogRecord]:
        """The records of one stream with a version above `after_version`, in order, the first `limit` of them.

        `position` is 0 in these.
        """

    def head_version(self, stream: str) -> int:
        """The last version of a stream; 0 when it has none."""

    def head_versions(self, streams: Sequence[str]) -> dict[str, int]:
        """The last version of each of these streams that has a record. Many cost little more than one."""

    def last_record(self, stream: str) -> LogRecord | None:
        """The last record of a stream (`position` is 0 in it)."""

    def head_position(self) -> int:
        """The last position; 0 when the log is empty."""

    def change_counter(self) -> int:
        """A number that differs after another connection or process appended. Cheap: may be asked every 5 ms."""

    def close(self) -> None:
        """Release files and connections."""


# Stream names. The last part may hold anything; every part before it has a closed alphabet or is quoted.
