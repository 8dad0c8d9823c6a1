"""Partitions resume at the offset in the log, whatever the broker says or has lost."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from kafka import OffsetAndMetadata, TopicPartition

from consumers.kafka.appending.batches import PartitionBatch, PartitionSource
from consumers.kafka.consumer.options import Replay
from consumers.kafka.reading.described_topics import described_source
from domain.log.blocks import decode_typed
from domain.log.records import USAGE_BATCH_TOPIC
from domain.sources.events import RecordsLost
from tests.consumers.kafka.broker.consumer_fleet import eventually
from tests.consumers.kafka.broker.consuming import await_received, consuming, open_log, publish, usage
from tests.consumers.kafka.broker.readers import BOTH_WAYS
from tests.consumers.kafka.broker.running_broker import RunningBroker

pytestmark = pytest.mark.kafka


def source_of(broker: RunningBroker, topic: str) -> PartitionSource:
    with broker.admin() as admin:
        found = described_source(admin, TopicPartition(topic, 0))
    assert found is not None
    return found


def test_a_new_partition_is_read_from_its_earliest_record_and_then_from_where_the_log_is(
    broker: RunningBroker, tmp_path: Path
) -> None:
    topic = broker.fresh_topic()
    publish(broker, topic, [usage(number) for number in range(10)])
    with open_log(tmp_path / "data") as opened:
        with consuming(opened, broker, topic):
            await_received(opened, 10)
        publish(broker, topic, [usage(number) for number in range(10, 15)])
        with consuming(opened, broker, topic, group="another group, that has committed nothing"):
            await_received(opened, 15)
        assert opened.received() == 15


def test_offsets_deleted_or_reset_change_nothing(broker: RunningBroker, tmp_path: Path) -> None:
    topic = broker.fresh_topic(2)
    group = f"group.{topic}"
    partitions = [TopicPartition(topic, 0), TopicPartition(topic, 1)]
    with open_log(tmp_path / "data") as opened:
        for partition in (0, 1):
            publish(broker, topic, [usage(number) for number in range(10 * partition, 10 * partition + 10)], partition)
        with consuming(opened, broker, topic):
            await_received(opened, 20)
        with broker.admin() as admin:
            committed = admin.list_group_offsets([group])
            assert "10" in repr(committed), "the hints of the first consumer"
            admin.alter_group_offsets(group, {partition: OffsetAndMetadata(0, "", -1) for partition in partitions})
        publish(broker, topic, [usage(100)])
        with consuming(opened, broker, topic):
            await_received(opened, 21)
        with broker.admin() as admin:
            admin.delete_group_offsets(group, partitions)
        publish(broker, topic, [usage(101)])
        with consuming(opened, broker, topic):
            await_received(opened, 22)
        assert opened.received() == 22


@BOTH_WAYS
def test_two_consumers_that_both_claim_a_partition_append_each_record_once(
    broker: RunningBroker, tmp_path: Path, public_poll: bool
) -> None:
    topic = broker.fresh_topic()
    with open_log(tmp_path / "data") as opened:
        with (
            consuming(opened, broker, topic, public_poll=public_poll, partitions=((topic, 0),)) as one,
            consuming(opened, broker, topic, public_poll=public_poll, partitions=((topic, 0),)) as other,
        ):
            eventually(lambda: one.partition() is not None and other.partition() is not None, lambda: "not started")
            for number in range(30):
                publish(broker, topic, [usage(10 * number + index) for index in range(10)])
            await_received(opened, 300)
            eventually(
                lambda: sum(consumer.statuses[-1].appends_fenced for consumer in (one, other)) > 0,
                lambda: [consumer.status for consumer in (one, other)],
            )
        assert opened.received() == 300
        (stream,) = opened.streams()
        versions = [record.version for record in opened.log.stream(stream)]
        assert versions == list(range(1, len(versions) + 1))


@BOTH_WAYS
def test_a_topic_made_again_is_another_stream_and_is_read_from_its_start(
    broker: RunningBroker, tmp_path: Path, public_poll: bool
) -> None:
    topic = broker.fresh_topic()
    with open_log(tmp_path / "data") as opened:
        publish(broker, topic, [usage(number) for number in range(10)])
        with consuming(opened, broker, topic, public_poll=public_poll):
            await_received(opened, 10)
            broker.delete_topic(topic)
            broker.make_topic(topic)
            publish(broker, topic, [usage(number) for number in range(100, 125)])
            eventually(lambda: len(opened.streams()) == 2, opened.streams)
            await_received(opened, 35)
        by_stream = {
            stream: opened.appender().read_checkpoint(source_of(broker, topic)).next_offset
            for stream in opened.streams()
        }
        assert set(by_stream.values()) == {25}


@BOTH_WAYS
def test_a_topic_made_again_under_a_paused_consumer_is_received_once_and_as_a_stream_of_its_own(
    broker: RunningBroker, tmp_path: Path, public_poll: bool
) -> None:
    topic = broker.fresh_topic()
    held = threading.Event()
    with open_log(tmp_path / "data") as opened:
        publish(broker, topic, [usage(number) for number in range(10)])
        with consuming(opened, broker, topic, public_poll=public_poll, backpressure=_Held(held)) as consumer:
            await_received(opened, 10)
            held.set()
            eventually(lambda: bool((status := consumer.partition()) and status.paused), lambda: consumer.status)
            broker.delete_topic(topic)
            broker.make_topic(topic)
            publish(broker, topic, [usage(number) for number in range(100, 125)])
            held.clear()
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


def test_a_topic_made_again_while_nobody_reads_is_another_stream_too(broker: RunningBroker, tmp_path: Path) -> None:
    topic = broker.fresh_topic()
    with open_log(tmp_path / "data") as opened:
        publish(broker, topic, [usage(number) for number in range(10)])
        with consuming(opened, broker, topic):
            await_received(opened, 10)
        broker.delete_topic(topic)
        broker.make_topic(topic)
        publish(broker, topic, [usage(number) for number in range(100, 105)])
        with consuming(opened, broker, topic):
            await_received(opened, 15)
        assert len(opened.streams()) == 2


def test_records_that_expired_unread_are_recorded_in_the_log(broker: RunningBroker, tmp_path: Path) -> None:
    topic = broker.fresh_topic()
    with open_log(tmp_path / "data") as opened:
        publish(broker, topic, [usage(number) for number in range(10)])
        with consuming(opened, broker, topic):
            await_received(opened, 10)
        publish(broker, topic, [usage(number) for number in range(10, 30)])
        _expire(broker, topic, 25)
        with consuming(opened, broker, topic):
            await_received(opened, 15)
        (lost,) = opened.events("source.records_lost")
        assert isinstance(lost, RecordsLost)
        assert (lost.topic, lost.partition, lost.from_offset, lost.to_offset) == (topic, 0, 10, 25)
        assert opened.received() == 15


@BOTH_WAYS
def test_records_that_expire_under_a_paused_consumer_are_recorded_too(
    broker: RunningBroker, tmp_path: Path, public_poll: bool
) -> None:
    """Here the broker answers that the offset is out of range."""
    topic = broker.fresh_topic()
    held = threading.Event()
    with open_log(tmp_path / "data") as opened:
        publish(broker, topic, [usage(number) for number in range(10)])
        with consuming(opened, broker, topic, public_poll=public_poll, backpressure=_Held(held)) as consumer:
            await_received(opened, 10)
            held.set()
            eventually(lambda: bool((status := consumer.partition()) and status.paused), lambda: consumer.status)
            publish(broker, topic, [usage(number) for number in range(10, 30)])
            _expire(broker, topic, 28)
            held.clear()
            await_received(opened, 12)
        # What the client had fetched before it was paused may have been appended, too.
        gaps = opened.events("source.records_lost")
        assert opened.received() + sum(lost.to_offset - lost.from_offset for lost in gaps) == 30


class _Held:
    """A fold that stands still while `held` is set."""

    def __init__(self, held: threading.Event) -> None:
        self._held = held

    def appended(self, position: int) -> None:
        pass

    def lag_seconds(self) -> float:
        return 9.0 if self._held.is_set() else 0.0

    def is_too_high(self) -> bool:
        return self._held.is_set()


def test_a_partition_stops_when_the_broker_has_less_than_the_log_and_goes_on_once_that_is_accepted(
    broker: RunningBroker, tmp_path: Path
) -> None:
    topic = broker.fresh_topic()
    publish(broker, topic, [usage(number) for number in range(10)])
    with open_log(tmp_path / "data") as opened:
        source = source_of(broker, topic)
        restored = opened.appender()
        restored.append(PartitionBatch(source, 0, 1_000, []))  # read when the broker had a thousand records
        with consuming(opened, broker, topic) as consumer:
            eventually(lambda: bool((status := consumer.partition()) and status.stopped), lambda: consumer.status)
            status = consumer.partition()
            assert status is not None
            assert f"meterfold kafka accept --topic {topic} --partition 0" in (status.stopped or "")
            assert opened.received() == 0
            opened.appender().accept_offset(source, 4, "restored from a backup")
            await_received(opened, 6)
            eventually(lambda: bool((status := consumer.partition()) and not status.stopped), lambda: consumer.status)
        assert opened.received() == 6


@BOTH_WAYS
def test_a_replay_reads_again_to_the_end_in_a_stream_of_its_own_and_ends(
    broker: RunningBroker, tmp_path: Path, public_poll: bool
) -> None:
    topic = broker.fresh_topic()
    publish(broker, topic, [usage(number) for number in range(10)])
    with broker.producer() as producer:
        producer.send(topic, key=b"bob", value=None)
    with open_log(tmp_path / "data") as opened:
        with consuming(opened, broker, topic, public_poll=public_poll):
            await_received(opened, 10)
            eventually(lambda: len(opened.events("source.consumed")) == 1, opened.records)
        replay: dict[str, Any] = {"partitions": ((topic, 0),), "replay": Replay("again", 4)}
        with consuming(opened, broker, topic, public_poll=public_poll, **replay) as consumer:
            consumer.join(40)
        assert opened.received() == 16
        assert len(opened.streams()) == 2
        commands = [command for consumed in opened.events("source.consumed") for command in consumed.commands]
        assert [command.kind for command in commands] == ["customer.delete"], "the replay repeats no tombstone"


def _expire(broker: RunningBroker, topic: str, before: int) -> None:
    with broker.admin() as admin:
        admin.delete_records({TopicPartition(topic, 0): before})
