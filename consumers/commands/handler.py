"""How every command is carried out: load the aggregate, let it decide, append, and try again when fenced."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import Final, Generic, TypeVar

import msgspec

from domain.aggregate import Aggregate, Occasion
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
    """What a command did: the position of its last event (None: it changed nothing), and the state after it."""

    position: int | None
    state: S


class CommandHandler:
    """What all commands share. Safe to call from several threads; several processes may share the log."""

    def __init__(
        self,
        log: EventLog,
        keys: PersonalKeys,
        clock: Callable[[], datetime],
        randomness: Callable[[int], bytes],
        command_attempts_max: int = COMMAND_ATTEMPTS_MAX,
    ) -> None:
        """`clock` answers aware UTC instants; `randomness(n)` answers n bytes that nobody can guess."""
        self._log = log
        self._keys = keys
        self._clock = clock
        self._randomness = randomness
        self._attempts_max = command_attempts_max
        self._store = AggregateStore(log)
        # Commands of one stream take turns here, so that only other processes can fence one.
        self._turns = [threading.Lock() for _ in range(STREAM_LOCKS)]

    def _carry_out(self, blank: Callable[[], A], decide: Callable[[A], None]) -> CommandResult[A]:
        """Let the aggregate `decide`, append what it gives; `Fenced` after `command_attempts_max` failed attempts."""
        stream = blank().id
        with self._turn_of(stream):
            for _ in range(self._attempts_max):
                aggregate = self._store.load(blank())
                decide(aggregate)
                try:
                    return CommandResult(self._store.append(aggregate), aggregate)
                except Fenced:
                    continue
        raise Fenced(f"stream {stream!r} moved during each of {self._attempts_max} attempts: try again")

    def _turn_of(self, stream: str) -> threading.Lock:
        return self._turns[zlib.crc32(stream.encode()) % STREAM_LOCKS]

    @contextmanager
    def _turns_of(self, *streams: str) -> Iterator[None]:
        """The turns of several streams, taken in one order everywhere, so that nobody waits for each other."""
        with ExitStack() as taken:
            for number in sorted({zlib.crc32(stream.encode()) % STREAM_LOCKS for stream in streams}):
                taken.enter_context(self._turns[number])
            yield

    def _occasion(self, provenance: Provenance, effective_at: datetime | None = None) -> Occasion:
        if effective_at is None:
            return Occasion(self._clock(), provenance)
        return Occasion(self._clock(), provenance, checked_effective_at(effective_at))
