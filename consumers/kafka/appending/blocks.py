"""Build usage blocks from one poll: decode items once, lay them out in layers, keep what dead letters need."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from datetime import datetime
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from consumers.intake.options import IntakeOptions
from consumers.kafka.appending.batches import RejectedItem, UsageRun
from consumers.kafka.appending.ordering import Layers
from consumers.prices.own_units import OwnUnitsOf
from consumers.prices.usage_objects.reading import read_usage
from domain.log.blocks import BlockBuffers, encode_buffers
from domain.scope import Scope
from domain.usage.block_schema import BLOCK_EVENTS_MAX
from domain.usage.decoding.decoder import DecodedEvents, DecodingContext, ItemRun, decode_items
from domain.usage.decoding.single_event import RAW_KEPT_BYTES_MAX

#: The header of a block lists the offset of each rejected row and is bounded: a block with more of them is split.
REJECTED_ROWS_MAX: Final = 2_000

Rows = npt.NDArray[np.int64]


class DecodedChunk(msgspec.Struct):
    """Decoded usage of one scope in record order, up to a block. `part_of_row` is the number of each row's part."""

    scope: Scope
    decoded: DecodedEvents
    offsets: Rows
    indexes: Rows
    part_of_row: Rows
    rejected: list[RejectedItem]


class PartitionBlock(msgspec.Struct, frozen=True):
    """A block that has no version in the stream yet.

    `rejected_pairs` is a flat list of a pair for each rejected row in order: its offset less that of the rejected row
    before it (for the first: less the block's first offset), and its index.
    """

    scope: Scope
    buffers: BlockBuffers
    first_offset: int
    last_offset: int
    rejected_pairs: list[int]


def decoded_chunks(
    runs: Sequence[tuple[int, UsageRun]],
    hash_seed: int,
    recorded_at: datetime,
    options: IntakeOptions,
    own_units: OwnUnitsOf,
) -> list[DecodedChunk]:
    """Decode the items of a poll by scope, at most a block at a time. `runs`: (number of the part, run), ascending."""
    by_scope: dict[Scope, list[tuple[int, UsageRun]]] = {}
    for number, run in runs:
        by_scope.setdefault(run.scope, []).append((number, run))
    chunks = []
    for scope, of_scope in by_scope.items():
        tolerance, bytes_max = options.future_tolerance, options.event_bytes_max
        units = own_units(scope)
        context = DecodingContext(scope, hash_seed, recorded_at, tolerance, bytes_max, read_usage, units)
        chunks += [_decoded(slices, context) for slices in _block_slices(of_scope)]
    return chunks


class _RunSlice(msgspec.Struct):
    """Rows [start, end) of a run, and the number of its part."""

    part: int
    run: UsageRun
    start: int
    end: int


def _block_slices(runs: Sequence[tuple[int, UsageRun]]) -> Iterator[list[_RunSlice]]:
    """Runs end to end, cut where a block is full."""
    slices: list[_RunSlice] = []
    room = BLOCK_EVENTS_MAX
    for part, run in runs:
        start = 0
        while start < len(run.items):
            end = min(len(run.items), start + room)
            slices.append(_RunSlice(part, run, start, end))
            room -= end - start
            start = end
            if not room:
                yield slices
                slices, room = [], BLOCK_EVENTS_MAX
    if slices:
        yield slices


def _decoded(slices: Sequence[_RunSlice], context: DecodingContext) -> DecodedChunk:
    decoded = decode_items([_item_run(one) for one in slices], context)
    offsets = np.concatenate([np.array(one.run.offsets[one.start : one.end], dtype=np.int64) for one in slices])
    indexes = np.concatenate([_indexes(one) for one in slices])
    counts = [one.end - one.start for one in slices]
    parts = np.repeat(np.array([one.part for one in slices], dtype=np.int64), counts)
    chunk = DecodedChunk(context.scope, decoded, offsets, indexes, parts, [])
    if decoded.rejected_rows:
        items = [item for one in slices for item in one.run.items[one.start : one.end]]
        chunk.rejected = _rejected_items(chunk, items)
    return chunk


def _item_run(part: _RunSlice) -> ItemRun:
    run, rows = part.run, slice(part.start, part.end)
    arrivals_us: Sequence[int | None] = run.arrivals_us[rows]
    if arrivals_us and min(run.arrivals_us[rows]) < 0:
        arrivals_us = [None if at < 0 else at for at in run.arrivals_us[rows]]
    customers = None if run.customers is None else run.customers[rows]
    return ItemRun(run.items[rows], customers=customers, arrivals_us=arrivals_us)


