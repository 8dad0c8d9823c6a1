"""Latency of explaining one event, by the number of events stored: `python -m bench.explaining 1000000 10000000`.

A folder is filled with rows of other events, then takes real ones, about which is asked: by the identity index as the
engine does it, and by a scan of the rows, which grows with them.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec

from bench.bench_settings import engine_settings
from bench.events import NDJSON, bodies, event_lines, midnight
from bench.http_load import percentiles
from bench.stored import Filling, fill
from consumers.bootstrap import open_engine
from consumers.embedded.engine import EmbeddedEngine
from consumers.intake.intake import IntakeRequest
from domain.scope import DEFAULT_SCOPE
from projections.views.event_explanation import explain_event

REAL_EVENTS: Final = 50_000
ASKED: Final = 200
CUSTOMERS: Final = 10_000
EVENTS_PER_BODY: Final = 10_000
WAIT_SECONDS_MAX: Final = 120.0
COUNTS_DEFAULT: Final = (1_000_000,)


class _Identity(msgspec.Struct):
    source: str
    id: str


def main(counts: Sequence[int]) -> None:
    """Measure each number of stored events in a folder of its own, and print a line for each way of asking."""
    for count in counts:
        with TemporaryDirectory() as folder:
            filling = Filling(f"{folder}/data", ids=count, rows=count, customers=CUSTOMERS, known_events=0, seed=7)
            fill(filling)
            with open_engine(engine_settings(Path(filling.folder))) as engine:
                identities = _deliver(engine, filling)
                for way, ask in (("index", _explained(engine)), ("scan", _scanned(engine))):
                    milliseconds = [f"{seconds * 1e3:7.2f}" for seconds in percentiles(_timed(identities, ask))]
                    print(f"{count:>12,} rows  {way:<6} p50, p99, longest: {', '.join(milliseconds)} ms", flush=True)


def _deliver(engine: EmbeddedEngine, filling: Filling) -> list[_Identity]:
    """Take real events; return the identities of some of them, from all blocks."""
    lines = event_lines(REAL_EVENTS, CUSTOMERS, filling.seed + 1, midnight(datetime.now(UTC)))
    for body in bodies(lines, EVENTS_PER_BODY):
        receipt = engine.intake.submit(IntakeRequest(DEFAULT_SCOPE, NDJSON, body)).result(WAIT_SECONDS_MAX)
        engine.wait_folded(receipt.position, WAIT_SECONDS_MAX)
    return [msgspec.json.decode(line, type=_Identity) for line in lines[:: REAL_EVENTS // ASKED]]


def _explained(engine: EmbeddedEngine) -> Callable[[_Identity], object]:
    """As `GET /v1/events/one` does it."""

    def ask(one: _Identity) -> object:
        with engine.reads.snapshot() as snapshot:
            return explain_event(snapshot, engine.received, DEFAULT_SCOPE, one.source, one.id, engine.now())

    return ask


def _scanned(engine: EmbeddedEngine) -> Callable[[_Identity], object]:
    """The event alone, by its rows."""

    def ask(one: _Identity) -> object:
        with engine.reads.snapshot() as snapshot:
            return snapshot.event(DEFAULT_SCOPE, one.source, one.id)

    return ask


def _timed(identities: Sequence[_Identity], ask: Callable[[_Identity], object]) -> list[float]:
    seconds = []
    for one in identities:
        started = time.perf_counter()
        if ask(one) is None:
            raise LookupError(f"{one.id} is not found")
        seconds.append(time.perf_counter() - started)
    return seconds


if __name__ == "__main__":
    main(tuple(map(int, sys.argv[1:])) or COUNTS_DEFAULT)
