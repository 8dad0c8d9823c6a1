"""Positions of the log and counts by source, as a snapshot answers them."""

from __future__ import annotations

from datetime import datetime

import msgspec

from domain.usage.outcomes import OutcomeCounts


class LogPoint(msgspec.Struct, frozen=True):
    """A log position and the running maximum of recorded times up to it (None: the log is empty)."""

    position: int
    recorded_at: datetime | None


class SourceCounts(msgspec.Struct, frozen=True):
    """Outcome counts of one stream of usage in one scope."""

    stream: str
    counts: OutcomeCounts


class SourceRecord(msgspec.Struct, frozen=True):
    """How far a partition of a Kafka topic was read: `next_offset` is the one to go on from. `records_lost` had gone
    before they were read, `commands_refused` broke a rule. `position` and `recorded_at` are those of its last record.
    """

    stream: str
    topic: str
    partition: int
    next_offset: int
    records_lost: int
    commands_refused: int
    position: int
    recorded_at: datetime
