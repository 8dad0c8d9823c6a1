"""Command handler: load the aggregate, let it decide, append its events, and retry when another writer came first."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import Final, Generic, TypeVar

import msgspec

from domain.aggregate import Aggregate, CommandContext
from domain.commands.received import checked_effective_at
from domain.customers.personal_keys import PersonalKeys
from domain.errors import Fenced
from domain.event import Provenance
from domain.log.aggregate_store import AggregateStore
from domain.log.records import EventLog

COMMAND_ATTEMPTS_MAX: Final = 16
STREAM_LOCKS: Final = 64

A = TypeVar("A", bound=Aggregate)
S = TypeVar("S")


class CommandResult(msgspec.Struct, Generic[S], frozen=True):
    """Result of a command: the position of its last event (None: it changed nothing), and the state after it."""

    position: int | None
    state: S


class CommandHandler:
    """Base of all command classes. Safe to call from several threads; several processes may share the log."""

    def __init__(
        self,
        log: EventLog,
        keys: PersonalKeys,
        clock: Callable[[], datetime],
        randomness: Callable[[int], bytes],
        command_attempts_max: int = COMMAND_ATTEMPTS_MAX,
    ) -> None:
        """Use `clock` for aware UTC instants and `randomness(n)` for n unpredictable bytes."""
        self._log = log
        self._keys = keys
        self._clock = clock
        self._randomness = randomness
        self._attempts_max = command_attempts_max
        self._store = AggregateStore(log)
        # Commands on one stream wait for each other here, so that only other processes can fence one.
        self._locks = [threading.Lock() for _ in range(STREAM_LOCKS)]

    def _execute(self, blank: Callable[[], A], decide: Callable[[A], None]) -> CommandResult[A]:
        """Run one command.

        1. Take the lock of the aggregate's stream.
        2. Load the aggregate and let it `decide`; what that raises is the answer, and nothing is written.
        3. Append the new events. When another process wrote to the stream in between, go back to 2.

        Raises `Fenced` after `command_attempts_max` attempts.
        """
        stream = blank().id
        with self._lock_of(stream):
            for _ in range(self._attempts_max):
                aggregate = self._store.load(blank())
                decide(aggregate)
                try:
                    return CommandResult(self._store.append(aggregate), aggregate)
                except Fenced:
                    continue
        raise Fenced(f"stream {stream!r} changed during each of {self._attempts_max} attempts: try again")

    def _lock_of(self, stream: str) -> threading.Lock:
        return self._locks[zlib.crc32(stream.encode()) % STREAM_LOCKS]

    @contextmanager
    def _locks_of(self, *streams: str) -> Iterator[None]:
        """Hold the locks of several streams. They are always taken in the same order, which rules out deadlocks."""
        with ExitStack() as held:
            for number in sorted({zlib.crc32(stream.encode()) % STREAM_LOCKS for stream in streams}):
                held.enter_context(self._locks[number])
            yield

    def _context(self, provenance: Provenance, effective_at: datetime | None = None) -> CommandContext:
        if effective_at is None:
            return CommandContext(self._clock(), provenance)
        return CommandContext(self._clock(), provenance, checked_effective_at(effective_at))
