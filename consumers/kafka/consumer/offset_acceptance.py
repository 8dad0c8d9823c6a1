"""Let a stopped partition continue: an operator accepts that the broker lacks records that were read."""

from __future__ import annotations

import msgspec
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition

from consumers.errors import BrokerRefused
from consumers.kafka.appending.appender import PartitionAppender
from consumers.kafka.reading.described_topics import described_source
from consumers.kafka.reading.reader import offset_bounds
from domain.errors import InvalidInput


class AcceptedOffset(msgspec.Struct, frozen=True):
    """An accepted offset: the log continued from `in_log` before, and continues from `next_offset` now."""

    topic: str
    partition: int
    in_log: int | None
    first_offset: int  # what the broker has
    end_offset: int
    next_offset: int
    position: int


def accept_offset(
    client: KafkaConsumer,
    admin: KafkaAdminClient,
    appender: PartitionAppender,
    partition: TopicPartition,
    from_offset: int | None,
    reason: str,
) -> AcceptedOffset:
    """Continue from `from_offset`; None: from the first that the broker has, since reading again counts nothing twice.

    Raises `InvalidInput` when nothing is wrong with the partition and no offset is given, and for an offset that the
    broker does not have; `BrokerRefused` when there is no such partition; `Fenced` when a consumer appended meanwhile.
    """
    source = described_source(admin, partition)
    if source is None:
        raise BrokerRefused(f"Kafka has no partition {partition.topic}:{partition.partition}")
    bounds = offset_bounds(client, [partition])[partition]
    checkpoint = appender.read_checkpoint(source)
    in_log = checkpoint.next_offset
    if from_offset is None and checkpoint.truncated_at is None and (in_log is None or in_log <= bounds.end):
        raise InvalidInput(
            "partition",
            f"must be stopped: it has nothing to accept (the broker has offsets up to {bounds.end}, {in_log} is next)",
        )
    next_offset = bounds.first if from_offset is None else from_offset
    if not bounds.first <= next_offset <= bounds.end:
        raise InvalidInput("--from-offset", f"must be from {bounds.first} to {bounds.end}: the broker has no others")
    position = appender.accept_offset(source, next_offset, reason)
    return AcceptedOffset(partition.topic, partition.partition, in_log, bounds.first, bounds.end, next_offset, position)
