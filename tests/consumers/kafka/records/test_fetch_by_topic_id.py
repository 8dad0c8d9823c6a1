"""Fetched records are of the topic that was asked for, never of a re-created topic of the same name."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition

from consumers.kafka.consumer.broker_view import BrokerView
from consumers.kafka.records.column_fetcher import read_in_columns
from consumers.kafka.records.record_runs import RecordRun, RunBounds
from domain.log.blocks import decode_typed
from domain.log.records import USAGE_BATCH_TOPIC
from tests.consumers.kafka.broker.consumer_fleet import eventually
from tests.consumers.kafka.broker.consuming import await_received, consuming, open_log, publish, usage
from tests.consumers.kafka.broker.running_broker import RunningBroker

pytestmark = pytest.mark.kafka

BOUNDS = RunBounds(records_max=500, value_bytes_max=1 << 20)
#: Long, so that only a fetch can reveal the new topic.
METADATA_MILLISECONDS_MAX = 3_600_000


@contextmanager
def reading(broker: RunningBroker, partition: TopicPartition) -> Iterator[Any]:
    """A client that is about to read a partition from its start."""
    client = KafkaConsumer(
        bootstrap_servers=broker.bootstrap,
        enable_auto_commit=False,
        auto_offset_reset="none",
        metadata_max_age_ms=METADATA_MILLISECONDS_MAX,
    )
    try:
        assert read_in_columns(client, BOUNDS)
        client.assign([partition])
        client.seek(partition, 0)
        yield client
    finally:
        client.close()


def polled(client: Any, values: int) -> list[RecordRun]:
    """The polled runs, until so many records came."""
    runs: list[RecordRun] = []

    def came() -> bool:
        for found in client.poll(200, max_records=1).values():
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
    with reading(broker, partition) as client:
        old = polled(client, 10)
        old_id = BrokerView(client).topic_id(partition.topic)
        made_again(broker, partition.topic)
        publish(broker, partition.topic, [b"new"] * 25)
        new = polled(client, 15)
        new_id = BrokerView(client).topic_id(partition.topic)
    assert old_id != new_id
    assert {(run.topic_id, value) for run in old for value in run.values} == {(old_id, b"old")}
    assert {(run.topic_id, value) for run in new for value in run.values} == {(new_id, b"new")}


def test_what_was_fetched_of_the_old_topic_and_is_taken_later_is_known_as_such(broker: RunningBroker) -> None:
    """Otherwise a consumer would take it for the start of the new topic and continue after it."""
    partition = TopicPartition(broker.fresh_topic(), 0)
    publish(broker, partition.topic, [b"old"] * 5)
    with reading(broker, partition) as client:
        view = BrokerView(client)
        eventually(lambda: view.topic_id(partition.topic) is not None, lambda: "the topic is not known")
        old_id = view.topic_id(partition.topic)
        client.poll(0, max_records=1)
        time.sleep(1)  # until the fetched records are there
        client.pause(partition)
        made_again(broker, partition.topic)
        publish(broker, partition.topic, [b"new"] * 7)
        view.refresh()
        new_id = view.topic_id(partition.topic)
        client.seek(partition, 0)
        client.resume(partition)
        first = polled(client, 5)
        client.seek(partition, 0)
        then = polled(client, 7)
    names = {old_id: b"old", new_id: b"new"}
    for run in first + then:
        assert set(run.values) <= {names[run.topic_id]}
    assert sum(run.values.count(b"new") for run in then) == 7


def test_clients_that_read_several_topics_go_on_with_the_others(broker: RunningBroker) -> None:
    partitions = [TopicPartition(broker.fresh_topic(), 0) for _ in range(3)]
    with reading(broker, partitions[0]) as client:
        client.assign(partitions)
        for partition in partitions:
            client.seek(partition, 0)
            publish(broker, partition.topic, [partition.topic.encode()] * 4)
        before = polled(client, 12)
        made_again(broker, partitions[1].topic)
        for partition in (partitions[0], partitions[2]):
            publish(broker, partition.topic, [partition.topic.encode()] * 4)
        after = polled(client, 8)
        view = BrokerView(client)
        ids = {view.topic_id(partition.topic): partition.topic.encode() for partition in (partitions[0], partitions[2])}
    assert Counter(value for run in before for value in run.values) == {
        partition.topic.encode(): 4 for partition in partitions
    }
    assert {(run.topic_id, value) for run in after for value in run.values} == set(ids.items())


class HeldBackpressure:
    """A fold that stands still while `held` is set."""

    def __init__(self) -> None:
        self.held = threading.Event()

    def appended(self, position: int) -> None: ...

    def lag_seconds(self) -> float:
        return 9.0 if self.held.is_set() else 0.0

    def is_too_high(self) -> bool:
        return self.held.is_set()


def test_a_topic_made_again_under_a_paused_consumer_is_received_once_and_as_a_stream_of_its_own(
    broker: RunningBroker, tmp_path: Path
) -> None:
    topic = broker.fresh_topic()
    backpressure = HeldBackpressure()
    with open_log(tmp_path / "data") as opened:
        publish(broker, topic, [usage(number) for number in range(10)])
        with consuming(opened, broker, topic, backpressure=backpressure) as consumer:
            await_received(opened, 10)
            backpressure.held.set()
            eventually(lambda: bool((status := consumer.partition()) and status.paused), lambda: consumer.status)
            made_again(broker, topic)
            publish(broker, topic, [usage(number) for number in range(100, 125)])
            backpressure.held.clear()
            await_received(opened, 35)
            time.sleep(1)  # whatever else would come
        ids: dict[str, list[str]] = {}
        for record in opened.records():
            if record.topic == USAGE_BATCH_TOPIC:
                ids.setdefault(record.stream, []).extend(decode_typed(record.state).column("id").to_pylist())
    assert list(ids.values()) == [
        [f"event-{number}" for number in range(10)],
        [f"event-{number}" for number in range(100, 125)],
    ]
