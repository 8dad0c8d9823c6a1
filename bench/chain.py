"""Throughput of the whole chain, from NDJSON bytes to counted and committed rows, compared with two limits.

There are two rates: until everything is counted, and until the engine is quiet as well, with nothing put off (`quiet`).

The engine runs with its real processes: the owner folds, its intake process decodes and appends. A few bodies are in
flight at a time, each until it is folded, and single events are sent between them to measure how long a write waits.
The limits are measured afterwards in the same process, on the same core and with the same events.
"""

from __future__ import annotations

import gc
import itertools
import os
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from bench.bench_settings import engine_settings
from bench.events import NDJSON, bodies, event_lines, midnight, mixed
from bench.limits import arrow_insert_seconds, decode_seconds, sample_rows
from bench.processes import APPEND_FILE_VARIABLE, largest_child_bytes, peak_bytes
from bench.quiet import PutOff, bring_to_quiet, resume_jobs
from bench.stored import Filling, known_lines
from consumers.bootstrap import open_engine
from consumers.embedded.data_folder import DataFolder
from consumers.embedded.engine import EmbeddedEngine
from consumers.intake.intake import IntakeReceipt, IntakeRequest
from domain.scope import DEFAULT_SCOPE

EVENTS_PER_BODY: Final = 10_000
BODIES_UNDER_WAY_MAX: Final = 6
WARMING_BODIES: Final = 4
PROBE_SECONDS: Final = 0.05
COMPACTING_SECONDS: Final = 2.0
WAIT_SECONDS_MAX: Final = 120.0
LIMIT_EVENTS_MAX: Final = 200_000


class ChainRun(msgspec.Struct, frozen=True):
    """One run. `number` is its number on this folder: every run sends other events, and repeats other ones."""

    filling: Filling
    events: int
    known_each: int  # how many of `events` were sent before
    number: int
    compacting: bool  # compact rows and rollups, and checkpoint store and index, during the run
    limits: bool


class ChainResult(msgspec.Struct, frozen=True):
    """Rates in events per second; waits in seconds; peak memory in bytes.

    `quiet` is the rate until the engine is quiet, `chain` that until everything is counted; `put_off` is the work
    between the two.
    """

    cores: int
    ids: int
    events: int
    bytes_per_event: float
    quiet: float
    chain: float
    put_off: PutOff
    decode_only: float
    arrow_insert_only: float
    counted: int
    duplicates: int
    duplicates_sent: int
    append_longest: float
    write_longest: float
    owner_bytes: int
    intake_bytes: int
    compactions: int


