"""Append one poll of one partition to the log, atomically and exactly once.

1. Assign times to the records (`record_times`), decode the usage and parse the commands. This is done once, however
   often the rest is retried.
2. List the prices that the usage needs and that are not listed yet.
3. Decide the commands, and lay out usage and commands in layers (`ordering`): blocks, the events of commands, each
   followed by the reservation of its id, blocks ...
4. Close with the checkpoint, the offset to continue from: in the header of the last block, or in a record of its own
   when there are commands. It is in the partition's own stream, at that stream's next version: this is the fence.
5. Append. When the append is fenced because the partition's stream moved, another consumer owns the partition: forget
   the checkpoint and raise. When an aggregate, a command or a price moved: again from 2, a bounded number of times.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from datetime import datetime
from typing import Any

import msgspec

from consumers.intake.options import IntakeOptions
from consumers.kafka.appending.batches import (
    AppendedBatch,
    CommandMessage,
    CommandOutcome,
    PartitionBatch,
    PartitionSource,
    RejectedItem,
    UsageRun,
)
from consumers.kafka.appending.blocks import DecodedChunk, PartitionBlock, decoded_chunks, layer_blocks, row_layers
from consumers.kafka.appending.checkpoints import PartitionCheckpoint, checkpoint_after, last_checkpoint, rejected_since
from consumers.kafka.appending.commands import CommandDecider, Decision, ParsedCommand
from consumers.kafka.appending.record_times import assign_record_times
from consumers.prices.listing import Pair, PriceListing, PriceResolver, priced_pairs
from consumers.prices.own_units import OwnUnits
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
    "CommandMessage",
    "CommandOutcome",
    "PartitionAppender",
    "PartitionBatch",
    "PartitionSource",
    "RejectedItem",
    "UsageRun",
]


class _Prepared(msgspec.Struct, frozen=True):
    """A poll as far as it does not depend on the log: blocks by layer, commands with their layers, pairs to price."""

    batch: PartitionBatch
    recorded_at: datetime
    chunks: list[DecodedChunk]
    blocks: dict[int, list[PartitionBlock]]
    commands: list[ParsedCommand]
    command_layers: list[int]
    pairs: set[Pair]
    last_command_us: int | None


class PartitionAppender:
    """Appends polls of partitions to the log. For one thread."""

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
        """`clock` returns aware UTC instants. Of `options` the tolerances, the event size and the attempts are used."""
        self._log = log
        self._hash_seed = hash_seed
        self._clock = clock
        self._options = options
        self._prices = PriceListing(log, resolve_price)
        self._own_units = OwnUnits(log)
        self._commands = CommandDecider(log, keys, randomness)
        self._checkpoints: dict[str, PartitionCheckpoint] = {}

    def read_checkpoint(self, source: PartitionSource) -> PartitionCheckpoint:
        """Read a partition's checkpoint from the log, and remember its version as the fence of the next append.

        The next append succeeds only if the partition's stream still ends at this version; otherwise it is `Fenced`.
        """
        self._checkpoints[source.stream] = checkpoint = last_checkpoint(self._log, source.stream)
        return checkpoint

    def forget(self, source: PartitionSource) -> None:
        """Forget the checkpoint of a partition: it is no longer ours, or another consumer has moved its stream."""
        self._checkpoints.pop(source.stream, None)

    def append(self, batch: PartitionBatch) -> AppendedBatch:
        """Append a poll durably, all of it or, when an error is raised, nothing.

        Raises `Fenced` when the partition's stream has moved since `read_checkpoint`, already has the first offset of
        the poll, or says that the broker lacked records that were read. Then discard the batch (the remembered
        checkpoint is forgotten), read the checkpoint again and continue reading from there. When an aggregate, a
        command's id or a price has moved, the append is retried here up to `options.append_attempts_max` times, and
        then also raises `Fenced`.
        """
        end = self._checkpoint(batch.source)
        if end.next_offset is not None and batch.first_offset < end.next_offset:
            self.forget(batch.source)
            raise Fenced(f"the log already has the offsets of {batch.source.stream!r} below {end.next_offset}")
        if end.truncated_at is not None:
            self.forget(batch.source)
            raise Fenced(f"{batch.source.stream!r} is stopped until an operator accepts an offset")
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
        raise ValueError("append_attempts_max must be at least 1")

    def records_lost(self, source: PartitionSource, from_offset: int, to_offset: int) -> int:
        """Record that offsets from `from_offset` below `to_offset` are lost, and that reading continues at `to_offset`.

        Returns the position. Raises `Fenced` as `append` does.
        """

        def lost(common: dict[str, Any]) -> PartitionEvent:
            return RecordsLost(**common, from_offset=from_offset, to_offset=to_offset)

        return self._append_event(source, lost)

    def truncated(self, source: PartitionSource, end_offset: int) -> int:
        """Record that the broker lacks what was read from `end_offset` on: nothing is read until that is accepted.

        Returns the position. Raises `Fenced` as `append` does.
        """
        next_offset = self._checkpoint(source).next_offset or 0

        def truncated(common: dict[str, Any]) -> PartitionEvent:
            return PartitionTruncated(**common, next_offset=next_offset, end_offset=end_offset)

        return self._append_event(source, truncated)

    def accept_offset(self, source: PartitionSource, next_offset: int, reason: str) -> int:
        """Record that an operator accepts to continue from `next_offset`, wherever the log is. Returns the position."""

        def accepted(common: dict[str, Any]) -> PartitionEvent:
            return OffsetsAccepted(**common, next_offset=next_offset)

        return self._append_event(source, accepted, reason)

    def rejected_since(self, source: PartitionSource, offset: int | None) -> list[RejectedItem]:
        """Return what this partition's polls rejected at `offset` and above, in record order; None: in its last poll.

        Bounded as `checkpoints.rejected_since` says. Looks no further than the remembered checkpoint.
        """
        return rejected_since(self._log, source.stream, self._checkpoint(source).version, offset)

    def _checkpoint(self, source: PartitionSource) -> PartitionCheckpoint:
        if source.stream not in self._checkpoints:
            self.read_checkpoint(source)
        return self._checkpoints[source.stream]

    def _prepared(self, batch: PartitionBatch, end: PartitionCheckpoint) -> _Prepared:
        recorded_at = self._clock()
        parts, last_command_us = assign_record_times(batch.parts, end.last_command_us)
        runs = [(number, part) for number, part in enumerate(parts) if isinstance(part, UsageRun)]
        commands = [(number, part) for number, part in enumerate(parts) if isinstance(part, CommandMessage)]
        chunks = decoded_chunks(runs, self._hash_seed, recorded_at, self._options, self._own_units.of)
        rows, command_layers = row_layers(chunks, [(number, _about(command)) for number, command in commands])
        return _Prepared(
            batch,
            recorded_at,
            chunks,
            layer_blocks(chunks, rows),
            self._commands.parse([command for _, command in commands], batch.source),
            command_layers,
            {pair for chunk in chunks for pair in priced_pairs(chunk.decoded.typed)},
            last_command_us,
        )

    def _appended(self, prepared: _Prepared, end: PartitionCheckpoint) -> AppendedBatch:
        batch = prepared.batch
        listed = self._prices.missing(prepared.pairs, prepared.recorded_at)
        decisions = self._commands.decide(prepared.commands, prepared.recorded_at)
        records = _RecordLayout(prepared, decisions, end.version).records()
        positions = self._log.append([*listed.values(), *records])
        self._prices.mark_listed(listed)
        self._checkpoints[batch.source.stream] = PartitionCheckpoint(
            records[-1].version, batch.next_offset, batch.leader_epoch, last_command_us=prepared.last_command_us
        )
        return AppendedBatch(
            positions[-1],
            sum(chunk.decoded.received for chunk in prepared.chunks),
            [item for chunk in prepared.chunks for item in chunk.rejected],
            [decision.outcome for decision in decisions],
        )

    def _append_event(
        self,
        source: PartitionSource,
        event: Callable[[dict[str, Any]], PartitionEvent],
        reason: str | None = None,
    ) -> int:
        version = self._checkpoint(source).version + 1
        appended = event(_common_fields(source, version, self._clock(), reason))
        try:
            positions = self._log.append([new_record(appended)])
        except Fenced:
            self.forget(source)
            raise
        self._checkpoints[source.stream] = checkpoint_after(version, appended)
        return positions[0]


class _RecordLayout:
    """Lays out the records of a poll in the order in which they are appended."""

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
        extra: dict[str, Any] = {"rejected": block.rejected_pairs} if block.rejected_pairs else {}
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
        context = BlockContext(
            tenant=block.scope.tenant,
            environment=block.scope.environment,
            stream=self._stream,
            version=self._next_version(),
            first_offset=block.first_offset,
            last_offset=block.last_offset,
            recorded_at=self._prepared.recorded_at,
        )
        state = block_state(context, block.buffers, extra)
        self._records.append(NewRecord(self._stream, context.version, USAGE_BATCH_TOPIC, state))

    def _add_consumed(self) -> None:
        batch = self._prepared.batch
        common = _common_fields(self._source, self._next_version(), self._prepared.recorded_at)
        outcomes = tuple(_outcome_record(decision.outcome) for decision in self._decisions)
        consumed = PartitionConsumed(
            **common,
            first_offset=batch.first_offset,
            next_offset=batch.next_offset,
            first_version=self._first_version,
            commands=outcomes,
            leader_epoch=batch.leader_epoch,
            last_command_us=self._prepared.last_command_us,
        )
        self._records.append(new_record(consumed))


def _about(command: CommandMessage) -> Hashable:
    """The subject of a command, which equals the (scope, id) of a customer only if it is that customer."""
    kind = command.kind.partition(".")[0]
    return (command.scope, command.subject) if kind == "customer" else (kind, command.scope, command.subject)


def _common_fields(
    source: PartitionSource, version: int, recorded_at: datetime, reason: str | None = None
) -> dict[str, Any]:
    """The fields that all events of a partition share."""
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
    """A name of a command as the log keeps it: only where it can be an id."""
    return named if isinstance(named, str) and id_problem(named) is None else None
