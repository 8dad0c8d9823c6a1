"""Command handler: execute commands on the log, one after the other for each stream, and answer what they did."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from datetime import datetime
from functools import partial
from typing import Final, Generic, TypeVar

import msgspec

from domain.aggregate import Aggregate
from domain.command import Command, Executed, SealOf
from domain.customers.personal_data import CustomerSeal
from domain.customers.personal_keys import PersonalKeys
from domain.errors import Fenced
from domain.log.aggregate_store import AggregateStore
from domain.log.records import EventLog

COMMAND_ATTEMPTS_MAX: Final = 16
STREAM_LOCKS: Final = 64

A = TypeVar("A", bound=Aggregate)
S = TypeVar("S")


class CommandResult(msgspec.Struct, Generic[S], frozen=True):
    """Result of a command: the position of its last event (None: it changed nothing), and the state after it.

    `known_position`: the log position by which this state is reached. Of a command that changed nothing it is the end
    of the log: what it would have changed may have been written just before, and not be folded yet.
    """

    position: int | None
    state: S
    known_position: int


class CommandHandler:
    """The one handler of commands. Safe to call from several threads; several processes may share the log."""

    def __init__(
        self,
        log: EventLog,
        keys: PersonalKeys,
        clock: Callable[[], datetime],
        randomness: Callable[[int], bytes],
        command_attempts_max: int = COMMAND_ATTEMPTS_MAX,
    ) -> None:
        """Use `clock` for aware UTC instants and `randomness(n)` for n unpredictable bytes."""
        self._clock = clock
        self._randomness = randomness
        self._attempts_max = command_attempts_max
        self._log = log
        self._store = AggregateStore(log)
        self._seal_of = partial(CustomerSeal, keys, randomness)
        # Commands on one stream wait for each other here, so that only other processes can fence one.
        self._locks = [threading.Lock() for _ in range(STREAM_LOCKS)]

    def handle(self, command: Command[S]) -> CommandResult[S]:
        """Execute one command, and return when its events are durable.

        1. Take the locks of all streams that the command is known to concern, in a fixed order.
        2. Execute it: it loads its aggregates and decides. What it raises is the answer, and nothing is written.
        3. If it loaded aggregates of other streams, release the locks and go back to 1, with their locks too.
        4. Append the new events of all its aggregates at once. When another process wrote to one of their streams in
           between, go back to 1.

        Raises `Fenced` after `command_attempts_max` attempts to append.
        """
        command = command.with_randomness(self._randomness)
        concerned = set(command.streams(self._seal_of))
        for _ in range(self._attempts_max):
            with ExitStack() as locks:
                executed = self._executed(command, concerned, locks)
                try:
                    position = self._store.append(*executed.changed)
                except Fenced:
                    continue
                known_position = self._log.head_position() if position is None else position
                return CommandResult(position, executed.state, known_position)
        raise self._fenced(concerned)

    def _executed(self, command: Command[S], concerned: set[str], locks: ExitStack) -> Executed[S]:
        """Execute with the locks of all streams that it loads, which become `concerned`."""
        for _ in range(self._attempts_max + 1):
            self._take_locks(concerned, locks)
            aggregates = _LoadedAggregates(self._store, self._seal_of)
            executed = command.execute(aggregates, command.context(self._clock()))
            if aggregates.streams <= concerned:
                return executed
            locks.close()
            concerned |= aggregates.streams
        raise self._fenced(concerned)

    def _take_locks(self, streams: Iterable[str], locks: ExitStack) -> None:
        """Take the locks of several streams. They are always taken in the same order, which rules out deadlocks."""
        for number in sorted({zlib.crc32(stream.encode()) % STREAM_LOCKS for stream in streams}):
            locks.enter_context(self._locks[number])

    def _fenced(self, streams: Iterable[str]) -> Fenced:
        named = ", ".join(repr(stream) for stream in sorted(streams))
        return Fenced(f"stream {named} changed during each of {self._attempts_max} attempts: try again")


class _LoadedAggregates:
    """The aggregates that one execution has loaded, by stream."""

    def __init__(self, store: AggregateStore, seal_of: SealOf) -> None:
        self.seal_of = seal_of
        self._store = store
        self._loaded: dict[str, Aggregate] = {}

    @property
    def streams(self) -> set[str]:
        return set(self._loaded)

    def load(self, blank: A) -> A:
        known = self._loaded.get(blank.id)
        if isinstance(known, type(blank)):
            return known
        self._loaded[blank.id] = loaded = self._store.load(blank)
        return loaded
