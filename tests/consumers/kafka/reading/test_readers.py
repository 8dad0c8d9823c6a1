"""Both readers return the same runs of the same records, however a real broker stores them."""

from __future__ import annotations

import time
from typing import Any

import pytest
from kafka import TopicPartition

from consumers.kafka.records.record_runs import RecordRun
from tests.consumers.kafka.broker.consumer_fleet import eventually
from tests.consumers.kafka.broker.readers import BOUNDS, WAYS, Way, joined, reading, rows, runs_to
from tests.consumers.kafka.broker.running_broker import RunningBroker

pytestmark = pytest.mark.kafka

#: Key, value and headers of records with every kind of variation.
VARIETY: list[tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]]]] = [
    (b"ada", b"one", []),
    (None, b"no key", []),
    (b"bob", None, []),
    (b"", b"", [("empty", b"")]),
    (b"k" * 200, b"v" * 70_000, [("once", b"0"), ("twice", b"1"), ("twice", b"2")]),
    ("schlüssel".encode(), b"\x00\xff", [("größe", b"x" * 300)]),
    *[(b"%d" % number, b"%d" % number * number, []) for number in range(300)],
]


def read_in(
    way: Way, broker: RunningBroker, topic: str, end: int | None = None, offset: int = 0, **options: Any
) -> list[RecordRun]:
    with reading(way, broker, TopicPartition(topic, 0), offset=offset, **options) as reader:
        return runs_to(reader, broker.ends(topic)[0] if end is None else end)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("compression", [None, "gzip", "lz4", "zstd"])
def test_records_are_what_was_sent_in_every_compression(
    broker: RunningBroker, compression: str | None, way: Way
) -> None:
    topic = broker.fresh_topic()
    before_ms = int(time.time() * 1_000)
    with broker.producer(compression_type=compression, linger_ms=100, batch_size=100_000) as producer:
        for number, (key, value, headers) in enumerate(VARIETY):
            producer.send(topic, key=key, value=value, headers=headers, timestamp_ms=before_ms + number)
    read = read_in(way, broker, topic)
    assert rows(read) == [
        (number, before_ms + number, key, value, tuple(headers)) for number, (key, value, headers) in enumerate(VARIETY)
    ]
    assert joined(read).value_bytes == sum(len(value or b"") for _, value, _ in VARIETY)
    assert {run.leader_epoch for run in read} == {0}
    assert len({run.topic_id for run in read} - {None}) == 1


@pytest.mark.parametrize("way", WAYS)
def test_reading_may_start_within_a_batch(broker: RunningBroker, way: Way) -> None:
    topic = broker.fresh_topic()
    with broker.producer(linger_ms=500, batch_size=100_000) as producer:
        for number in range(50):
            producer.send(topic, value=b"%d" % number)
    for offset in (1, 25, 49):
        runs = read_in(way, broker, topic, 50, offset)
        assert runs[0].first_offset == offset
        assert joined(runs).values == [b"%d" % number for number in range(offset, 50)]
        assert joined(runs).offsets == list(range(offset, 50))


@pytest.mark.parametrize("way", WAYS)
def test_the_timestamp_is_the_brokers_where_the_topic_says_so(broker: RunningBroker, way: Way) -> None:
    topic = broker.fresh_topic(configuration={"message.timestamp.type": "LogAppendTime"})
    before_ms = int(time.time() * 1_000)
    with broker.producer() as producer:
        producer.send(topic, value=b"late", timestamp_ms=1_000_000)
    (time_ms,) = joined(read_in(way, broker, topic)).timestamps_ms
    assert before_ms - 1_000 <= time_ms <= time.time() * 1_000 + 1_000


@pytest.mark.parametrize("way", WAYS)
def test_aborted_transactions_and_their_markers_are_left_out(broker: RunningBroker, way: Way) -> None:
    topic = broker.fresh_topic()
    with broker.producer(transactional_id=topic) as producer:
        producer.init_transactions()
        for number in range(6):
            producer.begin_transaction()
            for index in range(20):
                producer.send(topic, value=b"%d/%d" % (number, index))
            producer.flush()
            if number % 3 == 1:
                producer.abort_transaction()
            else:
                producer.commit_transaction()
    runs = read_in(way, broker, topic)
    committed = [number * 21 + index for number in (0, 2, 3, 5) for index in range(20)]
    assert joined(runs).offsets == committed
    assert joined(runs).values == [b"%d/%d" % divmod(offset, 21) for offset in committed]
    assert runs[-1].next_offset == 6 * 21, "the last marker is behind us, too"
    assert runs[-1].leader_epoch == 0
    assert len(joined(read_in(way, broker, topic, isolation_level="read_uncommitted"))) == 120


