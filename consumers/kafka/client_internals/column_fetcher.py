"""Read Kafka records as columns: lists of keys and values, without an object for each record.

The library stays in charge of group membership, metadata, fetching, positions and aborted transactions. Only the last
step is replaced: where it makes a tuple of thirteen fields for each record, a whole batch is decoded at once.

1. `read_in_columns` replaces the reader that a consumer makes for each fetched partition, and has it given the id of
   the topic (`fetch_by_topic_id`).
2. That reader returns `RecordRun`s instead of records; a poll for one "record" is a poll for one run.
3. A run ends at the first end of a broker's batch at which one of its bounds is reached.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pyarrow as pa
from kafka import IsolationLevel, TopicPartition
from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError, UnsupportedCodecError, UnsupportedForMessageFormatError
from kafka.record import MemoryRecords
from kafka.record.default_records import DefaultRecordBatch

from consumers.kafka.client_internals.fetch_by_topic_id import fetch_by_id
from consumers.kafka.records.record_decoder import PackedBatch, unpacked
from consumers.kafka.records.record_runs import RecordRun, RunBounds

OLDEST_FORMAT: Final = 2
_XERIAL_MAGIC: Final = b"\x82SNAPPY\x00"
_XERIAL_HEADER_BYTES: Final = 16


def read_in_columns(fetcher: Fetcher, cluster: Any, bounds: RunBounds) -> None:
    """Make `consumer.poll(max_records=n)` return lists of at most `n` `RecordRun`s, from the first poll on.

    `fetcher` and `cluster` are those of the consumer, which must not have polled before.
    """
    subscriptions = fetcher._subscriptions  # noqa: SLF001

    def epoch_at(partition: TopicPartition) -> int:
        state = subscriptions.assignment.get(partition)  # the group may have just revoked it
        return -1 if state is None or state.position is None else int(state.position.leader_epoch)

    bound = {"bounds": bounds, "epoch_at": staticmethod(epoch_at)}
    fetcher.PartitionRecords = type("BoundColumns", (PartitionColumns,), bound)
    fetch_by_id(fetcher, cluster)


class PartitionColumns(Fetcher.PartitionRecords):  # type: ignore[misc]
    """Reads the fetched data of one partition as runs."""

    bounds: RunBounds
    leader_epoch = -1
    topic_id: str | None = None

    def __init__(self, fetch_offset: int, tp: TopicPartition, *args: Any, **kwargs: Any) -> None:
        super().__init__(fetch_offset, tp, *args, **kwargs)
        # The epoch of the record before the fetch offset, for a fetch that brings no records.
        self.leader_epoch = self.epoch_at(tp)

    @staticmethod
    def epoch_at(tp: TopicPartition) -> int:
        """Return the leader epoch of the record before the position in this partition, -1 when it is not known."""
        return -1

    def take(self, n: int | None = None) -> list[RecordRun]:
        """Return at most one run, whatever `n` is.

        An unreadable batch raises its error, again with every fetch of it: nothing is skipped.
        """
        error: Exception | None = self._next_inline_exception
        self._next_inline_exception: Exception | None = None
        first_offset = self.next_fetch_offset
        batches: list[PackedBatch] = []
        records = size = 0
        try:
            if error is not None:
                raise error
            while not self.bounds.reached_by(records, size):
                batch = next(self.record_iterator, None)
                if batch is None:
                    break
                batches.append(batch)
                records, size = records + batch.count, size + len(batch.data)
        except Exception as problem:
            if not batches:
                self.drain()  # the rest must be fetched again
                raise
            self._next_inline_exception = problem
        return self._run(batches, first_offset)

    def _run(self, batches: list[PackedBatch], first_offset: int) -> list[RecordRun]:
        try:
            run = unpacked(batches, first_offset, self.next_fetch_offset)
        except (IndexError, ValueError) as error:
            self.drain()
            raise CorruptRecordError(f"a record from offset {first_offset} on is malformed") from error
        self.records_read += len(run)
        self.bytes_read += run.value_bytes
        run.leader_epoch, run.topic_id = None if self.leader_epoch < 0 else self.leader_epoch, self.topic_id
        # Without records, too: aborted batches have been read, and the position must pass them.
        return [run] if run.next_offset > first_offset else []

    def _maybe_skip_record(self, batch: PackedBatch) -> bool:
        return False  # done while unpacking

    def _unpack_records(self, tp: TopicPartition, records: MemoryRecords, *_: object) -> Iterator[PackedBatch]:
        """The broker's batches, checked and decompressed, without control and aborted ones.

        Follows the replaced method step by step.
        """
        batch = records.next_batch()
        while batch is not None:
            if self.check_crcs and not batch.validate_crc():
                raise CorruptRecordError(f"the batch of {tp} at offset {batch.base_offset} fails its checksum")
            if batch.magic < OLDEST_FORMAT:
                raise UnsupportedForMessageFormatError(f"{tp} has records in the format of brokers before 0.11")
            packed = None if self._is_left_out(batch) else _packed(batch)
            self.next_fetch_offset, self.leader_epoch = batch.next_offset, batch.leader_epoch
            if packed is not None:
                yield packed
            batch = records.next_batch()
        self.drain()

    def _is_left_out(self, batch: DefaultRecordBatch) -> bool:
        if self.isolation_level == IsolationLevel.READ_COMMITTED and batch.has_producer_id():
            self._consume_aborted_transactions_up_to(batch.last_offset)
            if self._contains_abort_marker(batch):
                self.aborted_producer_ids.discard(batch.producer_id)
            elif self._is_batch_aborted(batch):
                return True
        return bool(batch.is_control_batch)


def _packed(batch: DefaultRecordBatch) -> PackedBatch:
    by_broker = batch.timestamp_type == batch.LOG_APPEND_TIME
    try:
        data = _record_bytes(batch)
    except (UnsupportedCodecError, MemoryError):
        raise
    except Exception as error:  # every codec has its own
        raise CorruptRecordError(f"the batch at offset {batch.base_offset} cannot be decompressed") from error
    first_ms = batch.max_timestamp if by_broker else batch.first_timestamp
    return PackedBatch(data, batch.records_count, batch.base_offset, first_ms, by_broker)


def _record_bytes(batch: DefaultRecordBatch) -> bytes:
    """The bytes of all records of a batch, decompressed."""
    if batch.compression_type != batch.CODEC_SNAPPY:
        batch._maybe_uncompress()  # noqa: SLF001 -- what this whole file is about
        return bytes(memoryview(batch._buffer)[batch._pos :])  # noqa: SLF001
    return _snappy_bytes(bytes(memoryview(batch._buffer)[batch._pos :]))  # noqa: SLF001


def _snappy_bytes(packed: bytes) -> bytes:
    """Decompress snappy as Java clients (framed in blocks) and others (one block) write it, with pyarrow alone."""
    if not packed.startswith(_XERIAL_MAGIC):
        return _snappy_block(packed)
    blocks, pos = [], _XERIAL_HEADER_BYTES
    while pos < len(packed):
        size = int.from_bytes(packed[pos : pos + 4], "big")
        blocks.append(_snappy_block(packed[pos + 4 : pos + 4 + size]))
        pos += 4 + size
    return b"".join(blocks)


def _snappy_block(block: bytes) -> bytes:
    size = shift = pos = 0
    while True:
        byte = block[pos]
        size |= (byte & 0x7F) << shift
        pos, shift = pos + 1, shift + 7
        if byte < 0x80:
            break
    try:
        unpacked: bytes = pa.decompress(block, decompressed_size=size, codec="snappy", asbytes=True)
    except (pa.ArrowException, OSError) as error:
        raise ValueError("not snappy") from error
    return unpacked
