"""Decide the lifecycle commands of one poll, each exactly once and after the commands before it.

1. Parse every command into the value that HTTP would make of it; one that breaks a rule is refused before anything is
   loaded.
2. Ask the log, in one query, which commands it has honoured, and the head versions of the streams they are about.
3. In order: a command honoured before is a duplicate; any other is applied to its aggregate, which comes from
   memory when it is at the head of its stream and is loaded otherwise. The events, and a record that reserves the
   command's id, are to be appended.

A tombstone has no id; its topic, partition, offset and timestamp identify it. Otherwise a partition that is read again
after its broker lost data would delete customers that were created since.

Nothing is stored here. When the append fails, call `forget`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

import msgspec

from consumers.kafka.appending.batches import CommandMessage, CommandOutcome, PartitionSource
from consumers.kafka.appending.record_times import millisecond
from domain.aggregate import Aggregate, CommandContext
from domain.command import EFFECTIVE_MIN
from domain.commands.events import CommandHonoured, CommandVerdict
from domain.commands.received import ReceivedCommand, Sender, apply_received, parse_command
from domain.customers.personal_data import CustomerSeal
from domain.customers.personal_keys import PersonalKeys
from domain.errors import CommandRefused, DomainError, InvalidInput, PersonalKeyMissing
from domain.event import LifecycleEvent
from domain.log.aggregate_store import AggregateStore
from domain.log.event_codec import new_record
from domain.log.records import EventLog, NewRecord
from domain.streams import command_stream, tombstone_stream
from domain.usage.rules import required_id

#: Aggregates kept in memory; an evicted one is loaded again.
AGGREGATES_MAX: Final = 10_000
REASON_KEPT_MAX: Final = 500
#: What a value that no rule foresaw may raise. It refuses its command, and must not stop the partition.
_UNFORESEEN: Final = (ArithmeticError, TypeError, ValueError, LookupError, RecursionError, msgspec.MsgspecError)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class ParsedCommand(msgspec.Struct, frozen=True):
    """A command with its message parsed, or with the reason why it is refused without being decided."""

    message: CommandMessage
    received: ReceivedCommand | None
    stream: str | None  # reserves its id; None when it is refused
    about: str  # the stream of its aggregate
    refused: str | None = None


class Decision(msgspec.Struct, frozen=True):
    """The outcome of a command, and the records to append for it."""

    outcome: CommandOutcome
    records: list[NewRecord]


class CommandDecider:
    """Decides the commands of the polls of one appender. For one thread."""

    def __init__(
        self,
        log: EventLog,
        keys: PersonalKeys,
        randomness: Callable[[int], bytes],
        aggregates_max: int = AGGREGATES_MAX,
    ) -> None:
        self._log = log
        self._aggregates_max = aggregates_max
        self._keys = keys
        self._seal_of = partial(CustomerSeal, keys, randomness)
        self._store = AggregateStore(log)
        self._aggregates: OrderedDict[str, Aggregate] = OrderedDict()

    def parse(self, messages: Sequence[CommandMessage], source: PartitionSource) -> list[ParsedCommand]:
        """Parse the commands that came by a partition. Does not read the log."""
        actor, partition = f"kafka:{source.topic}", source.stream
        return [self._parsed(message, actor, partition) for message in messages]

    def decide(self, commands: Sequence[ParsedCommand], recorded_at: datetime) -> list[Decision]:
        """Decide commands in order. The personal keys that they need are durable when this returns."""
        if not commands:
            return []
        heads = self._log.head_versions(_streams(commands))
        honoured = set(heads)
        given: dict[str, list[LifecycleEvent]] = {}
        decisions = []
        with self._keys.together():
            for command in commands:
                decision = self._decided(command, heads, honoured, given, recorded_at)
                decisions.append(decision)
                if decision.outcome.outcome == "honoured" and command.stream is not None:
                    honoured.add(command.stream)
        while len(self._aggregates) > self._aggregates_max:
            self._aggregates.popitem(last=False)
        return decisions

    def forget(self) -> None:
        """Drop the aggregates in memory: what was decided was not appended, so they differ from the log."""
        self._aggregates.clear()

    def _parsed(self, message: CommandMessage, actor: str, partition: str) -> ParsedCommand:
        try:
            stream = _stream_of(message, partition)
            sender = Sender(message.scope, actor, message.dialect)
            received = parse_command(message.kind, sender, message.subject, message.data)
            return ParsedCommand(message, received, stream, received.blank(self._seal_of).id)
        except (InvalidInput, *_UNFORESEEN) as error:
            return ParsedCommand(message, None, None, "", _refusal_reason(error))

    def _decided(
        self,
        command: ParsedCommand,
        heads: dict[str, int],
        honoured: set[str],
        given: dict[str, list[LifecycleEvent]],
        recorded_at: datetime,
    ) -> Decision:
        received = command.received
        if received is None or command.stream is None:
            return Decision(_outcome(command, "refused", command.refused), [])
        if command.stream in honoured:
            return Decision(_outcome(command, "duplicate"), [])
        before = given.setdefault(command.about, [])
        aggregate = self._aggregate(received, command.about, heads.get(command.about, 0), before)
        context = received.context(recorded_at, _arrival(command.message.arrival_us, recorded_at))
        try:
            apply_received(received, aggregate, context)
            events = aggregate.collect_events()
            records = [new_record(event) for event in events]
        except (InvalidInput, CommandRefused, PersonalKeyMissing, *_UNFORESEEN) as error:
            del self._aggregates[command.about]  # it may have changed in part
            return Decision(_outcome(command, "refused", _refusal_reason(error)), [])
        before += events
        return Decision(
            _outcome(command, "honoured"), [*records, _reservation(command.message, command.stream, context)]
        )

    def _aggregate(
        self, command: ReceivedCommand, stream: str, head: int, given: Sequence[LifecycleEvent]
    ) -> Aggregate:
        """The aggregate at version `head` of its stream, with the events `given` by this poll applied."""
        known = self._aggregates.get(stream)
        if known is None or known.version != head + len(given):
            blank: Aggregate = command.blank(self._seal_of)
            known = self._store.load(blank) if head else blank
            for event in given:
                known.replay(event)
            self._aggregates[stream] = known
        self._aggregates.move_to_end(stream)
        return known


def _streams(commands: Sequence[ParsedCommand]) -> list[str]:
    """The streams whose heads are needed to decide these commands, each once."""
    named = {command.about: None for command in commands if command.received is not None}
    named |= {command.stream: None for command in commands if command.stream is not None}
    return list(named)


def _stream_of(message: CommandMessage, partition: str) -> str:
    if message.source is None and message.id is None:
        timestamp_us = millisecond(message.arrival_us)  # the record's own, whose microseconds may have been assigned
        return tombstone_stream(message.scope, partition, message.offset, timestamp_us, message.subject)
    return command_stream(message.scope, required_id("source", message.source), required_id("id", message.id))


def _arrival(arrival_us: int, recorded_at: datetime) -> datetime | None:
    """When a command arrived; None for a time before the earliest allowed or after `recorded_at`."""
    recorded_us = (recorded_at - _EPOCH) // timedelta(microseconds=1)
    if not (EFFECTIVE_MIN - _EPOCH) // timedelta(microseconds=1) <= arrival_us < recorded_us:
        return None
    return _EPOCH + timedelta(microseconds=arrival_us)


def _reservation(message: CommandMessage, stream: str, context: CommandContext) -> NewRecord:
    return new_record(
        CommandHonoured(
            stream=stream,
            version=1,
            recorded_at=context.recorded_at,
            effective_at=context.recorded_at,
            provenance=context.provenance,
            tenant=message.scope.tenant,
            environment=message.scope.environment,
            source=message.source or "",
            id=message.id or "",
            kind=message.kind,
        )
    )


def _outcome(command: ParsedCommand, outcome: CommandVerdict, reason: str | None = None) -> CommandOutcome:
    message = command.message
    return CommandOutcome(
        message.offset,
        message.index,
        message.scope,
        message.kind,
        message.source,
        message.id,
        message.subject,
        outcome,
        reason,
    )


def _refusal_reason(error: Exception) -> str:
    """Why a command is refused, as valid Unicode: the error may quote names of the sender that are not."""
    foreseen = isinstance(error, DomainError)
    text = str(error) if foreseen else f"data: cannot be read ({type(error).__name__})"
    return text[:REASON_KEPT_MAX].encode(errors="replace").decode()
