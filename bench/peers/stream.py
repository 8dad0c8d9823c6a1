"""The events that every store is sent, and the facts that are taken of each."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

import msgspec

from bench.events import bodies, event_lines, mixed
from bench.quiet import PutOff

REPEATED_SHARE: Final = 100  # one in this many events is sent twice
WARMING_EVENTS: Final = 10_000
WARMING_BODIES: Final = 4


class StoreRun(msgspec.Struct, frozen=True):
    """One turn. The events are the same for the same numbers and `today`, a UTC midnight."""

    folder: str  # does not exist yet
    events: int
    events_per_body: int
    customers: int
    seed: int
    today: datetime


class Sent(msgspec.Struct, frozen=True):
    """NDJSON bodies: those sent before the clock starts, and those of `events` events that are measured."""

    warming: Sequence[bytes]
    measured: Sequence[bytes]
    events: int
    distinct: int  # in all bodies


class Held(msgspec.Struct, frozen=True):
    """What a store holds: distinct events and their tokens, events in its sums, bytes on disk."""

    distinct: int
    tokens: int
    summed: int
    stored_bytes: int


class StoreResult(msgspec.Struct, frozen=True):
    """Rates in events per second, until all is counted and until the store is quiet; the work of the engine between."""

    counted: float
    quiet: float
    distinct_sent: int
    held: Held
    put_off: PutOff | None = None


def sent_in(run: StoreRun) -> Sent:
    """The bodies of a turn."""
    repeated = run.events // REPEATED_SHARE
    lines = event_lines(run.events - repeated, run.customers, run.seed, run.today)
    every = mixed(lines, lines[:repeated], run.seed)
    warming = event_lines(min(WARMING_EVENTS, run.events), run.customers, run.seed + 1, run.today)
    return Sent(
        list(bodies(warming, max(1, len(warming) // WARMING_BODIES))),
        list(bodies(every, run.events_per_body)),
        len(every),
        len(lines) + len(warming),
    )


def timed(
    sent: Sent, take: Callable[[Sequence[bytes]], object], come_to_quiet: Callable[[], float]
) -> tuple[float, float]:
    """Let a store take the measured bodies; return its rates until counted and until quiet.

    `come_to_quiet` returns the moment of `time.perf_counter` at which the store was quiet.
    """
    started = time.perf_counter()
    take(sent.measured)
    counted = time.perf_counter()
    quiet = come_to_quiet()
    return sent.events / (counted - started), sent.events / (quiet - started)
