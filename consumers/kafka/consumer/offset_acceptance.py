"""An operator accepts that the broker has less than was read, so that a partition that has stopped goes on."""

from __future__ import annotations

import time
from typing import Final

import msgspec
from kafka import KafkaConsumer, TopicPartition

from consumers.errors import BrokerRefused
from consumers.kafka.appending.appender import PartitionAppender
from consumers.kafka.consumer.broker_view import BrokerView
from domain.errors import InvalidInput

METADATA_SECONDS_MAX: Final = 10.0
_LOOK_SECONDS: Final = 0.1


class AcceptedOffset(msgspec.Struct, frozen=True):
    """What was accepted: the log went on from `in_log`, and goes on from `next_offset` now."""

    topic: str
    partition: int
    in_log: int | None
    first_offset: int  # what the broker has
    end_offset: int
    next_offset: int
    position: int


def accept_offset(
    client: KafkaConsumer,
    appender: PartitionAppender,
    place: TopicPartition,
    from_offset: int | None,
    reason: str,
) -> AcceptedOffset:
    """Go on from `from_offset`; None: the first that the broker has, since reading again counts nothing twice.

    Raises `InvalidInput` when the partition has not stopped and the broker has what the log goes on from (then only a
    given offset is accepted), or not what is asked for; `BrokerRefused` when there is no such partition; `Fenced` when
    a consumer appended meanwhile.
    """
    view = BrokerView(client)
    client.assign([place])
    source = view.source(place)
    deadline = time.monotonic() + METADATA_SECONDS_MAX
    while source is None:
        if time.monotonic() > deadline:
            raise BrokerRefused(f"there is no partition {place.topic}:{place.partition}")
        time.sleep(_LOOK_SECONDS)
        source = view.source(place)
    bounds = view.bounds([place])[place]
    end = appender.end(source)
    in_log = end.next_offset
    if from_offset is None and end.truncated_at is None and (in_log is None or in_log <= bounds.end):
        raise InvalidInput(
            "partition", f"has nothing to accept: the broker has offsets up to {bounds.end}, and {in_log} comes next"
        )
    next_offset = bounds.first if from_offset is None else from_offset
    if not bounds.first <= next_offset <= bounds.end:
        raise InvalidInput("--from-offset", f"is from {bounds.first} to {bounds.end}, which the broker has")
    position = appender.accept_offset(source, next_offset, reason)
    return AcceptedOffset(place.topic, place.partition, in_log, bounds.first, bounds.end, next_offset, position)
