"""A partition paused alone is read after it is resumed, however busy the others are."""

from __future__ import annotations

import pytest
from kafka import TopicPartition

from consumers.kafka.records.record_runs import RunBounds
from tests.consumers.kafka.broker.consumer_fleet import eventually
from tests.consumers.kafka.broker.readers import reading
from tests.consumers.kafka.broker.running_broker import RunningBroker

pytestmark = pytest.mark.kafka

ONE_RECORD = RunBounds(records_max=1, value_bytes_max=1)
RECORDS = 3


def test_a_partition_that_is_sought_after_a_pause_is_read_from_there(broker: RunningBroker) -> None:
    topic = broker.fresh_topic(partitions=2)
    partitions = [TopicPartition(topic, number) for number in range(2)]
    for _ in range(RECORDS):  # each in a batch of its own
        with broker.producer() as producer:
            for partition in partitions:
                producer.send(topic, value=b"{}", partition=partition.partition)
    with reading("insides", broker, *partitions, bounds=ONE_RECORD) as reader:
        came: dict[TopicPartition, int] = dict.fromkeys(partitions, 0)

        def polled() -> dict[TopicPartition, int]:
            for partition, runs in reader.poll(0.1).items():
                came[partition] += sum(map(len, runs))
            return came

        eventually(lambda: any(polled().values()), lambda: came, 20)
        (paused,) = (partition for partition, count in came.items() if count)
        other = next(partition for partition in partitions if partition != paused)
        reader.pause([paused])
        eventually(lambda: polled()[other] == RECORDS, lambda: came, 20)
        assert came[paused] < RECORDS
        came[paused] = 0
        assert reader.seek(paused, 0)
        reader.resume([paused])
        eventually(lambda: polled()[paused] == RECORDS, lambda: came, 20)
        assert came == dict.fromkeys(partitions, RECORDS)
