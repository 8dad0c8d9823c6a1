"""One poll of one partition into the log, as one append that is all there or not at all.

1. Give the records their instants (`partition_instants`), decode the usage and read the commands; nothing of this has
   to be done twice.
2. List the prices that the usage needs and that are not listed yet.
3. Decide the commands, and lay out usage and commands in an order that keeps what depends on it (`partition_layers`):
   blocks, the events of commands each followed by the reservation of its id, blocks ...
4. Close with the offset to go on from: in the header of the last block, or in a record of its own when there are
   commands. It is always in the partition's own stream and at its next version, hence the fence.
5. Append. Refused because the partition's stream moved: somebody else owns it, forget and raise. Refused because an
   aggregate, a command or a price moved: from 2 again, a bounded number of times.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from datetime import datetime
from typing import Any

import msgspec

from consumers.intake.options import IntakeOptions
from consumers.kafka.appending.batches import (
    AppendedBatch,
    CommandOutcome,
    PartitionBatch,
    PartitionSource,
    RejectedItem,
    SentCommand,
    UsageRun,
)
from consumers.kafka.appending.blocks import DecodedPiece, PartitionBlock, decoded_pieces, layer_blocks, row_layers
from consumers.kafka.appending.checkpoints import PartitionCheckpoint, end_told, last_end, rejected_since
from consumers.kafka.appending.commands import CommandDecider, Decision, ReadableCommand
from consumers.kafka.appending.record_times import in_record_order
from consumers.prices.listing import Pair, PriceListing, PriceResolver, priced_pairs
from domain.commands.events import CommandRecord
from domain.customers.personal_keys import PersonalKeys
from domain.errors import Fenced
from domain.event import Provenance
from domain.log.blocks import BlockContext, block_state
from domain.log.event_codec import new_record
from domain.log.records import USAGE_BATCH_TOPIC, EventLog, NewRecord
from domain.sources.events import OffsetsAccepted, PartitionConsumed, PartitionEvent, PartitionTruncated, RecordsLost
from domain.values.identifiers import id_problem

__all__ = [
    "AppendedBatch",
    "CommandOutcome",
    "PartitionAppender",
    "PartitionBatch",
    "PartitionSource",
    "RejectedItem",
    "SentCommand",
    "UsageRun",
]


class _Prepared(msgspec.Struct, frozen=True):
    """A poll as far as it does not depend on the log: blocks by layer, commands with theirs, what needs a price."""

    batch: PartitionBatch
    recorded_at: datetime
    pieces: list[DecodedPiece]
    blocks: dict[int, list[PartitionBlock]]
    commands: list[ReadableCommand]
    command_layers: list[int]
    pairs: set[Pair]
    last_command_us: int | None


class PartitionAppender:
    """Appends polls of partitions. Not for several threads."""

    def __init__(
        self,
        log: EventLog,
        keys: PersonalKeys,
        hash_seed: int,
        clock: Callable[[], datetime],
        randomness: Callable[[int], bytes],
        resolve_price: PriceResolver,
        options: IntakeOptions,
    ) -> None:
        """`clock` answers aware UTC instants; of `options` the tolerances, the event size and the attempts count."""
        self._log = log
        self._hash_seed = hash_seed
        self._clock = clock
        self._options = options
        self._prices = PriceListing(log, resolve_price)
        self._commands = CommandDecider(log, keys, randomness)
        self._ends: dict[str, PartitionCheckpoint] = {}

    def end(self, source: PartitionSource) -> PartitionCheckpoint:
        """Where the partition's stream ends in the log.

        Reads the log, and remembers this end as the fence of the next append: whatever is appended next holds for a
        stream that ends here, or is `Fenced`.
        """
        self._ends[source.stream] = end = last_end(self._log, source.stream)
        return end

    def forget(self, source: PartitionSource) -> None:
        """Forget the end of this partition's stream: it is no longer ours, or was moved by another."""
        self._ends.pop(source.stream, None)

    def append(self, batch: PartitionBatch) -> AppendedBatch:
        """Append a poll, durably. What goes wrong is raised, and then nothing of it is stored.

        `Fenced` when the partition's stream moved since `end`, or has what the poll begins with, or tells that the
        broker lacked what was read: the batch is to be discarded, `end` to be asked again (what was remembered is
        forgotten) and the partition to be read from there. An aggregate, a command's id or a price that moved costs a
        retry inside, bounded by `options.append_attempts_max`; `Fenced` too when that was not enough.
        """
        end = self._end(batch.source)
        if end.next_offset is not None and batch.first_offset < end.next_offset:
            self.forget(batch.source)
            raise Fenced(f"the log has offsets of {batch.source.stream!r} up to {end.next_offset} already")
        if end.truncated_at is not None:
            self.forget(batch.source)
            raise Fenced(f"nothing is read of {batch.source.stream!r} until an offset is accepted")
        prepared = self._prepared(batch, end)
        for attempt in range(1, self._options.append_attempts_max + 1):
            try:
                return self._appended(prepared, end)
            except Fenced:
                self._commands.forget()
                moved = self._log.head_version(batch.source.stream) != end.version
                if moved or attempt == self._options.append_attempts_max:
                    self.forget(batch.source)
                    raise
            except BaseException:
                self._commands.forget()
                raise
        raise ValueError("append_attempts_max is at least 1")

    def records_lost(self, source: PartitionSource, from_offset: int, to_offset: int) -> int:
        """Record that the broker no longer has the offsets from `from_offset`, below `to_offset`; go on there.

        Answers the position. `Fenced` as `append` raises it.
        """

        def lost(place: dict[str, Any]) -> PartitionEvent:
            return RecordsLost(**place, from_offset=from_offset, to_offset=to_offset)

        return self._told(source, lost)

    def truncated(self, source: PartitionSource, end_offset: int) -> int:
        """Record that the broker lacks what was read from `end_offset` on: nothing is read until that is accepted.

        Answers the position. `Fenced` as `append` raises it.
        """
        next_offset = self._end(source).next_offset or 0

        def truncated(place: dict[str, Any]) -> PartitionEvent:
            return PartitionTruncated(**place, next_offset=next_offset, end_offset=end_offset)

        return self._told(source, truncated)

    def accept_offset(self, source: PartitionSource, next_offset: int, reason: str) -> int:
        """Go on from `next_offset` although the log has more, because an operator says so. Answers the position."""

        def accepted(place: dict[str, Any]) -> PartitionEvent:
            return OffsetsAccepted(**place, next_offset=next_offset)

        return self._told(source, accepted, reason)

    def rejected_since(self, source: PartitionSource, offset: int | None) -> list[RejectedItem]:
        """What this partition's polls rejected at `offset` and above, as the log has kept it; None: its last poll.

        In record order, and bounded as `partition_ends` says. Looks no further than the end that was read last.
        """
        return rejected_since(self._log, source.stream, self._end(source).version, offset)

    def _end(self, source: PartitionSource) -> PartitionCheckpoint:
        if source.stream not in self._ends:
            self.end(source)
        return self._ends[source.stream]

    def _prepared(self, batch: PartitionBatch, end: PartitionCheckpoint) -> _Prepared:
        recorded_at = self._clock()
        parts, last_command_us = in_record_order(batch.parts, end.last_command_us)
        runs = [(number, part) for number, part in enumerate(parts) if isinstance(part, UsageRun)]
        sent = [(number, part) for number, part in enumerate(parts) if isinstance(part, SentCommand)]
        pieces = decoded_pieces(runs, self._hash_seed, recorded_at, self._options)
        rows, command_layers = row_layers(pieces, [(number, _about(command)) for number, command in sent])
        return _Prepared(
            batch,
            recorded_at,
            pieces,
            layer_blocks(pieces, rows),
            self._commands.read([command for _, command in sent], batch.source.stream),
            command_layers,
            {pair for piece in pieces for pair in priced_pairs(piece.decoded.typed)},
            last_command_us,
        )

    def _appended(self, prepared: _Prepared, end: PartitionCheckpoint) -> AppendedBatch:
        batch = prepared.batch
        listed = self._prices.missing(prepared.pairs, prepared.recorded_at)
        decisions = self._commands.decide(prepared.commands, f"kafka:{batch.source.topic}", prepared.recorded_at)
        records = _LaidOut(prepared, decisions, end.version).records()
        positions = self._log.append([*listed.values(), *records])
        self._prices.written(listed)
        self._ends[batch.source.stream] = PartitionCheckpoint(
            records[-1].version, batch.next_offset, batch.leader_epoch, last_command_us=prepared.last_command_us
        )
        return AppendedBatch(
            positions[-1],
            sum(piece.decoded.received for piece in prepared.pieces),
            [item for piece in prepared.pieces for item in piece.rejected],
            [decision.outcome for decision in decisions],
        )

    def _told(
        self,
        source: PartitionSource,
        event: Callable[[dict[str, Any]], PartitionEvent],
        reason: str | None = None,
    ) -> int:
        version = self._end(source).version + 1
        told = event(_place(source, version, self._clock(), reason))
        try:
            positions = self._log.append([new_record(told)])
        except Fenced:
            self.forget(source)
            raise
        self._ends[source.stream] = end_told(version, told)
        return positions[0]


