"""Append of usage blocks: list prices and what the streams of customers must know first, then the blocks with
consecutive versions per stream, in one append.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

import msgspec
import pyarrow as pa

from consumers.intake.fact_sealing import FactSealer, ScopedFacts
from consumers.intake.item_facts import EventFacts
from consumers.intake.options import IntakeOptions
from consumers.intake.requests import LoadedInto, StreamKind
from consumers.prices.listing import PriceListing, priced_pairs
from domain.customers.event_facts import StoredFacts
from domain.errors import Fenced
from domain.log.blocks import BlockBuffers, BlockContext, block_state, read_header
from domain.log.records import STAGED_BATCH_TOPIC, USAGE_BATCH_TOPIC, EventLog, NewRecord
from domain.scope import Scope
from domain.streams import staged_stream, usage_stream

#: Streams whose heads are kept in memory.
HEADS_KEPT_MAX: Final = 1_000


class UsageBlock(msgspec.Struct, frozen=True):
    """A usage block before it has a version and a position.

    `typed` are the encoded rows once more, for pricing. `facts`: those that its events carry, in order of their rows.
    """

    kind: StreamKind
    scope: Scope
    buffers: BlockBuffers
    typed: pa.RecordBatch
    facts: Sequence[EventFacts] = ()
    into: LoadedInto | None = None

    def stream(self, name: str) -> str:
        """The stream that the block belongs to; `name` is that of the intake."""
        return usage_stream(self.kind, name) if self.into is None else staged_stream(self.scope, self.into.name)


class _StreamHead(msgspec.Struct, frozen=True):
    """End of a stream: its last version and the next offset."""

    version: int
    next_offset: int


class UsageAppender:
    """Appends the blocks of one intake. Not thread-safe."""

    def __init__(self, log: EventLog, prices: PriceListing, facts: FactSealer, options: IntakeOptions) -> None:
        self._log = log
        self._prices = prices
        self._facts = facts
        self._options = options
        self._heads: dict[str, _StreamHead] = {}

    def append(self, blocks: Sequence[UsageBlock], recorded_at: datetime) -> list[int]:
        """Append all blocks or none; return the position of each.

        1. Find the list prices that must be in the log before these blocks.
        2. Encrypt the personal facts that the blocks carry.
        3. Give each block the next version and offsets of its stream.
        4. Append all of it together.

        When another writer listed a price or wrote to one of the streams in between, all of it is done again, at most
        `append_attempts_max` times before `Fenced` is raised.
        """
        pairs = {pair for block in blocks for pair in priced_pairs(block.typed)}
        for attempt in range(1, self._options.append_attempts_max + 1):
            listed = self._prices.missing(pairs, recorded_at)
            sealed = self._facts.sealed([ScopedFacts(block.scope, block.facts) for block in blocks], recorded_at)
            usage, heads = self._usage_records(blocks, sealed.facts, recorded_at)
            try:
                positions = self._log.append([*listed.values(), *sealed.records, *usage])
            except Fenced:
                self._heads.clear()
                if attempt == self._options.append_attempts_max:
                    raise
            else:
                self._heads |= heads
                while len(self._heads) > HEADS_KEPT_MAX:  # of backfills there can be many
                    self._heads.pop(next(iter(self._heads)))
                self._prices.mark_listed(listed)
                return positions[len(listed) + len(sealed.records) :]
        raise ValueError("append_attempts_max must be at least 1")

    def _usage_records(
        self, blocks: Iterable[UsageBlock], facts: Iterable[Sequence[StoredFacts]], recorded_at: datetime
    ) -> tuple[list[NewRecord], dict[str, _StreamHead]]:
        records: list[NewRecord] = []
        heads: dict[str, _StreamHead] = {}
        for block, carried in zip(blocks, facts, strict=True):
            stream = block.stream(self._options.name)
            head = heads.get(stream) or self._head(stream)
            last = head.next_offset + block.buffers.count - 1
            context = BlockContext(
                tenant=block.scope.tenant,
                environment=block.scope.environment,
                stream=stream,
                version=head.version + 1,
                first_offset=head.next_offset,
                last_offset=last,
                recorded_at=recorded_at,
            )
            extra = None if block.into is None else {"backfill": block.into.name}
            topic = USAGE_BATCH_TOPIC if block.into is None else STAGED_BATCH_TOPIC
            state = block_state(context, block.buffers, extra, facts=carried)
            records.append(NewRecord(stream, context.version, topic, state))
            heads[stream] = _StreamHead(context.version, last + 1)
        return records, heads

    def _head(self, stream: str) -> _StreamHead:
        if stream not in self._heads:
            last = self._log.last_record(stream)
            self._heads[stream] = (
                _StreamHead(0, 0)
                if last is None
                else _StreamHead(last.version, read_header(last.state).last_offset + 1)
            )
        return self._heads[stream]
