"""Events of the log as rows of a fold step: of whole blocks, or by locator, with the position at which they claim."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec
import numpy as np
import pyarrow as pa

from domain.errors import LogCorrupted
from domain.log.records import BLOCK_TOPICS, EventLog, LogRecord
from domain.usage.locators import LOCATOR_ROW_BITS
from domain.values.instants import epoch_microseconds
from projections.folding.fold_state import FoldState
from projections.folding.usage_blocks import FoldBlock, StepRows, concatenate_blocks, decoded_block
from projections.identity.entries import U64


class ClaimPoint(msgspec.Struct, frozen=True):
    """The record by which events claim, and the instant at which it was written."""

    position: int
    recorded_at: datetime


def events_of_record(record: LogRecord, state: FoldState, at: ClaimPoint) -> StepRows:
    """Return all events of one block, in order."""
    return _claiming(concatenate_blocks([_decoded(record, state, free=True)]), at)


def events_of_blocks(
    log: EventLog, positions: Sequence[int], state: FoldState, at: ClaimPoint, *, free: bool
) -> StepRows:
    """Return all events of these blocks, in order. `free` false: without the columns that only rows need."""
    return _claiming(concatenate_blocks([_block(log, position, state, free) for position in positions]), at)


def events_at(log: EventLog, locators: U64, state: FoldState, at: ClaimPoint, *, free: bool) -> StepRows:
    """Return the events at these locators, in their order, each in its block."""
    positions = (locators >> np.uint64(LOCATOR_ROW_BITS)).astype(np.int64)
    distinct = np.unique(positions)
    rows = concatenate_blocks([_block(log, position, state, free) for position in distinct.tolist()])
    order = np.argsort(rows.locators)
    wanted = order[np.searchsorted(rows.locators[order], locators.astype(np.int64))]
    return _claiming(taken_rows(rows, wanted), at)


def taken_rows(rows: StepRows, wanted: np.ndarray) -> StepRows:
    """Return these rows, in this order."""
    at = pa.array(wanted)
    return StepRows(
        typed=rows.typed.take(at),
        free=rows.free.take(at),
        positions=rows.positions[wanted],
        locators=rows.locators[wanted],
        scope_keys=rows.scope_keys[wanted],
        recorded_us=rows.recorded_us[wanted],
        streams=rows.streams.take(at),
    )


def block_chunks(counts: Sequence[int], events_max: int) -> Iterator[slice]:
    """Divide blocks with so many events into runs of at most `events_max` events, or of one block."""
    first, events = 0, 0
    for number, count in enumerate(counts):
        if number > first and events + count > events_max:
            yield slice(first, number)
            first, events = number, 0
        events += count
    if first < len(counts):
        yield slice(first, len(counts))


def _claiming(rows: StepRows, at: ClaimPoint) -> StepRows:
    recorded = epoch_microseconds(at.recorded_at)
    return msgspec.structs.replace(
        rows, positions=np.full_like(rows.positions, at.position), recorded_us=np.full_like(rows.recorded_us, recorded)
    )


def _block(log: EventLog, position: int, state: FoldState, free: bool) -> FoldBlock:
    return _decoded(_record(log, position), state, free=free)


def _decoded(record: LogRecord, state: FoldState, *, free: bool) -> FoldBlock:
    return decoded_block(record, lambda header: state.scope_key(header.scope), free=free)


def _record(log: EventLog, position: int) -> LogRecord:
    records = log.read(position - 1, 1)
    if not records or records[0].position != position or records[0].topic not in BLOCK_TOPICS:
        raise LogCorrupted(f"log position {position} holds no usage batch, though a backfill names it")
    return records[0]