class _LaidOut:
    """The records of a poll in the order in which they are appended."""

    def __init__(self, prepared: _Prepared, decisions: list[Decision], version: int) -> None:
        self._prepared = prepared
        self._decisions = decisions
        self._source = prepared.batch.source
        self._stream = self._source.stream
        self._first_version = version + 1
        self._version = version
        self._records: list[NewRecord] = []

    def records(self) -> list[NewRecord]:
        blocks = self._prepared.blocks
        given: dict[int, list[NewRecord]] = {}
        for layer, decision in zip(self._prepared.command_layers, self._decisions, strict=True):
            given.setdefault(layer, []).extend(decision.records)
        closing = None if self._decisions or not blocks else blocks[max(blocks)][-1]
        for layer in sorted(blocks.keys() | given.keys()):
            for block in blocks.get(layer, ()):
                self._add_block(block, block is closing)
            self._records += given.get(layer, [])
        if closing is None:
            self._add_consumed()
        return self._records

    def _next_version(self) -> int:
        self._version += 1
        return self._version

    def _add_block(self, block: PartitionBlock, is_closing: bool) -> None:
        extra: dict[str, Any] = {"rejected": block.rejected_places} if block.rejected_places else {}
        if is_closing:
            extra |= {
                "topic": self._source.topic,
                "partition": self._source.partition,
                "next_offset": self._prepared.batch.next_offset,
                "first_version": self._first_version,
            }
            if self._prepared.batch.leader_epoch is not None:
                extra["leader_epoch"] = self._prepared.batch.leader_epoch
            if self._prepared.last_command_us is not None:
                extra["last_command_us"] = self._prepared.last_command_us
        facts = BlockContext(
            tenant=block.scope.tenant,
            environment=block.scope.environment,
            stream=self._stream,
            version=self._next_version(),
            first_offset=block.first_offset,
            last_offset=block.last_offset,
            recorded_at=self._prepared.recorded_at,
        )
        state = block_state(facts, block.buffers, extra)
        self._records.append(NewRecord(self._stream, facts.version, USAGE_BATCH_TOPIC, state))

    def _add_consumed(self) -> None:
        batch = self._prepared.batch
        place = _place(self._source, self._next_version(), self._prepared.recorded_at)
        outcomes = tuple(_outcome_record(decision.outcome) for decision in self._decisions)
        consumed = PartitionConsumed(
            **place,
            first_offset=batch.first_offset,
            next_offset=batch.next_offset,
            first_version=self._first_version,
            commands=outcomes,
            leader_epoch=batch.leader_epoch,
            last_command_us=self._prepared.last_command_us,
        )
        self._records.append(new_record(consumed))


def _about(command: SentCommand) -> Hashable:
    """What a command is about, so that it does not equal a customer unless it is one."""
    kind = command.kind.partition(".")[0]
    return (command.scope, command.subject) if kind == "customer" else (kind, command.scope, command.subject)


def _place(source: PartitionSource, version: int, recorded_at: datetime, reason: str | None = None) -> dict[str, Any]:
    return {
        "stream": source.stream,
        "version": version,
        "recorded_at": recorded_at,
        "effective_at": recorded_at,
        "provenance": Provenance("engine", "kafka", reason),
        "cluster_id": source.cluster_id,
        "topic_id": source.topic_id,
        "topic": source.topic,
        "partition": source.partition,
    }


def _outcome_record(outcome: CommandOutcome) -> CommandRecord:
    kind, source, command_id = _kept(outcome.kind), _kept(outcome.source), _kept(outcome.id)
    return CommandRecord(outcome.offset, outcome.index, kind or "", source, command_id, outcome.outcome, outcome.reason)


def _kept(named: object) -> str | None:
    """What the log keeps of a name in a command: all of it where it may be an id, nothing of anything else."""
    return named if isinstance(named, str) and id_problem(named) is None else None