def measure(run: ChainRun) -> ChainResult:
    """Measure on a folder that was filled before. Runs in a process of its own, already pinned."""
    lines, sent_before = _lines(run)
    known_sent = len(sent_before)
    body_list = list(bodies(mixed(lines, sent_before, run.filling.seed), EVENTS_PER_BODY))
    warming = list(bodies(_fresh(run, EVENTS_PER_BODY, 50), EVENTS_PER_BODY // WARMING_BODIES))
    probes = _fresh(run, 10_000, 90)
    with tempfile.TemporaryDirectory() as folder:
        append_file = Path(folder) / "longest"
        os.environ[APPEND_FILE_VARIABLE] = str(append_file)
        with open_engine(engine_settings(Path(run.filling.folder)), serving=True) as engine:
            drive(engine, warming, [])
            bring_to_quiet(engine)  # what was put off before is no work of this run
            resume_jobs(engine)
            append_file.unlink(missing_ok=True)
            before = _totals(engine)
            stopped = threading.Event()
            compactions: list[float] = []
            background = threading.Thread(target=_compact_until, args=(engine, stopped, compactions), daemon=True)
            if run.compacting:
                background.start()
            started = time.perf_counter()
            seconds, write_longest = drive(engine, body_list, probes)
            stopped.set()
            if run.compacting:
                background.join()
            put_off = bring_to_quiet(engine)
            seconds_quiet = time.perf_counter() - started
            after = _totals(engine)
            memory = peak_bytes(os.getpid()), largest_child_bytes(os.getpid())
        append_longest = float(append_file.read_text()) if append_file.exists() else 0.0
        decode_rate = insert_rate = 0.0
        if run.limits:
            gc.collect()
            some = body_list[: LIMIT_EVENTS_MAX // EVENTS_PER_BODY]
            decode_rate = sum(body.count(b"\n") + 1 for body in some) / decode_seconds(some)
            store = DataFolder(Path(run.filling.folder)).current_read_folder() / "store.duckdb"
            rows = sample_rows(store, min(run.events, LIMIT_EVENTS_MAX))
            insert_rate = rows.num_rows / arrow_insert_seconds(rows, Path(folder) / "alone.duckdb", EVENTS_PER_BODY)
    counted, duplicates = after[0] - before[0], after[1] - before[1]
    return ChainResult(
        cores=len(os.sched_getaffinity(0)),
        ids=run.filling.ids,
        events=run.events,
        bytes_per_event=sum(map(len, body_list)) / run.events,
        quiet=run.events / seconds_quiet,
        chain=run.events / seconds,
        put_off=put_off,
        decode_only=decode_rate,
        arrow_insert_only=insert_rate,
        counted=counted,
        duplicates=duplicates,
        duplicates_sent=known_sent,
        append_longest=append_longest,
        write_longest=write_longest,
        owner_bytes=memory[0],
        intake_bytes=memory[1],
        compactions=len(compactions),
    )


def _lines(run: ChainRun) -> tuple[list[bytes], list[bytes]]:
    """The new events, and those that are sent again."""
    known = known_lines(run.filling) if run.filling.ids else []
    again = known[run.number * run.known_each : (run.number + 1) * run.known_each]
    return _fresh(run, run.events - len(again), 10), again


def _fresh(run: ChainRun, count: int, kind: int) -> list[bytes]:
    seed = run.filling.seed + 1_000 * (run.number + 1) + kind
    return event_lines(count, run.filling.customers, seed, midnight(datetime.now(UTC)))


def _request(body: bytes) -> IntakeRequest:
    return IntakeRequest(DEFAULT_SCOPE, NDJSON, body)


def drive(engine: EmbeddedEngine, body_list: Sequence[bytes], probes: Sequence[bytes]) -> tuple[float, float]:
    """Send everything and wait until it is folded; return the seconds, and the longest wait of one write.

    `probes` are sent one at a time between the bodies, and do not count for the rate.
    """
    waits: list[float] = []
    ended = threading.Event()
    prober = threading.Thread(target=_probe, args=(engine, probes, ended, waits), daemon=True)
    under_way: list[tuple[float, Future[IntakeReceipt]]] = []

    def finish(how_many: int) -> None:
        for sent, future in under_way[:how_many]:
            _await_folded(engine, future)
            waits.append(time.perf_counter() - sent)
        del under_way[:how_many]

    started = time.perf_counter()
    prober.start()
    for body in body_list:
        if len(under_way) == BODIES_UNDER_WAY_MAX:
            finish(1)
        under_way.append((time.perf_counter(), engine.intake.submit(_request(body))))
    finish(len(under_way))
    seconds = time.perf_counter() - started
    ended.set()
    prober.join()
    return seconds, max(waits)


def drive_until(engine: EmbeddedEngine, body_list: Sequence[bytes], ended: threading.Event, sent: list[int]) -> None:
    """Send the bodies over and over, a few at a time, until `ended`; append the numbers of folded events to `sent`."""
    under_way: list[Future[IntakeReceipt]] = []
    for number in itertools.count():
        if ended.is_set():
            break
        if len(under_way) == BODIES_UNDER_WAY_MAX:
            receipt = under_way.pop(0)
            _await_folded(engine, receipt)
            sent.append(receipt.result().received)
        under_way.append(engine.intake.submit(_request(body_list[number % len(body_list)])))
    for future in under_way:
        _await_folded(engine, future)


def _probe(engine: EmbeddedEngine, probes: Sequence[bytes], ended: threading.Event, waits: list[float]) -> None:
    for line in probes:
        if ended.wait(PROBE_SECONDS):
            return
        sent = time.perf_counter()
        _await_folded(engine, engine.intake.submit(_request(line)))
        waits.append(time.perf_counter() - sent)


def _await_folded(engine: EmbeddedEngine, future: Future[IntakeReceipt]) -> None:
    if not engine.wait_folded(future.result(WAIT_SECONDS_MAX).position, WAIT_SECONDS_MAX):
        raise TimeoutError("the fold did not catch up within the time of a benchmark")


def _compact_until(engine: EmbeddedEngine, stopped: threading.Event, done: list[float]) -> None:
    """Merge and flush every few seconds, however little there is."""
    while not stopped.wait(COMPACTING_SECONDS):
        started = time.perf_counter()
        engine.upkeep.compact()
        engine.flushing.flush()
        done.append(time.perf_counter() - started)


def _totals(engine: EmbeddedEngine) -> tuple[int, int]:
    with engine.reads.snapshot() as snapshot:
        totals = snapshot.totals()
    return totals.counted, totals.duplicate
