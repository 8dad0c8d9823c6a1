"""Decoded columns equal what the library's own reader returns, for any number of records."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

from consumers.kafka.records.record_decoder import TOGETHER_RECORDS_MIN, PackedBatch, unpacked
from consumers.kafka.records.record_runs import RecordRun

BYTES = st.none() | st.binary(max_size=20) | st.integers(100, 20_000).map(bytes)
RECORDS = st.lists(
    st.tuples(
        st.integers(0, 2**40),
        BYTES,
        BYTES,
        st.lists(st.tuples(st.text(max_size=5), st.none() | st.binary(max_size=70)), max_size=3),
    ),
    max_size=10,
)
Records = list[tuple[int, bytes | None, bytes | None, list[tuple[str, bytes | None]]]]


def written(records: Records, base_offset: int) -> DefaultRecordBatch:
    """A batch as a producer writes it."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 10_000_000)
    for delta, (time_ms, key, value, headers) in enumerate(records):
        builder.append(delta, time_ms, key, value, headers)
    made = bytearray(builder.build())
    made[:8] = base_offset.to_bytes(8, "big")
    return DefaultRecordBatch(bytes(made))


def packed(batch: DefaultRecordBatch, *, same_time: bool = False) -> PackedBatch:
    data = bytes(batch._buffer[batch._pos :])
    return PackedBatch(data, batch.records_count, batch.base_offset, batch.first_timestamp, same_time)


def rows(run: RecordRun) -> list[Any]:
    headers = run.headers or [()] * len(run)
    return list(zip(run.offsets, run.timestamps_ms, run.keys, run.values, map(list, headers), strict=True))


@given(st.lists(RECORDS.filter(bool), min_size=1, max_size=3), st.sampled_from([1, TOGETHER_RECORDS_MIN]))
def test_columns_equal_what_the_library_reads(sent: list[Records], repeated: int) -> None:
    """Repeated often enough to be decoded together, and one by one otherwise."""
    batches, expected, offset = [], [], 5
    for records in sent:
        batch = written(records * repeated, offset)
        batches.append(packed(batch))
        for one in written(records * repeated, offset):
            expected.append((one.offset, one.timestamp, one.key, one.value, one.headers))
        offset += batch.records_count
    run = unpacked(batches, 5, offset)
    assert rows(run) == expected
    assert (run.first_offset, run.next_offset) == (5, offset)
    assert run.value_bytes == sum(len(value or b"") for _, _, _, value, _ in expected)
    later = unpacked(batches, 7, offset)
    assert rows(later) == [row for row in expected if row[0] >= 7]


def test_a_batch_that_compaction_has_emptied_is_no_record() -> None:
    empty = PackedBatch(b"", 0, 3, 0, False)
    full = packed(written([(1, b"k", b"v", [])], 4))
    assert rows(unpacked([empty], 3, 4)) == []
    assert [row[0] for row in rows(unpacked([empty, full, empty], 3, 5))] == [4]


def test_one_time_may_hold_for_a_whole_batch() -> None:
    batch = packed(written([(1_000, None, b"a", []), (2_000, None, b"b", [])], 0), same_time=True)
    assert unpacked([batch], 0, 2).timestamps_ms == [batch.first_ms] * 2


@given(st.integers(1, 3), st.data())
def test_damaged_lengths_are_refused_and_never_read_past(repeated: int, data: st.DataObject) -> None:
    records: Records = [(1, b"key", b"value", [("name", b"text")])] * (repeated * TOGETHER_RECORDS_MIN // 2)
    whole = packed(written(records, 0))
    cut = data.draw(st.integers(0, len(whole.data) - 1))
    with pytest.raises((ValueError, IndexError)):
        unpacked([PackedBatch(whole.data[:cut], whole.count, 0, 0, False)], 0, 1)