def test_compacted_records_leave_gaps_that_belong_to_the_runs(broker: RunningBroker) -> None:
    compacting = {"cleanup.policy": "compact", "segment.ms": "100", "min.cleanable.dirty.ratio": "0.01"}
    topic = broker.fresh_topic(configuration=compacting | {"max.compaction.lag.ms": "100"})
    with broker.producer(linger_ms=100) as producer:
        for number in range(20):
            producer.send(topic, key=b"same" if number % 2 else b"%d" % number, value=b"%d" % number)

    def kept() -> list[int]:
        with broker.producer() as producer:
            producer.send(topic, key=b"last", value=b"20")  # closes the segment
        time.sleep(0.2)
        return [record.offset for record in broker.records(topic) if record.offset < 20]

    kept_then = [*range(0, 20, 2), 19]
    eventually(lambda: kept() == kept_then, kept, 60)
    for way in WAYS:
        runs = read_in(way, broker, topic, 20)
        read = [offset for offset in joined(runs).offsets if offset < 20]
        assert (read, runs[0].first_offset) == (kept_then, 0)
        assert [run.first_offset for run in runs[1:]] == [run.next_offset for run in runs[:-1]]


@pytest.mark.parametrize("way", WAYS)
def test_runs_follow_each_other_without_a_gap(broker: RunningBroker, way: Way) -> None:
    topic = broker.fresh_topic()
    with broker.producer(batch_size=2_000) as producer:
        for number in range(2_000):
            producer.send(topic, value=b"%d" % number)
    runs = read_in(way, broker, topic, max_partition_fetch_bytes=50_000 if way == "insides" else 5_000)
    assert len(runs) >= 4
    assert way == "public poll" or len(runs[0]) >= BOUNDS.records_max
    assert [run.first_offset for run in runs[1:]] == [run.next_offset for run in runs[:-1]]
    assert joined(runs).offsets == list(range(2_000))


@pytest.mark.parametrize("way", WAYS)
def test_paused_partitions_go_on_where_they_were(broker: RunningBroker, way: Way) -> None:
    topic = broker.fresh_topic(partitions=3)
    partitions = [TopicPartition(topic, number) for number in range(3)]
    with broker.producer(batch_size=1_000) as producer:
        for number in range(6_000):
            producer.send(topic, value=b"%d" % number, partition=number % 3)
    read: dict[TopicPartition, list[int]] = {partition: [] for partition in partitions}
    with reading(way, broker, *partitions, max_partition_fetch_bytes=5_000) as reader:

        def came() -> bool:
            for partition, runs in reader.poll(0.5).items():
                for run in runs:
                    read[partition] += run.offsets
            reader.pause(partitions)
            assert reader.poll(0.02) == {}
            reader.resume(partitions)
            return all(len(offsets) == 2_000 for offsets in read.values())

        eventually(came, lambda: {partition: len(offsets) for partition, offsets in read.items()}, 60)
    assert read == {partition: list(range(2_000)) for partition in partitions}


@pytest.mark.parametrize("way", WAYS)
def test_a_partition_that_is_sought_is_read_from_there(broker: RunningBroker, way: Way) -> None:
    topic = broker.fresh_topic()
    partition = TopicPartition(topic, 0)
    with broker.producer() as producer:
        for number in range(10):
            producer.send(topic, value=b"%d" % number)
    with reading(way, broker, partition) as reader:
        assert joined(runs_to(reader, 10)).offsets == list(range(10))
        reader.pause([partition])
        assert reader.seek(partition, 4, leader_epoch=0)
        reader.resume([partition])
        assert joined(runs_to(reader, 10)).offsets == list(range(4, 10))


@pytest.mark.parametrize("way", WAYS)
def test_the_identity_of_a_partition_and_its_offsets_are_those_of_the_broker(broker: RunningBroker, way: Way) -> None:
    topic = broker.fresh_topic()
    partition = TopicPartition(topic, 0)
    with broker.producer() as producer:
        for number in range(10):
            producer.send(topic, value=b"%d" % number)
    with broker.admin() as admin:
        admin.delete_records({partition: 3})
        (described,) = admin.describe_topics([topic])
        cluster = admin.describe_cluster()["cluster_id"]
    with reading(way, broker, partition, offset=3) as reader:
        runs_to(reader, 10)
        source = reader.source(partition)
        assert source is not None
        assert (source.cluster_id, source.topic_id) == (cluster, str(described["topic_id"]))
        assert reader.topic_id(topic) == source.topic_id
        bounds = reader.bounds([partition])[partition]
        assert (bounds.first, bounds.end) == (3, 10)
        assert reader.epoch_end(partition, 0, 10) == 10
        reader.refresh()
        assert reader.silent_seconds() < 5
