"""Fetched records are of the topic that was asked for, never of a re-created topic of the same name."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import AbstractContextManager

import pytest
from kafka import TopicPartition

from consumers.kafka.reading.reader import PartitionReader
from consumers.kafka.records.record_runs import RecordRun
from tests.consumers.kafka.broker.consumer_fleet import eventually
from tests.consumers.kafka.broker.consuming import publish
from tests.consumers.kafka.broker.readers import reading
from tests.consumers.kafka.broker.running_broker import RunningBroker

pytestmark = pytest.mark.kafka

#: Long, so that only a fetch can reveal the new topic.
METADATA_MILLISECONDS_MAX = 3_600_000


def reading_by_id(broker: RunningBroker, *partitions: TopicPartition) -> AbstractContextManager[PartitionReader]:
    """A reader that is about to read partitions from their start."""
    return reading("insides", broker, *partitions, metadata_max_age_ms=METADATA_MILLISECONDS_MAX)


def polled(reader: PartitionReader, values: int) -> list[RecordRun]:
    """The polled runs, until so many records came."""
    runs: list[RecordRun] = []

    def came() -> bool:
        for found in reader.poll(0.2).values():
            runs.extend(found)
        return sum(map(len, runs)) >= values

    eventually(came, lambda: runs, 30)
    return runs


def made_again(broker: RunningBroker, topic: str) -> None:
    broker.delete_topic(topic)
    broker.make_topic(topic)


def test_records_of_a_topic_made_again_are_not_given_as_those_of_the_old_one(broker: RunningBroker) -> None:
    partition = TopicPartition(broker.fresh_topic(), 0)
    publish(broker, partition.topic, [b"old"] * 10)
    with reading_by_id(broker, partition) as reader:
        old = polled(reader, 10)
        old_id = reader.topic_id(partition.topic)
        made_again(broker, partition.topic)
        publish(broker, partition.topic, [b"new"] * 25)
        new = polled(reader, 15)
        new_id = reader.topic_id(partition.topic)
    assert old_id != new_id
    assert {(run.topic_id, value) for run in old for value in run.values} == {(old_id, b"old")}
    assert {(run.topic_id, value) for run in new for value in run.values} == {(new_id, b"new")}


def test_what_was_fetched_of_the_old_topic_and_is_taken_later_is_known_as_such(broker: RunningBroker) -> None:
    """Otherwise a consumer would take it for the start of the new topic and continue after it."""
    partition = TopicPartition(broker.fresh_topic(), 0)
    publish(broker, partition.topic, [b"old"] * 5)
    with reading_by_id(broker, partition) as reader:
        eventually(lambda: reader.topic_id(partition.topic) is not None, lambda: "the topic is not known")
        old_id = reader.topic_id(partition.topic)
        reader.poll(0)
        time.sleep(1)  # until the fetched records are there
        reader.pause([partition])
        made_again(broker, partition.topic)
        publish(broker, partition.topic, [b"new"] * 7)
        reader.refresh()
        new_id = reader.topic_id(partition.topic)
        reader.seek(partition, 0)
        reader.resume([partition])
        first = polled(reader, 5)
        reader.seek(partition, 0)
        then = polled(reader, 7)
    names = {old_id: b"old", new_id: b"new"}
    for run in first + then:
        assert set(run.values) <= {names[run.topic_id]}
    assert sum(run.values.count(b"new") for run in then) == 7


def test_clients_that_read_several_topics_go_on_with_the_others(broker: RunningBroker) -> None:
    partitions = [TopicPartition(broker.fresh_topic(), 0) for _ in range(3)]
    with reading_by_id(broker, *partitions) as reader:
        for partition in partitions:
            publish(broker, partition.topic, [partition.topic.encode()] * 4)
        before = polled(reader, 12)
        made_again(broker, partitions[1].topic)
        for partition in (partitions[0], partitions[2]):
            publish(broker, partition.topic, [partition.topic.encode()] * 4)
        after = polled(reader, 8)
        ids = {reader.topic_id(one.topic): one.topic.encode() for one in (partitions[0], partitions[2])}
    assert Counter(value for run in before for value in run.values) == {
        partition.topic.encode(): 4 for partition in partitions
    }
    assert {(run.topic_id, value) for run in after for value in run.values} == set(ids.items())
