"""Memory over many events, a `verify` and a `rebuild`, to see whether it grows with the folder.

1. One engine with its scheduler takes everything in chunks, and its memory is recorded for each chunk.
2. It verifies itself and is closed.
3. Another process rebuilds the folder.

Memory is the resident set without mapped files (RssAnon), the most that was seen during a stage.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from bench.bench_settings import engine_settings
from bench.chain import drive_until
from bench.events import bodies, event_lines, midnight
from consumers.bootstrap import open_engine, replay_closed
from consumers.engine import OperationResult, OperationStep

EVENTS_PER_BODY: Final = 10_000
LOOK_SECONDS: Final = 0.05


class EnduranceRun(msgspec.Struct, frozen=True):
    """`events` in `chunks` equal chunks."""

    folder: str
    events: int
    chunks: int
    customers: int
    seed: int


class Stage(msgspec.Struct, frozen=True):
    """One stage: `events` in the folder at its end, and the most memory of this process during it."""

    name: str
    events: int
    per_second: float
    anonymous_bytes: int
    findings: int = 0


def endure(run: EnduranceRun) -> list[Stage]:
    """Take everything, then verify. Runs in a process of its own."""
    stages = []
    each = run.events // run.chunks
    with open_engine(engine_settings(Path(run.folder)), serving=True) as engine:
        for chunk in range(run.chunks):
            lines = event_lines(each, run.customers, run.seed + chunk, midnight(datetime.now(UTC)))
            body_list = list(bodies(lines, EVENTS_PER_BODY))
            del lines
            with _watching() as most:
                started = time.perf_counter()
                drive_until(engine, body_list, _Once(len(body_list)), [])
                seconds = time.perf_counter() - started
            del body_list
            stages.append(Stage(f"intake, part {chunk + 1}", each * (chunk + 1), each / seconds, most[0]))
        with _watching() as most:
            started = time.perf_counter()
            *_, last = engine.verify()
            seconds = time.perf_counter() - started
        stages.append(_operation("verify", last, seconds, most[0]))
    return stages


def rebuild(run: EnduranceRun) -> Stage:
    """Rebuild the closed folder. Runs in a process of its own."""
    with _watching() as most:
        started = time.perf_counter()
        *_, last = replay_closed(engine_settings(Path(run.folder)))
        seconds = time.perf_counter() - started
    return _operation("rebuild", last, seconds, most[0])


class _Once(threading.Event):
    """An event that is set after `times` calls of `is_set`, so that every body is sent once."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self._left = times

    def is_set(self) -> bool:
        self._left -= 1
        return self._left < 0


def _operation(name: str, last: OperationStep | OperationResult, seconds: float, most: int) -> Stage:
    if not isinstance(last, OperationResult):
        raise TypeError(f"{name} ends with its result")
    return Stage(name, last.events, last.events / seconds, most, len(last.findings))


@contextmanager
def _watching() -> Iterator[list[int]]:
    """Record the most anonymous memory of this process within the context, in a list of one."""
    most, ended = [_anonymous_bytes()], threading.Event()

    def look() -> None:
        while not ended.wait(LOOK_SECONDS):
            most[0] = max(most[0], _anonymous_bytes())

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield most
    finally:
        ended.set()
        watcher.join()


def _anonymous_bytes() -> int:
    status = Path(f"/proc/{os.getpid()}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("RssAnon:")).split()[1]) * 1024
