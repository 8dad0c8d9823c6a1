"""One Kafka client as a consumer uses it: the identity and offsets of partitions, and their records in runs.

There are two readers, which return the same values: `client_internals/internal_reader.py` fetches by topic id and
decodes whole batches; `public_poll.py` uses only what kafka-python documents, and is used where a release of it lacks
a name that the other one needs.

The group may revoke a partition at any moment, in the thread of the library, so all calls tolerate that.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Final

import msgspec
from kafka import KafkaConsumer, TopicPartition

from consumers.kafka.appending.batches import PartitionSource
from consumers.kafka.records.record_runs import RecordRun

ASKING_MILLISECONDS_MAX: Final = 5_000


class OffsetBounds(msgspec.Struct, frozen=True):
    """The records that a broker has of a partition: `first` <= offset < `end`."""

    first: int
    end: int


def offset_bounds(client: KafkaConsumer, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, OffsetBounds]:
    """Ask the broker for the offsets that it has. Raises what the library raises."""
    firsts = client.beginning_offsets(partitions, timeout_ms=ASKING_MILLISECONDS_MAX)
    ends = client.end_offsets(partitions, timeout_ms=ASKING_MILLISECONDS_MAX)
    return {partition: OffsetBounds(firsts[partition], ends[partition]) for partition in partitions}


class PartitionReader(ABC):
    """Reads partitions by one client. For one thread. All methods raise what the library raises.

    A method that asks the broker does so for at most `ASKING_MILLISECONDS_MAX`, for each partition; `epoch_end` may
    have to read records, and take longer.
    """

    def __init__(self, client: KafkaConsumer) -> None:
        self.client = client

    @abstractmethod
    def source(self, partition: TopicPartition) -> PartitionSource | None:
        """Return the identity of a partition as it is now; None while the topic is not known."""

    @abstractmethod
    def topic_id(self, topic: str) -> str | None:
        """Return the id of a topic, which differs after a topic was re-created; None while it is not known."""

    @abstractmethod
    def refresh(self) -> None:
        """Ask the broker for the topics again."""

    @abstractmethod
    def epoch_end(self, partition: TopicPartition, epoch: int, read_to: int) -> int:
        """Return the offset from which on records are of a later leader epoch than `epoch`, or where records end.

        Below `read_to` it is exact: the broker's records from there on are not those that were read. Above it need
        not be.
        """

    @abstractmethod
    def seek(self, partition: TopicPartition, offset: int, leader_epoch: int | None = None) -> bool:
        """Continue reading at an offset; False when the group has just revoked the partition.

        With the leader epoch of the record before it, it is detected that the broker no longer has that record.
        """

    @abstractmethod
    def poll(self, seconds: float) -> Mapping[TopicPartition, Sequence[RecordRun]]:
        """Wait at most so long for records, and return the next runs of partitions that are not paused.

        A run that does not begin where the one before ended says that the partition must be sought again. Raises
        `OffsetOutOfRangeError` or `LogTruncationError` of the library for partitions to be resumed anew, and
        `ClientOutdated` when this has to be done with another client.
        """

    @abstractmethod
    def silent_seconds(self) -> float:
        """Return the seconds since the broker last answered a question about topics, which is repeated regularly."""

    def bounds(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, OffsetBounds]:
        """Return the offsets that the broker has."""
        return offset_bounds(self.client, partitions)

    def committed(self, partition: TopicPartition) -> int | None:
        """Return the committed offset of the group: a hint that may be absent or wrong."""
        found: int | None = self.client.committed(partition, timeout_ms=ASKING_MILLISECONDS_MAX)
        return found

    def pause(self, partitions: Iterable[TopicPartition]) -> None:
        """Stop fetching these partitions; revoked ones are skipped."""
        for partition in partitions:
            with suppress(KeyError):
                self.client.pause(partition)

    def resume(self, partitions: Iterable[TopicPartition]) -> None:
        """Fetch these partitions again; revoked ones are skipped."""
        for partition in partitions:
            with suppress(KeyError):
                self.client.resume(partition)

    def close(self, seconds_max: float) -> None:
        """Close the client without committing; leave the group."""
        self.client.close(autocommit=False, timeout_ms=int(seconds_max * 1_000))
