"""An event log in memory, held to the same conformance tests as the real one."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from domain.errors import Fenced
from domain.log.records import LogRecord, NewRecord


class InMemoryEventLog:
    """An `EventLog` that keeps its records in memory only."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._records: list[LogRecord] = []
        self._heads: dict[str, int] = {}

    def append(self, records: Sequence[NewRecord]) -> list[int]:
        with self._lock:
            heads = dict(self._heads)
            for new in records:
                if new.version != heads.get(new.stream, 0) + 1:
                    raise Fenced(f"version {new.version} of stream {new.stream!r} does not follow its head")
                heads[new.stream] = new.version
            first = len(self._records) + 1
            positions = list(range(first, first + len(records)))
            self._records += [
                LogRecord(position, new.stream, new.version, new.topic, new.state)
                for position, new in zip(positions, records, strict=True)
            ]
            self._heads = heads
            return positions

    def read(self, after: int, limit: int, until: int | None = None) -> list[LogRecord]:
        with self._lock:
            end = len(self._records) if until is None else until
            return self._records[after : min(end, after + limit)]

    def records_of_topic(self, topic: str, after: int, limit: int) -> list[LogRecord]:
        with self._lock:
            return [one for one in self._records[after:] if one.topic == topic][:limit]

    def stream(self, stream: str, after_version: int = 0, limit: int | None = None) -> list[LogRecord]:
        with self._lock:
            found = [one for one in self._records if one.stream == stream and one.version > after_version]
            return [_without_position(one) for one in found[:limit]]

    def head_version(self, stream: str) -> int:
        with self._lock:
            return self._heads.get(stream, 0)

    def head_versions(self, streams: Sequence[str]) -> dict[str, int]:
        with self._lock:
            return {stream: self._heads[stream] for stream in streams if stream in self._heads}

    def last_record(self, stream: str) -> LogRecord | None:
        found = self.stream(stream, self.head_version(stream) - 1)
        return found[-1] if found else None

    def head_position(self) -> int:
        with self._lock:
            return len(self._records)

    def change_counter(self) -> int:
        return self.head_position()

    def close(self) -> None:
        pass


def _without_position(record: LogRecord) -> LogRecord:
    return LogRecord(0, record.stream, record.version, record.topic, record.state)
