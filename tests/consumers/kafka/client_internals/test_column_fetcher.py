"""Batches decoded as a whole: what the library itself cannot unpack, and what it must not skip."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.errors import CorruptRecordError

from consumers.kafka.client_internals.column_fetcher import PartitionColumns
from consumers.kafka.records.record_decoder import PackedBatch
from tests.consumers.kafka.broker.readers import BOUNDS, joined, reading, rows, runs_to
from tests.consumers.kafka.broker.running_broker import RunningBroker
from tests.consumers.kafka.reading.test_readers import VARIETY

pytestmark = pytest.mark.kafka


def test_snappy_needs_no_package(broker: RunningBroker) -> None:
    topic = broker.fresh_topic(configuration={"compression.type": "snappy"})
    with broker.producer(linger_ms=100) as producer:
        for key, value, headers in VARIETY:
            producer.send(topic, key=key, value=value, headers=headers)
    with reading("insides", broker, TopicPartition(topic, 0)) as reader:
        read = rows(runs_to(reader, len(VARIETY)))
    assert [(key, value, list(headers)) for _, _, key, value, headers in read] == VARIETY


def test_a_batch_that_fails_its_checksum_is_refused_and_not_skipped(broker: RunningBroker) -> None:
    topic = broker.fresh_topic()
    with broker.producer() as producer:
        producer.send(topic, value=b"intact")
    with reading("insides", broker, TopicPartition(topic, 0)) as reader:
        fetcher = reader.client._fetcher
        fetcher.PartitionRecords = type("Damaging", (fetcher.PartitionRecords,), {"_unpack_records": _damaging})
        for _ in range(3):
            with pytest.raises(CorruptRecordError):
                reader.poll(20)
        assert reader.client.position(TopicPartition(topic, 0)) == 0


def _damaging(self: Any, tp: TopicPartition, records: Any, *rest: object) -> Iterator[Any]:
    """Unpack records whose bytes were damaged on their way."""
    damaged = bytearray(records._buffer)
    damaged[-1] ^= 1
    return super(type(self), self)._unpack_records(tp, type(records)(bytes(damaged)), *rest)  # type: ignore[no-any-return]


class LeftOut(PartitionColumns):
    """A fetch of aborted batches only: the library's position passes them, and it returns no record."""

    bounds = BOUNDS

    def __init__(self, first: int, end: int) -> None:
        self.next_fetch_offset = first
        self._next_inline_exception = None
        self.records_read = self.bytes_read = 0
        self.record_iterator = self._nothing(end)

    def _nothing(self, end: int) -> Iterator[PackedBatch]:
        self.next_fetch_offset = end
        yield from ()


def test_aborted_batches_alone_are_a_run_without_records() -> None:
    run = joined(LeftOut(10, 5_000).take(1))
    assert (run.first_offset, run.next_offset, run.offsets) == (10, 5_000, [])
    assert LeftOut(10, 10).take(1) == []
