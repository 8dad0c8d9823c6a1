"""The event log's interface: records in streams, and in one sequence of positions over all streams.

Positions start at 1, are contiguous and are never re-used. Versions within a stream start at 1 and are contiguous too.
Appending a version that exists raises `Fenced`, and nothing of that append is stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

USAGE_BATCH_TOPIC: Final = "usage.batch"
#: Blocks of the same format that a backfill loaded: their events count when it is committed.
STAGED_BATCH_TOPIC: Final = "usage.staged"
#: Topics of records that are blocks of usage events.
BLOCK_TOPICS: Final = (USAGE_BATCH_TOPIC, STAGED_BATCH_TOPIC)


class NewRecord(msgspec.Struct, frozen=True):
    """A record to append: its stream and version, its topic and its stored bytes."""

    stream: str
    version: int
    topic: str
    state: bytes


class LogRecord(msgspec.Struct, frozen=True):
    """A stored record with its position."""

    position: int
    stream: str
    version: int
    topic: str
    state: bytes


class EventLog(Protocol):
    """An append-only log with optimistic concurrency per stream. Safe for several threads."""

    def append(self, records: Sequence[NewRecord]) -> list[int]:
        """Store all records or none, durably, in this order; return their positions.

        `Fenced` if a (stream, version) is taken, `LogUnavailable` if storage fails.
        """

    def read(self, after: int, limit: int, until: int | None = None) -> list[LogRecord]:
        """Up to `limit` records with `after` < position (and <= `until`), in position order."""

    def records_of_topic(self, topic: str, after: int, limit: int) -> list[LogRecord]:
        """Up to `limit` records of one topic with `after` < position, in position order.

        It looks at every record behind `after`, whose states it does not read.
        """

    def stream(self, stream: str, after_version: int = 0, limit: int | None = None) -> list[LogRecord]:
        """The first `limit` records of one stream with a version above `after_version`, in order.

        Their `position` is 0.
        """

    def head_version(self, stream: str) -> int:
        """The last version of a stream; 0 if it has no record."""

    def head_versions(self, streams: Sequence[str]) -> dict[str, int]:
        """The last version of each of these streams that has a record, in about the time of one."""

    def last_record(self, stream: str) -> LogRecord | None:
        """The last record of a stream, with `position` 0."""

    def head_position(self) -> int:
        """The last position; 0 if the log is empty."""

    def change_counter(self) -> int:
        """A number that changes with every append, also by other processes. Cheap enough to poll."""

    def close(self) -> None:
        """Release files and connections."""
