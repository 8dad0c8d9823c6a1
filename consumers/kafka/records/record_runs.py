"""Runs: consecutive records of one partition as columns, independent of any Kafka client."""

from __future__ import annotations

from typing import Final

import msgspec

Headers = tuple[tuple[str, bytes | None], ...]
NO_HEADERS: Final[Headers] = ()


class RecordRun(msgspec.Struct):
    """Records of one partition in offset order, as columns of equal length.

    All records that the broker has with `first_offset` <= offset < `next_offset`. Offsets may have gaps, due to
    compaction and transactions. `leader_epoch` is that of the last record below `next_offset`, `topic_id` that of the
    topic that was read; None where they are not known.
    """

    first_offset: int
    next_offset: int
    offsets: list[int]
    timestamps_ms: list[int]
    keys: list[bytes | None]
    values: list[bytes | None]
    headers: list[Headers] | None  # None: not one of the records has any
    value_bytes: int
    leader_epoch: int | None = None
    topic_id: str | None = None

    @classmethod
    def starting_at(cls, offset: int) -> RecordRun:
        """Return an empty run."""
        return cls(offset, offset, [], [], [], [], None, 0)

    def __len__(self) -> int:
        return len(self.offsets)

    def extend(self, other: RecordRun) -> None:
        """Append the records of the next run."""
        if other.headers is not None and self.headers is None:
            self.headers = [NO_HEADERS] * len(self)
        if self.headers is not None:
            self.headers += [NO_HEADERS] * len(other) if other.headers is None else other.headers
        self.offsets += other.offsets
        self.timestamps_ms += other.timestamps_ms
        self.keys += other.keys
        self.values += other.values
        self.value_bytes += other.value_bytes
        self.next_offset = other.next_offset
        self.leader_epoch = other.leader_epoch


class RunBounds(msgspec.Struct, frozen=True):
    """Bounds of a run. The batch of the broker that reaches a bound still belongs to the run as a whole."""

    records_max: int
    value_bytes_max: int

    def are_reached(self, run: RecordRun) -> bool:
        """Whether a run has reached a bound."""
        return self.reached_by(len(run), run.value_bytes)

    def reached_by(self, records: int, size_bytes: int) -> bool:
        """Whether a run of so many records and bytes has reached a bound."""
        return records >= self.records_max or size_bytes >= self.value_bytes_max
