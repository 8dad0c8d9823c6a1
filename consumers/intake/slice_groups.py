"""A group of slices that share one append: decoded as they come, and built into blocks."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

import msgspec
import pyarrow as pa

from consumers.intake.appending import UsageBlock
from consumers.intake.item_facts import NO_KEY, EventFacts, GivenFacts, with_facts
from consumers.intake.options import (
    LARGE_GROUP_BYTES_MAX,
    LARGE_GROUP_EVENTS_MAX,
    SHARED_GROUP_SLICES,
    SLICE_BYTES_MAX,
    SLICE_EVENTS_MAX,
    WHOLE_BYTES_MAX,
    IntakeOptions,
)
from consumers.intake.queue import ItemSlice, PendingRequest
from consumers.intake.requests import LoadedInto, Piece, StreamKind
from consumers.prices.own_units import OwnUnitsOf, no_units
from consumers.prices.usage_objects.reading import read_usage
from domain.log.blocks import encode_buffers
from domain.scope import Scope
from domain.usage.block_schema import BLOCK_EVENTS_MAX
from domain.usage.decoding.decoder import DecodedEvents, DecodingContext, ItemRun, decode_items
from domain.usage.decoding.member_warnings import MemberWarning
from domain.usage.decoding.range_check import with_range

_Stream = tuple[StreamKind, Scope, LoadedInto | None]
#: The most members that a receipt warns about.
REQUEST_WARNINGS_MAX: Final = 20


class _Part(msgspec.Struct, frozen=True):
    """Slices of one stream, decoded together."""

    slices: list[ItemSlice]
    decoded: DecodedEvents
    facts: list[EventFacts]


class GroupBlock(msgspec.Struct, frozen=True):
    """A block of a group, before it has a position."""

    usage: UsageBlock
    parts: list[_Part]

    def note(self, position: int) -> None:
        """Note in every request where its items are in the log."""
        first = 0
        for part in self.parts:
            row, rejected = 0, part.decoded.rejected_rows
            for taken in part.slices:
                end = row + len(taken.items)
                taken.pending.rejected += bisect_left(rejected, end) - bisect_left(rejected, row)
                if part.decoded.warnings:
                    _count_warnings(taken.pending.warnings, part.decoded.warnings, row, end)
                taken.pending.pieces = _with_piece(taken.pending.pieces, Piece(position, first + row, first + end))
                row = end
            first += row


def _count_warnings(counts: Counter[tuple[str, str]], warnings: Sequence[MemberWarning], start: int, end: int) -> None:
    for one in warnings:
        known = (one.member, one.advice) in counts
        if start <= one.row < end and (known or len(counts) < REQUEST_WARNINGS_MAX):
            counts[one.member, one.advice] += 1


def _with_piece(pieces: list[Piece], piece: Piece) -> list[Piece]:
    if pieces and (pieces[-1].position, pieces[-1].row_to) == (piece.position, piece.row_from):
        return [*pieces[:-1], Piece(piece.position, pieces[-1].row_from, piece.row_to)]
    return [*pieces, piece]


class SliceGroup:
    """Slices in the order in which they were taken. `requests` are those that they belong to, each once."""

    def __init__(
        self,
        recorded_at: datetime,
        hash_seed: int,
        options: IntakeOptions,
        lead: float = 1.0,
        own_units: OwnUnitsOf = no_units,
    ) -> None:
        """`lead`: how many times `LARGE_GROUP_EVENTS_MAX` and `LARGE_GROUP_BYTES_MAX` parts of large requests fill."""
        self.recorded_at = recorded_at
        self.slices: list[ItemSlice] = []
        self.events = self.size_bytes = 0
        self._hash_seed = hash_seed
        self._own_units = own_units
        self._options = options
        self._lead = lead
        self._requests: dict[int, PendingRequest] = {}
        self._parts: dict[_Stream, list[_Part]] = {}
        self._undecoded: list[ItemSlice] = []
        self._undecoded_events = self._undecoded_bytes = 0

    @property
    def requests(self) -> list[PendingRequest]:
        """The requests with items in the group."""
        return list(self._requests.values())

    def add(self, taken: ItemSlice) -> None:
        """Add a slice; decode what was added once it is as much as a slice may be."""
        self.slices.append(taken)
        self._requests[id(taken.pending)] = taken.pending
        self.events += len(taken.items)
        self.size_bytes += taken.size_bytes
        self._undecoded.append(taken)
        self._undecoded_events += len(taken.items)
        self._undecoded_bytes += taken.size_bytes
        is_enough = self._undecoded_events >= SLICE_EVENTS_MAX or self._undecoded_bytes >= WHOLE_BYTES_MAX
        if is_enough or taken.pending.is_large:
            self.decode()

    def room(self) -> tuple[int, int]:
        """How many events and bytes still have room; nothing once a part of a request would hold up a small one."""
        options = self._options
        slices = max(self.events / SLICE_EVENTS_MAX, self.size_bytes / SLICE_BYTES_MAX)
        requests = self._requests.values()
        shared = any(not pending.is_taken for pending in requests) and any(
            pending.is_taken and not pending.is_large for pending in requests
        )
        if shared and slices >= SHARED_GROUP_SLICES:
            return 0, 0
        events_max, bytes_max = options.group_events_max, options.group_bytes_max
        if any(pending.is_large for pending in self._requests.values()):
            events_max = min(events_max, int(LARGE_GROUP_EVENTS_MAX * self._lead))
            bytes_max = min(bytes_max, int(LARGE_GROUP_BYTES_MAX * self._lead))
        return max(events_max - self.events, 0), max(bytes_max - self.size_bytes, 0)

    def decode(self) -> None:
        """Decode the slices that are not decoded yet. A request that makes decoding fail fails alone."""
        by_stream: dict[_Stream, list[ItemSlice]] = {}
        for taken in self._undecoded:
            if taken.items:
                request = taken.pending.request
                by_stream.setdefault((request.kind, request.scope, request.into), []).append(taken)
        self._undecoded, self._undecoded_events, self._undecoded_bytes = [], 0, 0
        for stream, slices in by_stream.items():
            self._parts.setdefault(stream, []).extend(self._decoded(slices))

    def _decoded(self, slices: list[ItemSlice]) -> Iterator[_Part]:
        scope = slices[0].pending.request.scope
        options = self._options
        rules = options.future_tolerance, options.event_bytes_max, read_usage
        context = DecodingContext(scope, self._hash_seed, self.recorded_at, *rules, self._own_units(scope))
        try:
            decoded = decode_items([_run_of(taken) for taken in slices], context)
            given = _facts_of(slices)
            into = slices[0].pending.request.into
            items = [item for taken in slices for item in taken.items] if given or into else []
            if into is not None:
                decoded = with_range(decoded, items, into.taken)
            yield _Part(slices, *with_facts(decoded, given, items, context))
        except Exception as error:
            if len(slices) == 1:
                if not slices[0].pending.future.done():
                    slices[0].pending.future.set_exception(error)
                return
            for taken in slices:
                yield from self._decoded([taken])

    def blocks(self) -> list[GroupBlock]:
        """Build blocks of one stream each, of at most `BLOCK_EVENTS_MAX` rows."""
        blocks: list[GroupBlock] = []
        for stream, parts in self._parts.items():
            held: list[_Part] = []
            for part in parts:
                if sum(one.decoded.received for one in held) + part.decoded.received > BLOCK_EVENTS_MAX:
                    blocks.append(_block(stream, held))
                    held = []
                held.append(part)
            if held:
                blocks.append(_block(stream, held))
        return blocks

    def by_request(self) -> Iterator[SliceGroup]:
        """Yield a group of its own for each request, decoded again."""
        for pending in self.requests:
            alone = SliceGroup(self.recorded_at, self._hash_seed, self._options, own_units=self._own_units)
            for taken in self.slices:
                if taken.pending is pending:
                    alone.add(taken)
            alone.decode()
            yield alone


def _run_of(taken: ItemSlice) -> ItemRun:
    request = taken.pending.request
    return ItemRun(taken.items, request.customer_header, request.group, request.atomic)


def _facts_of(slices: Sequence[ItemSlice]) -> dict[int, GivenFacts]:
    """The facts that came with the items of these slices, by row."""
    found: dict[int, GivenFacts] = {}
    first = 0
    for taken in slices:
        request = taken.pending.request
        for row, facts in enumerate(request.facts[taken.first : taken.first + len(taken.items)], first):
            if facts is not None:
                found[row] = GivenFacts(facts, request.key or NO_KEY, request.dialect)
        first += len(taken.items)
    return found


def _facts_of_block(parts: Sequence[_Part]) -> list[EventFacts]:
    """The facts of the events of a block, by its rows."""
    facts: list[EventFacts] = []
    first = 0
    for part in parts:
        facts += [msgspec.structs.replace(one, row=first + one.row) for one in part.facts]
        first += part.decoded.received
    return facts


def _block(stream: _Stream, parts: list[_Part]) -> GroupBlock:
    kind, scope, into = stream
    typed = _joined([part.decoded.typed for part in parts])
    free = _joined([part.decoded.free for part in parts])
    buffers = encode_buffers(typed, free)
    return GroupBlock(UsageBlock(kind, scope, buffers, typed, _facts_of_block(parts), into), parts)


def _joined(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    if len(batches) == 1:
        return batches[0]
    table = pa.Table.from_batches(batches).unify_dictionaries().combine_chunks()
    return table.to_batches()[0]
