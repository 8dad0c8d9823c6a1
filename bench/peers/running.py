"""The turns: every store takes the same bytes on one core and on two, one after the other, in several rounds.

Each second round goes backwards, so that a machine that slows down or speeds up favours nobody.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from bench.events import midnight
from bench.peers.clickhouse import chdb_is_there
from bench.peers.stream import StoreResult, StoreRun
from bench.processes import run_step

ENGINE: Final = "engine"
CHDB: Final = "chdb"
SQLITE: Final = "SQLite"
CORES: Final = (1, 2)
BODY_EVENTS: Final = (10_000, 50_000)
_STEPS: Final = {ENGINE: "engine turn", CHDB: "chdb turn", SQLITE: "sqlite turn"}


class Turn(msgspec.Struct, frozen=True):
    """One store in one round."""

    cores: int
    store: str
    events_per_body: int
    result: StoreResult


class Peers(msgspec.Struct, frozen=True):
    """All turns in their order; `left_out` are stores that are not installed."""

    rounds: int
    turns: list[Turn]
    left_out: list[str]


def measure(
    below: Path,
    events: int,
    customers: int,
    seed: int,
    rounds: int,
    report: Callable[[str], None],
    body_events: Sequence[int] = BODY_EVENTS,
) -> Peers:
    """Measure in folders below `below`, one at a time. SQLite takes bodies of the first size alone."""
    today = midnight(datetime.now(UTC))
    turns = []
    for number in range(rounds):
        for cores, store, size in _order(number, body_events):
            report(f"round {number + 1}: {events:,} events by {size:,} into {store}, {cores} core(s)")
            folder = below / "turn"
            run = StoreRun(str(folder), events, size, customers, seed, today)
            turns.append(Turn(cores, store, size, run_step(_STEPS[store], run, StoreResult, cores)))
            shutil.rmtree(folder, ignore_errors=True)
    return Peers(rounds, turns, [] if chdb_is_there() else [CHDB])


def _order(number: int, body_events: Sequence[int]) -> Iterator[tuple[int, str, int]]:
    stores = [(ENGINE, size) for size in body_events]
    if chdb_is_there():
        stores += [(CHDB, size) for size in body_events]
    stores.append((SQLITE, body_events[0]))
    for cores in CORES:
        for store, size in stores if number % 2 == 0 else reversed(stores):
            yield cores, store, size
