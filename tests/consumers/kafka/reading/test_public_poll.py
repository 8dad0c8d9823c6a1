"""The public poll gives no wrong records: what it cannot know is found out, or the client is replaced."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition

from consumers.errors import ClientOutdated
from consumers.kafka.reading.public_poll import GROUP_SECONDS
from consumers.kafka.reading.reader import PartitionReader
from tests.consumers.kafka.broker.consumer_fleet import eventually
from tests.consumers.kafka.broker.consuming import await_received, consuming, open_log, publish, usage
from tests.consumers.kafka.broker.readers import joined, reading, runs_to
from tests.consumers.kafka.broker.running_broker import RunningBroker

pytestmark = pytest.mark.kafka

OUTDATED_SECONDS_MAX = 30.0


def await_outdated(reader: PartitionReader) -> list[bytes | None]:
    """Poll until the client has to be replaced; return what it read until then."""
    values: list[bytes | None] = []

    def is_outdated() -> bool:
        try:
            for runs in reader.poll(0.2).values():
                values.extend(joined(list(runs)).values)
        except ClientOutdated:
            return True
        return False

    eventually(is_outdated, lambda: values, OUTDATED_SECONDS_MAX)
    return values


def test_a_client_that_read_a_topic_reads_none_that_is_made_again(broker: RunningBroker) -> None:
    topic = broker.fresh_topic()
    publish(broker, topic, [b"old"] * 10)
    with reading("public poll", broker, TopicPartition(topic, 0)) as reader:
        assert joined(runs_to(reader, 10)).values == [b"old"] * 10
        broker.delete_topic(topic)
        broker.make_topic(topic)
        publish(broker, topic, [b"new"] * 25)
        assert await_outdated(reader) == []


def test_what_was_fetched_of_a_topic_that_was_made_again_is_not_given(broker: RunningBroker) -> None:
    topic = broker.fresh_topic()
    publish(broker, topic, [b"old"] * 5)
    with reading("public poll", broker, TopicPartition(topic, 0)) as reader:
        reader.client.poll(0)  # sends the fetch
        time.sleep(1)  # until the fetched records are there
        broker.delete_topic(topic)
        broker.make_topic(topic)
        publish(broker, topic, [b"new"] * 7)
        assert await_outdated(reader) == []


def test_a_topic_that_gains_partitions_is_joined_again_with_another_client(broker: RunningBroker) -> None:
    topic = broker.fresh_topic()
    with reading("public poll", broker, TopicPartition(topic, 0)) as reader:
        with broker.admin() as admin:
            admin.create_partitions({topic: 2})
        eventually(lambda: len(broker.ends(topic)) == 2, lambda: broker.ends(topic))
        assert await_outdated(reader) == []


def test_records_of_an_earlier_epoch_than_was_read_are_not_given(broker: RunningBroker) -> None:
    topic = broker.fresh_topic()
    publish(broker, topic, [b"lost"] * 10)
    with reading("public poll", broker, TopicPartition(topic, 0)) as reader:
        assert reader.seek(TopicPartition(topic, 0), 5, leader_epoch=3)
        assert await_outdated(reader) == []


def test_a_broker_whose_records_are_of_an_earlier_epoch_has_none_of_what_was_read(broker: RunningBroker) -> None:
    """As of one that was restored: it goes on in an epoch that its last life had left behind."""
    topic = broker.fresh_topic()
    partition = TopicPartition(topic, 0)
    publish(broker, topic, [b"{}"] * 10)
    with reading("public poll", broker, partition) as reader:
        ends = {read_to: reader.epoch_end(partition, 3, read_to) for read_to in (0, 1, 5, 10)}
    assert ends == {0: 0, 1: 0, 5: 0, 10: 0}


class StillJoining(KafkaConsumer):  # type: ignore[misc]
    """Says what the library says when it dropped a join under way: it is joining, though the group is not."""

    def group_metadata(self) -> Any:
        return super().group_metadata()._replace(group_id="at-rest", state="<rebalancing>")


def test_a_client_that_never_takes_up_its_assignment_is_replaced(broker: RunningBroker) -> None:
    topic = broker.fresh_topic()
    publish(broker, topic, [b"read"] * 3)
    with reading("public poll", broker, TopicPartition(topic, 0), client_of=StillJoining) as reader:
        assert await_outdated(reader) == [b"read"] * 3


class Joined(KafkaConsumer):  # type: ignore[misc]
    """Says that it has joined its group, in words of another release."""

    def group_metadata(self) -> Any:
        return super().group_metadata()._replace(group_id="at-rest", state="stable")


def test_a_client_is_kept_whose_release_has_another_word_for_its_state(broker: RunningBroker) -> None:
    with reading("public poll", broker, TopicPartition(broker.fresh_topic(), 0), client_of=Joined) as reader:
        until = time.monotonic() + 2.5 * GROUP_SECONDS
        while time.monotonic() < until:
            assert reader.poll(0.2) == {}


class LaterEpoch(KafkaConsumer):  # type: ignore[misc]
    """Gives records as if a leader had been elected since."""

    def poll(self, timeout_ms: int = 0, max_records: int | None = None, update_offsets: bool = True) -> Any:
        polled = super().poll(timeout_ms, max_records, update_offsets)
        return {one: [record._replace(leader_epoch=4) for record in records] for one, records in polled.items()}


def test_records_of_a_new_leader_are_given_when_the_last_one_read_is_still_there(broker: RunningBroker) -> None:
    topic = broker.fresh_topic()
    publish(broker, topic, [b"%d" % number for number in range(10)])
    with reading("public poll", broker, TopicPartition(topic, 0), client_of=LaterEpoch) as reader:
        assert reader.seek(TopicPartition(topic, 0), 5, leader_epoch=0)
        runs = runs_to(reader, 10)
    assert (joined(runs).values, runs[-1].leader_epoch) == ([b"5", b"6", b"7", b"8", b"9"], 4)


def test_looking_back_finds_the_first_record_of_a_later_epoch_behind_markers_and_expired_ones(
    broker: RunningBroker,
) -> None:
    topic = broker.fresh_topic()
    partition = TopicPartition(topic, 0)
    publish(broker, topic, [b"{}"] * 10)
    with broker.producer(transactional_id=topic) as producer:
        producer.init_transactions()
        for _ in range(20):
            producer.begin_transaction()
            producer.send(topic, value=b"{}", partition=0)
            producer.flush()
            producer.abort_transaction()
    with broker.admin() as admin:
        admin.delete_records({partition: 7})
    with reading("public poll", broker, partition, offset=7) as reader:
        assert reader.epoch_end(partition, 0, 50) == 50
        assert reader.epoch_end(partition, 0, 30) == 30
        assert reader.epoch_end(partition, 0, 70) == 50, "where its records end"
        assert reader.epoch_end(partition, 0, 4) == 4, "nothing of it is there to tell"
        before_all = -1
        assert reader.epoch_end(partition, before_all, 50) == 7


def test_an_unreadable_batch_is_refused_by_every_client_and_not_skipped(broker: RunningBroker) -> None:
    topic = broker.fresh_topic(configuration={"compression.type": "snappy"})
    publish(broker, topic, [b"unreadable without a package"])
    for _ in range(2):
        with reading("public poll", broker, TopicPartition(topic, 0)) as reader:
            with pytest.raises(ClientOutdated, match="UnsupportedCodecError"):
                runs_to(reader, 1)
            assert reader.client.position(TopicPartition(topic, 0)) == 0


def test_the_status_says_that_and_why_the_public_poll_is_used(broker: RunningBroker, tmp_path: Path) -> None:
    topic = broker.fresh_topic()
    publish(broker, topic, [usage(1)])
    with open_log(tmp_path / "data") as opened, consuming(opened, broker, topic, public_poll=True) as consumer:
        await_received(opened, 1)
        eventually(lambda: consumer.status is not None, lambda: "no status")
        assert consumer.status is not None
        assert consumer.status.public_poll == "it is asked for"
