"""Decode the records of Kafka batches (format 2, decompressed) into columns.

    record: length, attributes (a byte), timestamp delta, offset delta, key length, key, value length, value,
            number of headers, headers (name length, name, value length, value)

Numbers are zigzag varints: seven bits a byte, the lowest first; a length of -1 stands for null. Where a record begins
is only known from the one before, so a loop finds that; all other fields are decoded for all records at once. A small
number of records is decoded one by one, which is faster than preparing the arrays.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from consumers.kafka.records.record_runs import NO_HEADERS, Headers, RecordRun

#: Fewer records are decoded one by one.
TOGETHER_RECORDS_MIN: Final = 120
NUMBER_BITS_MAX: Final = 63

_Numbers = npt.NDArray[np.uint64]
_Positions = npt.NDArray[np.int64]
_Deltas = npt.NDArray[np.int64]
_ONE: Final = np.uint64(1)


class PackedBatch(msgspec.Struct, frozen=True):
    """The records of one batch, decompressed. Timestamps are `first_ms` plus a delta, without it for `same_time`."""

    data: bytes
    count: int
    base_offset: int
    first_ms: int
    same_time: bool


class _Fields(msgspec.Struct, frozen=True):
    """Columns of all records, offsets and timestamps as deltas."""

    times: _Deltas
    offsets: _Deltas
    keys: list[bytes | None]
    values: list[bytes | None]
    headers: list[Headers] | None
    value_bytes: int


def unpacked(batches: Sequence[PackedBatch], first_offset: int, next_offset: int) -> RecordRun:
    """Decode consecutive batches, without the records before `first_offset`.

    Raises `ValueError` or `IndexError` when the lengths are inconsistent.
    """
    if not batches:
        return RecordRun(first_offset, next_offset, [], [], [], [], None, 0)
    data, count = b"".join(batch.data for batch in batches), sum(batch.count for batch in batches)
    fields = _one_by_one(data, count) if count < TOGETHER_RECORDS_MIN else _together(data, count)
    counts = [batch.count for batch in batches]
    offsets = np.repeat([batch.base_offset for batch in batches], counts) + fields.offsets
    deltas = np.where(np.repeat([batch.same_time for batch in batches], counts), 0, fields.times)
    times_ms = np.repeat([batch.first_ms for batch in batches], counts) + deltas
    run = RecordRun(
        first_offset,
        next_offset,
        offsets.tolist(),
        times_ms.tolist(),
        fields.keys,
        fields.values,
        fields.headers,
        fields.value_bytes,
    )
    return _from(run, first_offset) if run.offsets and run.offsets[0] < first_offset else run


def _from(run: RecordRun, first_offset: int) -> RecordRun:
    """The run without the records before an offset: a broker returns whole batches."""
    skipped = bisect_left(run.offsets, first_offset)
    values = run.values[skipped:]
    return RecordRun(
        first_offset,
        run.next_offset,
        run.offsets[skipped:],
        run.timestamps_ms[skipped:],
        run.keys[skipped:],
        values,
        None if run.headers is None else run.headers[skipped:],
        sum(len(value) for value in values if value is not None),
    )


def _together(data: bytes, count: int) -> _Fields:
    raw = np.frombuffer(data, np.uint8)
    bodies, ends = _bodies(data, count)
    times, at = _numbers(raw, bodies + 1)  # after the attributes, of which none are defined
    deltas, at = _numbers(raw, at)
    keys, _, at = _texts(data, raw, at)
    values, value_bytes, at = _texts(data, raw, at)
    header_counts, at = _numbers(raw, at)
    headers: list[Headers] | None = None
    if header_counts.any():
        found = [_headers(data, number, pos) for number, pos in zip(header_counts.tolist(), at.tolist(), strict=True)]
        headers = [one for one, _ in found]
        at = np.array([end for _, end in found], np.int64)
    if not np.array_equal(at, ends):
        raise ValueError("a record has another length than it says")
    return _Fields(_signed(times), _signed(deltas), keys, values, headers, value_bytes)


def _signed(zigzag: _Numbers) -> _Deltas:
    return ((zigzag >> _ONE) ^ (~(zigzag & _ONE) + _ONE)).view(np.int64)


def _bodies(data: bytes, count: int) -> tuple[_Positions, _Positions]:
    """The start of each record after its length, and its end."""
    bodies: list[int] = []
    ends: list[int] = []
    pos = 0
    for _ in range(count):
        number = data[pos]
        pos += 1
        if number > 0x7F:
            more = data[pos]
            if more < 0x80:
                number = (number & 0x7F) | (more << 7)
                pos += 1
            else:
                number, pos = _long_number(data, number, pos)
        bodies.append(pos)
        pos += number >> 1
        ends.append(pos)
    if pos != len(data):
        raise ValueError("the records are shorter or longer than their batch")
    return np.array(bodies, np.int64), np.array(ends, np.int64)


def _numbers(raw: npt.NDArray[np.uint8], at: _Positions) -> tuple[_Numbers, _Positions]:
    """The number at each position, still zigzag-encoded, and the positions after them."""
    first = raw[at]
    numbers = (first & 0x7F).astype(np.uint64)
    at = at + 1
    longer = np.flatnonzero(first > 0x7F)
    shift = 7
    while longer.size:
        if shift > NUMBER_BITS_MAX:
            raise ValueError("a number has more than 64 bits")
        more = raw[at[longer]]
        numbers[longer] |= (more & 0x7F).astype(np.uint64) << np.uint64(shift)
        at[longer] += 1
        longer, shift = longer[more > 0x7F], shift + 7
    return numbers, at


def _texts(data: bytes, raw: npt.NDArray[np.uint8], at: _Positions) -> tuple[list[bytes | None], int, _Positions]:
    """The length-prefixed bytes at each position, their total length, and the positions after them."""
    lengths, starts = _numbers(raw, at)
    nulls = (lengths & _ONE).astype(bool)
    sizes = np.where(nulls, 0, lengths >> _ONE).astype(np.int64)
    stops = starts + sizes
    texts: list[bytes | None] = [data[start:stop] for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)]
    for row in np.flatnonzero(nulls).tolist():
        texts[row] = None
    return texts, int(sizes.sum()), stops


def _one_by_one(data: bytes, count: int) -> _Fields:  # noqa: C901 -- the inner loop: a call costs more than the work
    deltas: list[int] = []
    times: list[int] = []
    keys: list[bytes | None] = []
    values: list[bytes | None] = []
    headers: list[Headers] | None = None
    value_bytes = pos = 0
    for row in range(count):
        number = data[pos]
        pos += 1
        if number > 0x7F:
            number, pos = _long_number(data, number, pos)
        end = pos + (number >> 1)
        pos += 1  # attributes: none are defined
        number = data[pos]
        pos += 1
        if number > 0x7F:
            number, pos = _long_number(data, number, pos)
        times.append((number >> 1) ^ -(number & 1))
        number = data[pos]
        pos += 1
        if number > 0x7F:
            number, pos = _long_number(data, number, pos)
        deltas.append((number >> 1) ^ -(number & 1))
        number = data[pos]
        pos += 1
        if number > 0x7F:
            number, pos = _long_number(data, number, pos)
        if number & 1:
            keys.append(None)
        else:
            start = pos
            pos += number >> 1
            keys.append(data[start:pos])
        number = data[pos]
        pos += 1
        if number > 0x7F:
            number, pos = _long_number(data, number, pos)
        if number & 1:
            values.append(None)
        else:
            start = pos
            pos += number >> 1
            value_bytes += number >> 1
            values.append(data[start:pos])
        number = data[pos]
        pos += 1
        if number:
            if headers is None:
                headers = [NO_HEADERS] * row
            if number > 0x7F:
                number, pos = _long_number(data, number, pos)
            found, pos = _headers(data, number, pos)
            headers.append(found)
        elif headers is not None:
            headers.append(NO_HEADERS)
        if pos != end:
            raise ValueError("a record has another length than it says")
    if pos != len(data):
        raise ValueError("there are bytes after the last record")
    return _Fields(np.array(times, np.int64), np.array(deltas, np.int64), keys, values, headers, value_bytes)


def _long_number(data: bytes, number: int, pos: int) -> tuple[int, int]:
    """A number of two to ten bytes that begins with `number`, still zigzag-encoded, and the position after it."""
    number &= 0x7F
    shift = 7
    while True:
        byte = data[pos]
        pos += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, pos
        shift += 7
        if shift > 63:
            raise ValueError("a number has more than 64 bits")


def _headers(data: bytes, count: int, pos: int) -> tuple[Headers, int]:
    """`count` (zigzag-encoded) headers, and the position after them."""
    if count & 1:
        raise ValueError("a negative number of headers")
    found: list[tuple[str, bytes | None]] = []
    for _ in range(count >> 1):
        size, pos = _long_number(data, data[pos], pos + 1) if data[pos] > 0x7F else (data[pos], pos + 1)
        if size & 1:
            raise ValueError("a header without a name")
        name = data[pos : pos + (size >> 1)].decode(errors="replace")  # a malformed name must not stop the partition
        pos += size >> 1
        size, pos = _long_number(data, data[pos], pos + 1) if data[pos] > 0x7F else (data[pos], pos + 1)
        if size & 1:
            found.append((name, None))
        else:
            found.append((name, data[pos : pos + (size >> 1)]))
            pos += size >> 1
    return tuple(found), pos
