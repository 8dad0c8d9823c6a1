"""The usage of one poll as blocks: decoded once, laid out in layers, with what a dead letter has to tell."""

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
from domain.log.blocks import BlockBuffers, encode_buffers
from domain.scope import Scope
from domain.usage.block_schema import BLOCK_EVENTS_MAX
from domain.usage.decoding.decoder import DecodedEvents, DecodingContext, ItemRun, decode_items
from domain.usage.decoding.single_event import RAW_KEPT_BYTES_MAX

#: A block names the offset of each rejected row in its header, which is bounded. One with more rejected rows is split.
REJECTED_ROWS_MAX: Final = 2_000

Rows = npt.NDArray[np.int64]


class DecodedPiece(msgspec.Struct):
    """Up to a block of usage of one scope, in record order, decoded. `part_of_row` numbers the part each came from."""

    scope: Scope
    decoded: DecodedEvents
    offsets: Rows
    indexes: Rows
    part_of_row: Rows
    rejected: list[RejectedItem]


class PartitionBlock(msgspec.Struct, frozen=True):
    """A block without its place in the stream. `rejected_places` are flat pairs for each rejected row in order: how far
    its offset is behind that of the rejected row before it (at first: behind the block's first offset), and its index.
    """

    scope: Scope
    buffers: BlockBuffers
    first_offset: int
    last_offset: int
    rejected_places: list[int]


def decoded_pieces(
    runs: Sequence[tuple[int, UsageRun]], hash_seed: int, recorded_at: datetime, options: IntakeOptions
) -> list[DecodedPiece]:
    """The items of a poll by scope, at most a block at a time. Runs come with the numbers of their parts, ascending."""
    by_scope: dict[Scope, list[tuple[int, UsageRun]]] = {}
    for number, run in runs:
        by_scope.setdefault(run.scope, []).append((number, run))
    pieces = []
    for scope, of_scope in by_scope.items():
        facts = DecodingContext(scope, hash_seed, recorded_at, options.future_tolerance, options.event_bytes_max)
        pieces += [_decoded(taken, facts) for taken in _filled(of_scope)]
    return pieces


class _Taken(msgspec.Struct):
    """Rows [start, end) of a run, and the number of its part."""

    part: int
    run: UsageRun
    start: int
    end: int


def _filled(runs: Sequence[tuple[int, UsageRun]]) -> Iterator[list[_Taken]]:
    """Runs end to end, cut where a block is full."""
    taken: list[_Taken] = []
    room = BLOCK_EVENTS_MAX
    for part, run in runs:
        start = 0
        while start < len(run.items):
            end = min(len(run.items), start + room)
            taken.append(_Taken(part, run, start, end))
            room -= end - start
            start = end
            if not room:
                yield taken
                taken, room = [], BLOCK_EVENTS_MAX
    if taken:
        yield taken


def _decoded(taken: Sequence[_Taken], facts: DecodingContext) -> DecodedPiece:
    decoded = decode_items([_item_run(one) for one in taken], facts)
    offsets = np.concatenate([np.array(one.run.offsets[one.start : one.end], dtype=np.int64) for one in taken])
    indexes = np.concatenate([_indexes(one) for one in taken])
    counts = [one.end - one.start for one in taken]
    parts = np.repeat(np.array([one.part for one in taken], dtype=np.int64), counts)
    piece = DecodedPiece(facts.scope, decoded, offsets, indexes, parts, [])
    if decoded.rejected_rows:
        items = [item for one in taken for item in one.run.items[one.start : one.end]]
        piece.rejected = _rejected_items(piece, items)
    return piece


def _item_run(taken: _Taken) -> ItemRun:
    run, rows = taken.run, slice(taken.start, taken.end)
    arrivals_us: Sequence[int | None] = run.arrivals_us[rows]
    if arrivals_us and min(run.arrivals_us[rows]) < 0:
        arrivals_us = [None if at < 0 else at for at in run.arrivals_us[rows]]
    customers = None if run.customers is None else run.customers[rows]
    return ItemRun(run.items[rows], customers=customers, arrivals_us=arrivals_us)


