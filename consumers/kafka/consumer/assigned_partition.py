"""The state of one assigned partition: its offsets, and the records read that wait to be appended."""

from __future__ import annotations

from typing import Final

import msgspec

from consumers.kafka.appending.batches import PartitionSource
from consumers.kafka.consumer.status import PartitionStatus
from consumers.kafka.records.record_runs import RecordRun, RunBounds

#: Pause between attempts to find the offset that reading starts from.
RESOLVE_AGAIN_SECONDS: Final = 0.5
#: Pause between looks at a stopped partition: an operator may have accepted its state.
STOPPED_AGAIN_SECONDS: Final = 3.0


class AssignedPartition(msgspec.Struct):
    """The state of an assigned partition. `opened_at` and `resolve_at` are monotonic seconds.

    Nothing is read until `source` is known, nor while `stopped` gives a reason. `next_offset` is the first offset of
    the next run, `appended_offset` the offset after the last append. `open_run` was read and is not appended yet.
    """

    topic: str
    partition: int
    source: PartitionSource | None = None
    next_offset: int = 0
    appended_offset: int | None = None
    open_run: RecordRun | None = None
    opened_at: float = 0.0
    resolve_at: float = 0.0
    stopped: str | None = None
    committed_offset: int | None = None
    last_arrival_ms: int = -1
    caught_up_ms: int = -1
    end_offset: int | None = None

    def is_resolved(self) -> bool:
        """Whether it is being read."""
        return self.source is not None and self.stopped is None

    def start(self, source: PartitionSource, offset: int) -> None:
        """Start reading at this offset."""
        self.source, self.next_offset, self.appended_offset = source, offset, offset
        self.stopped = self.open_run = None

    def stop(self, reason: str, in_log: int | None, now: float) -> None:
        """Stop reading until something has changed; `in_log` is the offset that the log continues from."""
        self.stopped, self.appended_offset, self.open_run = reason, in_log, None
        self.resolve_at = now + STOPPED_AGAIN_SECONDS

    def is_read_by(self, topic_id: str | None) -> bool:
        """Whether records of the topic with this id belong to its source; true while either is unknown."""
        return self.source is None or topic_id is None or self.source.topic_id.partition("@")[0] == topic_id

    def unresolve(self, now: float) -> None:
        """Drop what was read and not appended, and find out the offset to start from again."""
        self.source = self.open_run = self.stopped = None
        self.resolve_at = now

    def take(self, run: RecordRun, now: float) -> bool:
        """Add the next run; False when it does not begin at `next_offset`."""
        if run.first_offset != self.next_offset:
            return False
        if self.open_run is None:
            self.open_run, self.opened_at = run, now
        else:
            self.open_run.extend(run)
        self.next_offset = run.next_offset
        return True

    def due_in(self, now: float, bounds: RunBounds, age_seconds_max: float) -> float | None:
        """Return the seconds until its open run must be appended: 0 or less is now; None when there is none."""
        if self.open_run is None:
            return None
        if bounds.are_reached(self.open_run):
            return 0.0
        return self.opened_at + age_seconds_max - now

    def appended(self, run: RecordRun) -> None:
        """Note that the open run is in the log."""
        self.open_run = None
        self.appended_offset = run.next_offset
        if run.timestamps_ms:
            self.last_arrival_ms = run.timestamps_ms[-1]

    def status(self, now_ms: int, paused: bool) -> PartitionStatus:
        """Return its status, and note that it is caught up now where nothing waits."""
        lag = 0
        if self.end_offset is not None and self.appended_offset is not None:
            lag = max(0, self.end_offset - self.appended_offset)
        if lag == 0:
            self.caught_up_ms = now_ms
        since_ms = max(self.last_arrival_ms, self.caught_up_ms)
        waiting_seconds = max(0.0, (now_ms - since_ms) / 1_000) if lag and since_ms >= 0 else 0.0
        return PartitionStatus(
            self.topic,
            self.partition,
            self.appended_offset,
            self.end_offset,
            lag,
            waiting_seconds,
            paused,
            self.stopped,
        )