def _indexes(part: _RunSlice) -> Rows:
    if part.run.indexes is None:
        return np.zeros(part.end - part.start, dtype=np.int64)
    return np.array(part.run.indexes[part.start : part.end], dtype=np.int64)


def _rejected_items(chunk: DecodedChunk, items: Sequence[bytes]) -> list[RejectedItem]:
    reasons, details = chunk.decoded.typed.column("reason"), chunk.decoded.free.column("detail")
    return [
        RejectedItem(
            int(chunk.offsets[row]),
            int(chunk.indexes[row]),
            chunk.scope,
            reasons[row].as_py(),
            details[row].as_py(),
            items[row][:RAW_KEPT_BYTES_MAX],
        )
        for row in chunk.decoded.rejected_rows
    ]


def row_layers(
    chunks: Sequence[DecodedChunk], commands: Sequence[tuple[int, Hashable]]
) -> tuple[list[Rows], list[int]]:
    """Return the layer of every row of every chunk, and of every command.

    `commands`: the number of each command's part, and its subject, which is (scope, id) for a customer.
    """
    if not commands:
        return [np.zeros(len(chunk.offsets), dtype=np.int64) for chunk in chunks], []
    rows_of_part: dict[int, list[tuple[Hashable, Hashable | None]]] = {}
    for chunk in chunks:
        typed = chunk.decoded.typed
        subjects, identities = typed.column("subject").to_pylist(), typed.column("identity").to_pylist()
        for part, subject, identity in zip(chunk.part_of_row.tolist(), subjects, identities, strict=True):
            named = None if identity is None else (chunk.scope, identity)
            rows_of_part.setdefault(part, []).append(((chunk.scope, subject), named))
    layers, subject_of = Layers(), dict(commands)
    found: dict[int, Iterator[int]] = {}
    for part in sorted(rows_of_part.keys() | subject_of.keys()):
        is_command = part in subject_of
        found[part] = iter([layers.command(subject_of[part])] if is_command else layers.usage(rows_of_part[part]))
    of_rows = [np.array([next(found[part]) for part in chunk.part_of_row.tolist()], dtype=np.int64) for chunk in chunks]
    return of_rows, [next(found[part]) for part, _ in commands]


def layer_blocks(chunks: Sequence[DecodedChunk], layers: Sequence[Rows]) -> dict[int, list[PartitionBlock]]:
    """Return the blocks by layer, for the layers that have any."""
    blocks: dict[int, list[PartitionBlock]] = {}
    for chunk, of_rows in zip(chunks, layers, strict=True):
        whole = np.arange(len(of_rows), dtype=np.int64)
        if not of_rows.any():
            blocks.setdefault(0, []).extend(_blocks(chunk, whole))
            continue
        for layer in np.unique(of_rows).tolist():
            blocks.setdefault(layer, []).extend(_blocks(chunk, whole[of_rows == layer]))
    return blocks


def _blocks(chunk: DecodedChunk, rows: Rows) -> Iterator[PartitionBlock]:
    """These rows as one block, or as several where one header could not list every rejected row."""
    refused = np.isin(rows, np.array(chunk.decoded.rejected_rows, dtype=np.int64))
    start = 0
    while start < len(rows):
        ends = start + np.flatnonzero(refused[start:])[REJECTED_ROWS_MAX : REJECTED_ROWS_MAX + 1]
        end = int(ends[0]) if len(ends) else len(rows)
        yield _block(chunk, rows[start:end], rows[start:end][refused[start:end]])
        start = end


def _block(chunk: DecodedChunk, rows: Rows, refused: Rows) -> PartitionBlock:
    typed, free = chunk.decoded.typed, chunk.decoded.free
    if len(rows) < typed.num_rows:
        chosen = pa.array(rows)
        typed, free = typed.take(chosen), free.take(chosen)
    offsets = chunk.offsets[rows]
    first = int(offsets.min())
    deltas = np.diff(chunk.offsets[refused], prepend=first)
    pairs = np.stack([deltas, chunk.indexes[refused]], axis=1).reshape(-1).tolist()
    return PartitionBlock(chunk.scope, encode_buffers(typed, free), first, int(offsets.max()), pairs)