def _indexes(taken: _Taken) -> Rows:
    if taken.run.indexes is None:
        return np.zeros(taken.end - taken.start, dtype=np.int64)
    return np.array(taken.run.indexes[taken.start : taken.end], dtype=np.int64)


def _rejected_items(piece: DecodedPiece, items: Sequence[bytes]) -> list[RejectedItem]:
    reasons, details = piece.decoded.typed.column("reason"), piece.decoded.free.column("detail")
    return [
        RejectedItem(
            int(piece.offsets[row]),
            int(piece.indexes[row]),
            piece.scope,
            reasons[row].as_py(),
            details[row].as_py(),
            items[row][:RAW_KEPT_BYTES_MAX],
        )
        for row in piece.decoded.rejected_rows
    ]


def row_layers(
    pieces: Sequence[DecodedPiece], commands: Sequence[tuple[int, Hashable]]
) -> tuple[list[Rows], list[int]]:
    """The layer of every row of every piece, and of every command (the number of its part, and what it is about:
    of a customer its scope and id)."""
    if not commands:
        return [np.zeros(len(piece.offsets), dtype=np.int64) for piece in pieces], []
    rows_of_part: dict[int, list[tuple[Hashable, Hashable | None]]] = {}
    for piece in pieces:
        typed = piece.decoded.typed
        subjects, identities = typed.column("subject").to_pylist(), typed.column("identity").to_pylist()
        for part, subject, identity in zip(piece.part_of_row.tolist(), subjects, identities, strict=True):
            named = None if identity is None else (piece.scope, identity)
            rows_of_part.setdefault(part, []).append(((piece.scope, subject), named))
    layers, about = Layers(), dict(commands)
    found: dict[int, Iterator[int]] = {}
    for part in sorted(rows_of_part.keys() | about.keys()):
        found[part] = iter([layers.command(about[part])] if part in about else layers.usage(rows_of_part[part]))
    of_rows = [np.array([next(found[part]) for part in piece.part_of_row.tolist()], dtype=np.int64) for piece in pieces]
    return of_rows, [next(found[part]) for part, _ in commands]


def layer_blocks(pieces: Sequence[DecodedPiece], layers: Sequence[Rows]) -> dict[int, list[PartitionBlock]]:
    """The blocks of each layer that has any."""
    blocks: dict[int, list[PartitionBlock]] = {}
    for piece, of_rows in zip(pieces, layers, strict=True):
        whole = np.arange(len(of_rows), dtype=np.int64)
        if not of_rows.any():
            blocks.setdefault(0, []).extend(_blocks(piece, whole))
            continue
        for layer in np.unique(of_rows).tolist():
            blocks.setdefault(layer, []).extend(_blocks(piece, whole[of_rows == layer]))
    return blocks


def _blocks(piece: DecodedPiece, rows: Rows) -> Iterator[PartitionBlock]:
    """These rows as one block, or as several where one header could not name every rejected row."""
    refused = np.isin(rows, np.array(piece.decoded.rejected_rows, dtype=np.int64))
    start = 0
    while start < len(rows):
        ends = start + np.flatnonzero(refused[start:])[REJECTED_ROWS_MAX : REJECTED_ROWS_MAX + 1]
        end = int(ends[0]) if len(ends) else len(rows)
        yield _block(piece, rows[start:end], rows[start:end][refused[start:end]])
        start = end


def _block(piece: DecodedPiece, rows: Rows, refused: Rows) -> PartitionBlock:
    typed, free = piece.decoded.typed, piece.decoded.free
    if len(rows) < typed.num_rows:
        chosen = pa.array(rows)
        typed, free = typed.take(chosen), free.take(chosen)
    offsets = piece.offsets[rows]
    first = int(offsets.min())
    behind = np.diff(piece.offsets[refused], prepend=first)
    places = np.stack([behind, piece.indexes[refused]], axis=1).reshape(-1).tolist()
    return PartitionBlock(piece.scope, encode_buffers(typed, free), first, int(offsets.max()), places)
