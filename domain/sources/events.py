"""Events of a consumed Kafka partition: consumed offsets, lost records, and offsets to resume from."""

from __future__ import annotations

from typing import Final

from domain.commands.events import CommandRecord
from domain.event import LifecycleEvent

#: Topics of these events in the log, which never change.
SOURCE_CONSUMED: Final = "source.consumed"
SOURCE_RECORDS_LOST: Final = "source.records_lost"
SOURCE_TRUNCATED: Final = "source.truncated"
SOURCE_OFFSETS_ACCEPTED: Final = "source.offsets_accepted"


class PartitionEvent(LifecycleEvent, frozen=True, kw_only=True):
    """An event in the stream of a Kafka partition. The last event of the stream determines the resume offset."""

    cluster_id: str
    topic_id: str
    topic: str
    partition: int


class PartitionConsumed(PartitionEvent, frozen=True, kw_only=True):
    """One poll was appended: the offsets from `first_offset` to below `next_offset`. This is its last record.

    `first_version` is the version of the poll's first record in this stream. `leader_epoch` is that of the last Kafka
    record below `next_offset` (None: unknown); with it a broker can tell whether it still has that record.
    `last_command_us` is the effective instant of the last command, in microseconds since 1970; None once later records
    have arrived.
    """

    first_offset: int
    next_offset: int
    first_version: int
    commands: tuple[CommandRecord, ...] = ()
    leader_epoch: int | None = None
    last_command_us: int | None = None


class RecordsLost(PartitionEvent, frozen=True, kw_only=True):
    """The broker had dropped the offsets from `from_offset` to below `to_offset` before they were read."""

    from_offset: int
    to_offset: int


class PartitionTruncated(PartitionEvent, frozen=True, kw_only=True):
    """The broker no longer had records that were read already.

    `next_offset` was the resume offset; from `end_offset` on the broker has other records or none. Nothing is read
    until `OffsetsAccepted`, however far the end of the partition has advanced since.
    """

    next_offset: int
    end_offset: int


class OffsetsAccepted(PartitionEvent, frozen=True, kw_only=True):
    """An operator accepted that the broker has fewer records than the log; reading resumes at `next_offset`."""

    next_offset: int
