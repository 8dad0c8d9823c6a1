"""The log has every record once, though the client loses polled records, seeks back, or cannot commit.

The client is the library's own on a real broker; only one of its answers is spoilt, once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import KafkaTimeoutError

from consumers.kafka.consumer.assignment import Assignment
from consumers.kafka.consumer.backpressure import Backpressure
from consumers.kafka.consumer.consumer_loop import PartitionConsumer
from consumers.kafka.consumer.options import ReadingOptions
from consumers.kafka.consumer.process import group_options
from consumers.kafka.consumer.reporting import ConsumerReporter
from consumers.kafka.consumer.status import StatusFile
from consumers.kafka.dead_letters.publisher import DeadLetterPublisher, Producer
from consumers.kafka.reading.reader import PartitionReader
from tests.consumers.kafka.broker.consumer_fleet import SESSION_SECONDS, eventually
from tests.consumers.kafka.broker.consuming import OpenLog, await_received, now_utc, open_log, publish, usage
from tests.consumers.kafka.broker.readers import OPTIONS, WAYS, Way, reader_of
from tests.consumers.kafka.broker.running_broker import RunningBroker

pytestmark = pytest.mark.kafka


def no_letters() -> Producer:
    raise AssertionError("nothing is rejected here")


@contextmanager
def consuming_by(reader: PartitionReader, opened: OpenLog, topic: str, *, group: bool) -> Iterator[None]:
    """A consumer with this reader, until the block ends."""
    client = reader.client
    assignment = Assignment(client)
    partitions = () if group else ((topic, 0),)
    if group:
        client.subscribe([topic], listener=assignment)
    else:
        client.assign([TopicPartition(topic, 0)])
        assignment.on_partitions_assigned([TopicPartition(topic, 0)])
    consumer = PartitionConsumer(
        reader,
        assignment,
        opened.appender(),
        DeadLetterPublisher(no_letters, "no-letters"),
        Backpressure(lambda: None, lambda: False, 1.0, time.monotonic),
        ConsumerReporter(StatusFile(opened.folder, "test"), "test", now_utc),
        ReadingOptions(name="test", topics=(topic,), partitions=partitions),
    )
    stopping = threading.Event()
    thread = threading.Thread(target=consumer.run, args=(stopping,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(20)
        assert not thread.is_alive(), "the consumer does not end"


class Unruly(KafkaConsumer):  # type: ignore[misc]
    """Spoils one poll that has records."""

    how = ""

    def poll(self, timeout_ms: int = 0, max_records: int | None = None, update_offsets: bool = True) -> Any:
        records = super().poll(timeout_ms, max_records, update_offsets)
        if records and self.how:
            how, self.how = self.how, ""
            if how == "loses what it polled":
                raise KafkaTimeoutError(how)
            for partition in records:
                self.seek(partition, 0)
        return records


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("how", ["", "loses what it polled", "goes back to the start"])
def test_each_record_is_received_once_in_either_way_to_read(
    broker: RunningBroker, tmp_path: Path, how: str, way: Way
) -> None:
    topic = broker.fresh_topic()
    client = Unruly(bootstrap_servers=broker.bootstrap, **OPTIONS)
    reader = reader_of(way, broker, client, topic)
    with open_log(tmp_path / "data") as opened:
        publish(broker, topic, [usage(number) for number in range(10)])
        with consuming_by(reader, opened, topic, group=False):
            await_received(opened, 10)
            client.how = how
            publish(broker, topic, [usage(number) for number in range(10, 20)])
            eventually(lambda: client.how == "", lambda: "nothing was polled")
            publish(broker, topic, [usage(number) for number in range(20, 30)])
            await_received(opened, 30)
        assert opened.received() == 30


@pytest.mark.parametrize("way", WAYS)
def test_transactions_leave_no_gap_in_either_way_to_read(broker: RunningBroker, tmp_path: Path, way: Way) -> None:
    """Control records and records of aborted transactions take offsets of which no record is returned."""
    topic = broker.fresh_topic()
    client = KafkaConsumer(bootstrap_servers=broker.bootstrap, **OPTIONS)
    reader = reader_of(way, broker, client, topic)
    with open_log(tmp_path / "data") as opened:
        with consuming_by(reader, opened, topic, group=False):
            with broker.producer(transactional_id=f"{topic}.sender") as producer:
                producer.init_transactions()
                for number in range(6):
                    producer.begin_transaction()
                    producer.send(topic, value=usage(number), key=b"ada", partition=0)
                    if number % 2:
                        producer.abort_transaction()
                    else:
                        producer.commit_transaction()
            await_received(opened, 3)
            publish(broker, topic, [usage(10)])
            await_received(opened, 4)
            (stream,) = opened.streams()
            appended = len(opened.log.stream(stream))
            time.sleep(1)
            assert len(opened.log.stream(stream)) == appended, "nothing is started over and over"
        assert opened.received() == 4


class Refused(KafkaConsumer):  # type: ignore[misc]
    """The first commit is refused."""

    commits = 0

    def commit_async(self, offsets: Any = None, callback: Any = None) -> Any:
        self.commits += 1
        if self.commits == 1:
            if callback is not None:
                callback(offsets, KafkaTimeoutError("refused"))
            return None
        return super().commit_async(offsets, callback)


def test_a_hint_that_could_not_be_committed_is_committed_later(broker: RunningBroker, tmp_path: Path) -> None:
    topic = broker.fresh_topic()
    group = f"group.{topic}"
    client = Refused(
        bootstrap_servers=broker.bootstrap,
        partition_assignment_strategy=[CooperativeStickyAssignor],
        **group_options(group, SESSION_SECONDS),
        **OPTIONS,
    )
    reader = reader_of("insides", broker, client)
    publish(broker, topic, [usage(number) for number in range(10)])
    with (
        open_log(tmp_path / "data") as opened,
        consuming_by(reader, opened, topic, group=True),
        broker.admin() as admin,
    ):
        await_received(opened, 10)
        partition = TopicPartition(topic, 0)

        def committed() -> int | None:
            found = admin.list_group_offsets([group])[group].get(partition)
            return None if found is None else int(found.offset)

        eventually(lambda: committed() == 10, committed, 20)
        assert client.commits == 2
