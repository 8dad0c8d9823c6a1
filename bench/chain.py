"""The whole chain: NDJSON bytes in, counted and committed out, beside the decoding that it cannot do without.

Both are measured in one run on the same bytes, and reported as a ratio: absolute times depend on the machine.
The limit is `msgspec` decoding each line into a typed struct and doing nothing with it.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec

from bench.events import ndjson_batches
from consumers.bootstrap import open_engine
from consumers.intake import IntakeRequest
from consumers.settings import Settings
from domain.scope import DEFAULT_SCOPE

BATCHES: Final = 30
EVENTS_PER_BATCH: Final = 10_000
CUSTOMERS: Final = 10_000
SEED: Final = 20261101
NOW: Final = datetime(2026, 11, 1, tzinfo=UTC)
FOLD_SECONDS_MAX: Final = 300.0


class _Data(msgspec.Struct, gc=False):
    provider: str | None = None
    model: str | None = None
    input_tokens: int = 0
    cached_input_tokens: int = 0
    output_tokens: int = 0
    status: str | None = None
    cost_usd: Decimal | None = None
    tags: list[str] | None = None


class _Event(msgspec.Struct, gc=False):
    id: str
    source: str
    type: str
    specversion: str
    subject: str | None = None
    time: str | None = None
    data: _Data | None = None


class ChainMeasurement(msgspec.Struct, frozen=True):
    """Events per second of the chain and of its limit, on one pinned core or on all."""

    cores: int
    events: int
    bytes_per_event: float
    decode_only_per_second: float
    chain_per_second: float
    counted: int
    duplicates: int

    @property
    def ratio(self) -> float:
        return self.chain_per_second / self.decode_only_per_second


def measure(pinned: bool) -> ChainMeasurement:
    """Run the chain once in a fresh folder; on one core when `pinned`."""
    allowed = os.sched_getaffinity(0)
    if pinned:
        os.sched_setaffinity(0, {max(allowed)})
    try:
        bodies = list(ndjson_batches(BATCHES, EVENTS_PER_BATCH, CUSTOMERS, SEED))
        decode_seconds = _decode_only(bodies)
        with tempfile.TemporaryDirectory() as folder:
            seconds, counted, duplicates = _chain(Path(folder), bodies)
    finally:
        os.sched_setaffinity(0, allowed)
    events = BATCHES * EVENTS_PER_BATCH
    size = sum(len(body) for body in bodies) / events
    cores = 1 if pinned else len(allowed)
    return ChainMeasurement(cores, events, size, events / decode_seconds, events / seconds, counted, duplicates)


def _decode_only(bodies: Sequence[bytes]) -> float:
    decoder = msgspec.json.Decoder(_Event)
    started = time.perf_counter()
    for body in bodies:
        for line in body.split(b"\n"):
            decoder.decode(line)
    return time.perf_counter() - started


def _chain(folder: Path, bodies: Sequence[bytes]) -> tuple[float, int, int]:
    settings = Settings(data_dir=folder)
    with open_engine(settings, clock=lambda: NOW) as engine:
        started = time.perf_counter()
        receipts = [engine.intake.submit(IntakeRequest(DEFAULT_SCOPE, "application/x-ndjson", body)) for body in bodies]
        last = max(receipt.result().position for receipt in receipts)
        folded = engine.wait_folded(last, FOLD_SECONDS_MAX)
        seconds = time.perf_counter() - started
        assert folded, "the fold did not catch up within the time of a benchmark"
        with engine.reads.snapshot() as snapshot:
            totals = snapshot.totals()
    return seconds, totals.counted, totals.duplicate
