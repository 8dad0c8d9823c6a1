"""Records read in columns equal those of the library's own poll, however a real broker stores them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import CorruptRecordError

from consumers.kafka.records.column_fetcher import polled_run, read_in_columns
from consumers.kafka.records.record_runs import RecordRun, RunBounds
from tests.consumers.kafka.broker.running_broker import RunningBroker

pytestmark = pytest.mark.kafka

BOUNDS = RunBounds(records_max=500, value_bytes_max=1 << 20)
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


@contextmanager
def consuming(broker: RunningBroker, topic: str, offset: int = 0, **options: Any) -> Iterator[Any]:
    client = KafkaConsumer(
        bootstrap_servers=broker.bootstrap, enable_auto_commit=False, auto_offset_reset="none", **options
    )
    try:
        client.assign([TopicPartition(topic, 0)])
        client.seek(TopicPartition(topic, 0), offset)
        yield client
    finally:
        client.close()


def in_columns(broker: RunningBroker, topic: str, end: int, offset: int = 0, **options: Any) -> list[RecordRun]:
    """The polled runs up to the end."""
    runs: list[RecordRun] = []
    with consuming(broker, topic, offset, **options) as client:
        assert read_in_columns(client, BOUNDS)
        while client.position(TopicPartition(topic, 0)) < end:
            for found in client.poll(1_000, max_records=1).values():
                runs += found
    return runs


def plainly(broker: RunningBroker, topic: str, end: int, offset: int = 0, **options: Any) -> RecordRun:
    """The records of the library's own poll, as one run."""
    records: list[Any] = []
    with consuming(broker, topic, offset, **options) as client:
        while client.position(TopicPartition(topic, 0)) < end:
            for found in client.poll(1_000, max_records=1_000).values():
                records += found
    return polled_run(records, offset, end)


def joined(runs: list[RecordRun]) -> RecordRun:
    whole = RecordRun.starting_at(runs[0].first_offset)
    for run in runs:
        whole.extend(run)
    return whole


def columns(run: RecordRun) -> list[Any]:
    headers = run.headers or [()] * len(run)
    return list(zip(run.offsets, run.timestamps_ms, run.keys, run.values, headers, strict=True))


@pytest.mark.parametrize("compression", [None, "gzip", "lz4", "zstd"])
def test_columns_equal_records_in_every_compression(broker: RunningBroker, compression: str | None) -> None:
    topic = broker.fresh_topic()
    with broker.producer(compression_type=compression, linger_ms=100, batch_size=100_000) as producer:
        for key, value, headers in VARIETY:
            producer.send(topic, key=key, value=value, headers=headers)
    end = len(VARIETY)
    runs = in_columns(broker, topic, end)
    assert columns(joined(runs)) == columns(plainly(broker, topic, end))
    assert [(key, value, list(headers)) for _, _, key, value, headers in columns(joined(runs))] == VARIETY
    assert joined(runs).value_bytes == sum(len(value or b"") for _, value, _ in VARIETY)


def test_snappy_needs_no_package(broker: RunningBroker) -> None:
    topic = broker.fresh_topic(configuration={"compression.type": "snappy"})
    with broker.producer(linger_ms=100) as producer:
        for key, value, headers in VARIETY:
            producer.send(topic, key=key, value=value, headers=headers)
    read = joined(in_columns(broker, topic, len(VARIETY)))
    assert [(key, value, list(headers)) for _, _, key, value, headers in columns(read)] == VARIETY


def test_reading_may_start_within_a_batch(broker: RunningBroker) -> None:
    topic = broker.fresh_topic()
    with broker.producer(linger_ms=500, batch_size=100_000) as producer:
        for number in range(50):
            producer.send(topic, value=b"%d" % number)
    for offset in (1, 25, 49):
        runs = in_columns(broker, topic, 50, offset)
        assert runs[0].first_offset == offset
        assert columns(joined(runs)) == columns(plainly(broker, topic, 50, offset))


def test_the_timestamp_is_the_brokers_where_the_topic_says_so(broker: RunningBroker) -> None:
    topic = broker.fresh_topic(configuration={"message.timestamp.type": "LogAppendTime"})
    with broker.producer() as producer:
        producer.send(topic, value=b"late", timestamp_ms=1_000_000)
    (time,) = joined(in_columns(broker, topic, 1)).timestamps_ms
    assert [time] == plainly(broker, topic, 1).timestamps_ms
    assert time > 1_000_000


def test_aborted_transactions_and_their_markers_are_left_out(broker: RunningBroker) -> None:
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
    end = broker.ends(topic)[0]
    committed: dict[str, Any] = {"isolation_level": "read_committed"}
    runs = in_columns(broker, topic, end, **committed)
    assert columns(joined(runs)) == columns(plainly(broker, topic, end, **committed))
    assert [value for run in runs for value in run.values] == [
        b"%d/%d" % (number, index) for number in (0, 2, 3, 5) for index in range(20)
    ]
    assert runs[-1].next_offset == end, "the last marker is behind us, too"
    everything = in_columns(broker, topic, end, isolation_level="read_uncommitted")
    assert len(joined(everything)) == 120


def test_runs_follow_each_other_without_a_gap(broker: RunningBroker) -> None:
    topic = broker.fresh_topic()
    with broker.producer(batch_size=2_000) as producer:
        for number in range(2_000):
            producer.send(topic, value=b"%d" % number)
    runs = in_columns(broker, topic, 2_000, max_partition_fetch_bytes=50_000)
    assert len(runs) >= 4
    assert all(len(run) >= BOUNDS.records_max or run is runs[-1] for run in runs[:1])
    assert [run.first_offset for run in runs[1:]] == [run.next_offset for run in runs[:-1]]
    assert joined(runs).offsets == list(range(2_000))


def test_a_paused_partition_goes_on_where_it_was(broker: RunningBroker) -> None:
    topic = broker.fresh_topic()
    partition = TopicPartition(topic, 0)
    with broker.producer(batch_size=1_000) as producer:
        for number in range(2_000):
            producer.send(topic, value=b"%d" % number)
    read: list[int] = []
    with consuming(broker, topic) as client:
        assert read_in_columns(client, BOUNDS)
        while len(read) < 2_000:
            for (run,) in client.poll(1_000, max_records=1).values():
                read += run.offsets
            client.pause(partition)
            assert client.poll(20, max_records=1) == {}
            client.resume(partition)
    assert read == list(range(2_000))


def test_a_batch_that_fails_its_checksum_is_refused_and_not_skipped(broker: RunningBroker) -> None:
    topic = broker.fresh_topic()
    with broker.producer() as producer:
        producer.send(topic, value=b"intact")
    with consuming(broker, topic) as client:
        assert read_in_columns(client, BOUNDS)
        client._fetcher.PartitionRecords = type(
            "Damaging", (client._fetcher.PartitionRecords,), {"_unpack_records": _damaging}
        )
        for _ in range(3):
            with pytest.raises(CorruptRecordError):
                client.poll(20_000, max_records=1)
        assert client.position(TopicPartition(topic, 0)) == 0


def _damaging(self: Any, tp: TopicPartition, records: Any, *rest: object) -> Iterator[Any]:
    """Unpack records whose bytes were damaged on their way."""
    damaged = bytearray(records._buffer)
    damaged[-1] ^= 1
    return super(type(self), self)._unpack_records(tp, type(records)(bytes(damaged)), *rest)  # type: ignore[no-any-return]
