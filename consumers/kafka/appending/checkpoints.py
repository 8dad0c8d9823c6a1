"""The checkpoint of a partition as the log has it: the next offset to read, and what the last polls rejected."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from typing import Final

import msgspec
import numpy as np
import pyarrow.compute as pc

from consumers.kafka.appending.batches import RejectedItem
from domain.errors import LogCorrupted
from domain.event import LifecycleEvent
from domain.log.blocks import BlockHeader, decode_free, decode_typed, read_header
from domain.log.event_codec import decode_lifecycle
from domain.log.records import USAGE_BATCH_TOPIC, EventLog, LogRecord
from domain.sources.events import OffsetsAccepted, PartitionConsumed, PartitionTruncated, RecordsLost

#: Bounds of `rejected_since`: polls looked at, and bytes and items after which no older poll is looked at.
POLLS_AGAIN_MAX: Final = 500
BYTES_AGAIN_MAX: Final = 16 * 1024 * 1024
ITEMS_AGAIN_MAX: Final = 10_000


class PartitionCheckpoint(msgspec.Struct, frozen=True):
    """The last version of a partition's stream, 0 when it is empty, and the next offset to read.

    `leader_epoch` is that of the record before this offset; None when it is not known. `truncated_at` is the offset
    from which on the broker lacked records that were read: nothing is read until an operator accepts that; None
    otherwise. `last_command_us`: see `record_times.assign_record_times`.
    """

    version: int
    next_offset: int | None
    leader_epoch: int | None = None
    truncated_at: int | None = None
    last_command_us: int | None = None


def last_checkpoint(log: EventLog, stream: str) -> PartitionCheckpoint:
    """Return the checkpoint in the last record of a stream. Raises `LogCorrupted` when that record holds none."""
    record = log.last_record(stream)
    if record is None:
        return PartitionCheckpoint(0, None)
    if record.topic == USAGE_BATCH_TOPIC:
        extra = read_header(record.state).extra
        found = PartitionCheckpoint(
            record.version,
            extra.get("next_offset"),
            extra.get("leader_epoch"),
            last_command_us=extra.get("last_command_us"),
        )
    else:
        found = checkpoint_after(record.version, decode_lifecycle(record.topic, record.state))
    if found.next_offset is None:
        raise LogCorrupted(f"version {record.version} of stream {record.stream!r} holds no offset to continue from")
    return found


def checkpoint_after(version: int, event: LifecycleEvent) -> PartitionCheckpoint:
    """Return the checkpoint of a stream whose last event this is; its offset is None where the event holds none."""
    match event:
        case PartitionConsumed(next_offset=offset, leader_epoch=epoch, last_command_us=command_us):
            return PartitionCheckpoint(version, offset, epoch, last_command_us=command_us)
        case OffsetsAccepted(next_offset=offset) | RecordsLost(to_offset=offset):
            return PartitionCheckpoint(version, offset)
        case PartitionTruncated(next_offset=offset, end_offset=truncated_at):
            return PartitionCheckpoint(version, offset, None, truncated_at)
    return PartitionCheckpoint(version, None)


def rejected_since(log: EventLog, stream: str, version: int, offset: int | None) -> list[RejectedItem]:
    """Return what the polls of a partition rejected at `offset` and above, in record order; None: in the last poll.

    Looks at versions up to `version`, from the last backwards. Stops at the bounds of this module, and at an accepted
    offset, before which the same offsets were those of other records.
    """
    found: list[RejectedItem] = []
    kept_bytes = 0
    for number, poll in enumerate(_polls(log, stream, version), 1):
        rejected = [item for item in _rejected_of(poll) if offset is None or item.offset >= offset]
        found = rejected + found
        kept_bytes += sum(len(item.raw) for item in rejected)
        is_bounded = number >= POLLS_AGAIN_MAX or len(found) >= ITEMS_AGAIN_MAX or kept_bytes >= BYTES_AGAIN_MAX
        if offset is None or is_bounded or _first_offset(poll) <= offset:
            break
    return found


def _polls(log: EventLog, stream: str, version: int) -> Iterator[list[LogRecord]]:
    """The records of each poll in a partition's stream, the last poll first."""
    seen = False
    while version:
        (record,) = log.stream(stream, version - 1, 1)
        first = _first_version(record)
        if first is not None:
            yield log.stream(stream, first - 1, version - first + 1)
            seen, version = True, first
        elif seen and isinstance(decode_lifecycle(record.topic, record.state), OffsetsAccepted):
            return
        version -= 1


def _first_version(record: LogRecord) -> int | None:
    """The first version of the poll that this record closes; None for lost, accepted or truncated offsets."""
    if record.topic == USAGE_BATCH_TOPIC:
        return int(read_header(record.state).extra["first_version"])
    event = decode_lifecycle(record.topic, record.state)
    return event.first_version if isinstance(event, PartitionConsumed) else None


def _first_offset(poll: list[LogRecord]) -> int:
    """The first offset of a poll; of a poll of usage only, that of its first stored item."""
    closing = poll[-1]
    if closing.topic != USAGE_BATCH_TOPIC:
        event = decode_lifecycle(closing.topic, closing.state)
        if isinstance(event, PartitionConsumed):
            return event.first_offset
    return min(read_header(record.state).first_offset for record in poll if record.topic == USAGE_BATCH_TOPIC)


def _rejected_of(poll: list[LogRecord]) -> list[RejectedItem]:
    found: list[RejectedItem] = []
    for record in poll:
        if record.topic == USAGE_BATCH_TOPIC:
            header = read_header(record.state)
            if header.rejected:
                found += _rejected(header, record.state)
    return sorted(found, key=lambda item: (item.offset, item.index))


def _rejected(header: BlockHeader, state: bytes) -> list[RejectedItem]:
    typed, free = decode_typed(state), decode_free(state)
    rows = np.flatnonzero(np.asarray(pc.is_valid(typed.column("reason")), dtype=bool)).tolist()
    pairs = header.extra["rejected"]
    offsets = accumulate(pairs[0::2], initial=header.first_offset)
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
        for row, offset, index in zip(rows, offsets, pairs[1::2], strict=True)
    ]
