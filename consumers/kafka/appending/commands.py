"""Commands of one poll: each decided once, by aggregates that have seen the commands before it.

1. Read every command; one that breaks a rule is refused before anything is loaded.
2. Ask the log, in one question, which commands it has honoured, and how far the streams they are about have come.
3. In order: a command honoured before is a duplicate; any other is carried out on its aggregate, from memory when that
   is as far as its stream, else loaded. What it gives, and the record that reserves its id, is to be appended.

A tombstone has no id: it is known by its place. A partition that is read again because its broker had lost something
would else delete, long after, who was created in between.

Nothing is stored here. When the append fails, `forget` what was decided.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

import msgspec

from consumers.kafka.appending.batches import CommandOutcome, SentCommand
from consumers.kafka.appending.record_times import millisecond
from domain.aggregate import Aggregate, Occasion
from domain.commands.events import CommandHonoured, CommandVerdict
from domain.commands.received import EFFECTIVE_MIN, ReadCommand, blank_aggregate, carry_out, read_command
from domain.customers.customer import Customer
from domain.customers.personal_data import CustomerSeal
from domain.customers.personal_keys import PersonalKeys
from domain.errors import CommandRefused, DomainError, InvalidInput, PersonalKeyMissing
from domain.event import LifecycleEvent, Provenance
from domain.log.aggregate_store import AggregateStore
from domain.log.event_codec import new_record
from domain.log.records import EventLog, NewRecord
from domain.streams import command_stream, tombstone_stream
from domain.usage.rules import required_id

#: Aggregates kept in memory; one that was forgotten is loaded again.
AGGREGATES_MAX: Final = 10_000
REASON_KEPT_MAX: Final = 500
#: What a value that no rule foresaw may raise. It must not keep a partition from being read on.
_UNFORESEEN: Final = (ArithmeticError, TypeError, ValueError, LookupError, RecursionError, msgspec.MsgspecError)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class ReadableCommand(msgspec.Struct, frozen=True):
    """A command as sent, and what it is to do; or why it is refused unseen."""

    sent: SentCommand
    read: ReadCommand | None
    blank: Callable[[], Aggregate] | None
    stream: str | None  # that it reserves; None when it is refused unseen
    about: str  # the stream of its aggregate
    refused: str | None = None


class Decision(msgspec.Struct, frozen=True):
    """What became of a command, and the records that it gives."""

    outcome: CommandOutcome
    records: list[NewRecord]


class CommandDecider:
    """Decides the commands of the polls of one appender. Not for several threads."""

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
        self._randomness = randomness
        self._store = AggregateStore(log)
        self._aggregates: OrderedDict[str, Aggregate] = OrderedDict()

    def read(self, commands: Sequence[SentCommand], partition: str) -> list[ReadableCommand]:
        """What each command is to do; `partition` is the stream that it came by. Does not look into the log."""
        return [self._read(sent, partition) for sent in commands]

    def decide(self, commands: Sequence[ReadableCommand], actor: str, recorded_at: datetime) -> list[Decision]:
        """What becomes of each command, in order. Keys of personal data that it takes are durable when it returns."""
        if not commands:
            return []
        heads = self._log.head_versions(_streams(commands))
        honoured = set(heads)
        given: dict[str, list[LifecycleEvent]] = {}
        decisions = []
        with self._keys.together():
            for command in commands:
                decision = self._decided(command, heads, honoured, given, actor, recorded_at)
                decisions.append(decision)
                if decision.outcome.outcome == "honoured" and command.stream is not None:
                    honoured.add(command.stream)
        while len(self._aggregates) > self._aggregates_max:
            self._aggregates.popitem(last=False)
        return decisions

    def forget(self) -> None:
        """What was decided is not stored: the aggregates in memory are ahead of the log, or behind it."""
        self._aggregates.clear()

    def _read(self, sent: SentCommand, partition: str) -> ReadableCommand:
        try:
            stream = _stream_of(sent, partition)
            read = read_command(sent.kind, sent.subject, sent.data)
            seal = CustomerSeal(self._keys, self._randomness, sent.scope, sent.subject)
            customer = partial(Customer, sent.scope, sent.subject, seal)
            blank = partial(blank_aggregate, read, sent.scope, sent.subject, customer)
            return ReadableCommand(sent, read, blank, stream, blank().id)
        except (InvalidInput, *_UNFORESEEN) as error:
            return ReadableCommand(sent, None, None, None, "", _told(error))

    def _decided(
        self,
        command: ReadableCommand,
        heads: dict[str, int],
        honoured: set[str],
        given: dict[str, list[LifecycleEvent]],
        actor: str,
        recorded_at: datetime,
    ) -> Decision:
        if command.read is None or command.blank is None or command.stream is None:
            return Decision(_outcome(command, "refused", command.refused), [])
        if command.stream in honoured:
            return Decision(_outcome(command, "duplicate"), [])
        before = given.setdefault(command.about, [])
        aggregate = self._aggregate(command.blank, command.about, heads.get(command.about, 0), before)
        occasion = _occasion(command.sent, command.read, actor, recorded_at)
        try:
            carry_out(command.read, aggregate, occasion)
            events = aggregate.collect_events()
            records = [new_record(event) for event in events]
        except (InvalidInput, CommandRefused, PersonalKeyMissing, *_UNFORESEEN) as error:
            del self._aggregates[command.about]  # it may have taken a first step
            return Decision(_outcome(command, "refused", _told(error)), [])
        before += events
        return Decision(_outcome(command, "honoured"), [*records, _reservation(command.sent, command.stream, occasion)])

    def _aggregate(
        self, blank: Callable[[], Aggregate], stream: str, head: int, given: Sequence[LifecycleEvent]
    ) -> Aggregate:
        """The aggregate after what is in the log up to `head`, and after what was given by this poll."""
        known = self._aggregates.get(stream)
        if known is None or known.version != head + len(given):
            known = self._store.load(blank()) if head else blank()
            for event in given:
                known.replay(event)
            self._aggregates[stream] = known
        self._aggregates.move_to_end(stream)
        return known


def _streams(commands: Sequence[ReadableCommand]) -> list[str]:
    """The streams that a decision about these asks for, each once."""
    named = {command.about: None for command in commands if command.read is not None}
    named |= {command.stream: None for command in commands if command.stream is not None}
    return list(named)


def _stream_of(sent: SentCommand, partition: str) -> str:
    if sent.source is None and sent.id is None:
        timestamp_us = millisecond(sent.arrival_us)  # of the record, wherever it was read
        return tombstone_stream(sent.scope, partition, sent.offset, timestamp_us, sent.subject)
    return command_stream(sent.scope, required_id("source", sent.source), required_id("id", sent.id))


def _occasion(sent: SentCommand, read: ReadCommand, actor: str, recorded_at: datetime) -> Occasion:
    arrived_at = _arrival(sent.arrival_us, recorded_at)
    return Occasion(recorded_at, Provenance(actor, sent.dialect, read.reason), read.effective_at, arrived_at)


def _arrival(arrival_us: int, recorded_at: datetime) -> datetime | None:
    """When a command arrived, where that can be: not before there was anything to meter, and not in the future."""
    recorded_us = (recorded_at - _EPOCH) // timedelta(microseconds=1)
    if not (EFFECTIVE_MIN - _EPOCH) // timedelta(microseconds=1) <= arrival_us < recorded_us:
        return None
    return _EPOCH + timedelta(microseconds=arrival_us)


def _reservation(sent: SentCommand, stream: str, occasion: Occasion) -> NewRecord:
    return new_record(
        CommandHonoured(
            stream=stream,
            version=1,
            recorded_at=occasion.recorded_at,
            effective_at=occasion.recorded_at,
            provenance=occasion.provenance,
            tenant=sent.scope.tenant,
            environment=sent.scope.environment,
            source=sent.source or "",
            id=sent.id or "",
            kind=sent.kind,
        )
    )


def _outcome(command: ReadableCommand, outcome: CommandVerdict, reason: str | None = None) -> CommandOutcome:
    sent = command.sent
    return CommandOutcome(
        sent.offset, sent.index, sent.scope, sent.kind, sent.source, sent.id, sent.subject, outcome, reason
    )


def _told(error: Exception) -> str:
    """Why a command is refused. What it quotes of the sender's names may be no valid Unicode."""
    foreseen = isinstance(error, DomainError)
    text = str(error) if foreseen else f"data: cannot be read ({type(error).__name__})"
    return text[:REASON_KEPT_MAX].encode(errors="replace").decode()
