"""Log positions, outcome counts by stream, and progress of Kafka partitions, as a snapshot returns them."""

from __future__ import annotations

from datetime import datetime

import msgspec

from domain.usage.outcomes import OutcomeCounts


class LogPoint(msgspec.Struct, frozen=True):
    """A log position and the running maximum of recorded times up to it (None: the log is empty)."""

    position: int
    recorded_at: datetime | None


class SourceCounts(msgspec.Struct, frozen=True):
    """Outcome counts of one usage stream in one scope."""

    stream: str
    counts: OutcomeCounts


class SourceRecord(msgspec.Struct, frozen=True):
    """Progress of one partition of a Kafka topic, as folded from the log.

    `next_offset` is the next one to read. `records_lost` counts records that the broker dropped before they were read,
    `commands_refused` those that broke a rule. `position` and `recorded_at` are those of the last log record about it.
    """

    stream: str
    topic: str
    partition: int
    next_offset: int
    records_lost: int
    commands_refused: int
    position: int
    recorded_at: datetime
