"""Events of a Kafka partition: what was consumed, what was lost, from where to resume."""

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
    """Something about a partition of a Kafka topic, in its own stream. The last one tells from where to go on."""

    cluster_id: str
    topic_id: str
    topic: str
    partition: int


class PartitionConsumed(PartitionEvent, frozen=True, kw_only=True):
    """One poll was appended: everything from `first_offset` on and below `next_offset`, and this is its last record.

    `first_version` is the version of the poll's first record in this stream. `leader_epoch` is that of the last record
    below `next_offset`, None when it is not known: by it a broker can tell whether it still has that record.
    `last_command_us` is when the last command counted, in microseconds since 1970, None once later records have come.
    """

    first_offset: int
    next_offset: int
    first_version: int
    commands: tuple[CommandRecord, ...] = ()
    leader_epoch: int | None = None
    last_command_us: int | None = None


class RecordsLost(PartitionEvent, frozen=True, kw_only=True):
    """The broker had dropped the offsets from `from_offset` on and below `to_offset` before they were read."""

    from_offset: int
    to_offset: int


class PartitionTruncated(PartitionEvent, frozen=True, kw_only=True):
    """The broker no longer had what was read: `next_offset` was the one to go on from, and from `end_offset` on its
    records are others, or none. Nothing is read until `OffsetsAccepted`, however far its end has come since."""

    next_offset: int
    end_offset: int


class OffsetsAccepted(PartitionEvent, frozen=True, kw_only=True):
    """The partition is read from `next_offset` on, because an operator said so: the broker had less than the log."""

    next_offset: int
