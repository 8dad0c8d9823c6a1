"""Where a partition's stream ends in the log: from which offset to go on, and what the last poll rejected."""

from __future__ import annotations

from itertools import accumulate

import msgspec
import numpy as np
import pyarrow.compute as pc

from consumers.partition_batches import RejectedItem
from domain.errors import LogCorrupted
from domain.log.blocks import BlockHeader, decode_free, decode_typed, read_header
from domain.log.lifecycle_codec import decode_lifecycle
from domain.log.lifecycle_events import OffsetsAccepted, PartitionConsumed, RecordsLost
from domain.log.records import USAGE_BATCH_TOPIC, EventLog, LogRecord


class PartitionEnd(msgspec.Struct, frozen=True):
    """The last version of a partition's stream, 0 when it has none, and the offset to go on from."""

    version: int
    next_offset: int | None


def last_end(log: EventLog, stream: str) -> PartitionEnd:
    """The end of a partition's stream, from its last record."""
    record = log.last_record(stream)
    if record is None:
        return PartitionEnd(0, None)
    return PartitionEnd(record.version, next_offset_of(record))


def next_offset_of(record: LogRecord) -> int:
    """The offset to go on from after the last record of an append; `LogCorrupted` for a record that is none."""
    if record.topic == USAGE_BATCH_TOPIC:
        header = read_header(record.state)
        if "next_offset" in header.extra:
            return int(header.extra["next_offset"])
    else:
        match decode_lifecycle(record.topic, record.state):
            case PartitionConsumed(next_offset=offset) | OffsetsAccepted(next_offset=offset):
                return offset
            case RecordsLost(to_offset=offset):
                return offset
    raise LogCorrupted(f"version {record.version} of stream {record.stream!r} does not say where to go on")


def rejected_of_poll(log: EventLog, stream: str) -> list[RejectedItem]:
    """What the last poll of a partition rejected, in record order; empty when there is none."""
    found: list[RejectedItem] = []
    for record in _last_poll(log, stream):
        if record.topic == USAGE_BATCH_TOPIC:
            header = read_header(record.state)
            if header.rejected:
                found += _rejected(header, record.state)
    return sorted(found, key=lambda item: (item.offset, item.index))


def _last_poll(log: EventLog, stream: str) -> list[LogRecord]:
    """The records of the last poll in its own stream: what tells of lost or accepted offsets is none."""
    version = log.head_version(stream)
    while version:
        [record, *_] = log.stream(stream, version - 1)
        first = _first_version(record)
        if first is not None:
            return [one for one in log.stream(stream, first - 1) if one.version <= version]
        version -= 1
    return []


def _first_version(record: LogRecord) -> int | None:
    """Where the poll begins that this record closes; None when it closes none."""
    if record.topic == USAGE_BATCH_TOPIC:
        return int(read_header(record.state).extra["first_version"])
    event = decode_lifecycle(record.topic, record.state)
    return event.first_version if isinstance(event, PartitionConsumed) else None


def _rejected(header: BlockHeader, state: bytes) -> list[RejectedItem]:
    typed, free = decode_typed(state), decode_free(state)
    rows = np.flatnonzero(np.asarray(pc.is_valid(typed.column("reason")), dtype=bool)).tolist()
    places = header.extra["rejected"]
    offsets = accumulate(places[0::2], initial=header.first_offset)
    next(offsets)
    return [
        RejectedItem(
            offset,
            index,
            header.scope,
            typed.column("reason")[row].as_py(),
            free.column("detail")[row].as_py(),
            free.column("raw")[row].as_py() or b"",
        )
        for row, offset, index in zip(rows, offsets, places[1::2], strict=True)
    ]
