"""A served engine at rest hardly uses the processor.

How much a process is charged for waking depends on the machine: a virtual one whose idle pages are reclaimed charges
ten times what another does. So a process that does nothing but wake, as often as an HTTP server does, is measured in
the same windows, and an engine may use a few times as much as that where waking is dear.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.meterfold_process import Server, serving

CPU_SHARE_MAX = 0.01
#: How many times the share of the process that only wakes, where that is more.
WAKING_SHARES_MAX = 5
_WAKING = "import asyncio\nasync def wake():\n    while True: await asyncio.sleep(0.1)\nasyncio.run(wake())"
WINDOW_SECONDS = 5.0
#: The first windows also hold what is left of the start, which takes longer on a busy machine.
WINDOWS_MAX = 12
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pids: list[int]) -> float:
    """User and system time of these processes so far, whatever else the machine does."""
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split() for pid in pids]
    return sum(int(field[11]) + int(field[12]) for field in fields) / _TICKS_A_SECOND


@contextmanager
def waking_process() -> Iterator[int]:
    """A process that wakes ten times a second and does nothing, by its id."""
    with subprocess.Popen([sys.executable, "-c", _WAKING]) as process:
        try:
            yield process.pid
        finally:
            process.kill()


def shares_of_a_core(server: Server, waking: int) -> tuple[float, float]:
    """The shares of one core that an engine uses, and the process that only wakes, over one window."""
    groups = [server.pid, *server.children()], [waking]
    before, begun = [cpu_seconds(pids) for pids in groups], time.monotonic()
    time.sleep(WINDOW_SECONDS)
    seconds = time.monotonic() - begun
    engine, control = ((cpu_seconds(pids) - of) / seconds for pids, of in zip(groups, before, strict=True))
    return engine, control


@pytest.mark.slow
def test_an_idle_engine_uses_less_than_a_hundredth_of_a_core(tmp_path: Path) -> None:
    with serving(tmp_path / "data", tmp_path / "serve.log") as server, waking_process() as waking:
        shares: list[tuple[float, float]] = []
        while len(shares) < WINDOWS_MAX and not (shares and _is_at_rest(*shares[-1])):
            shares.append(shares_of_a_core(server, waking))
    assert _is_at_rest(*shares[-1]), shares


def _is_at_rest(engine: float, waking: float) -> bool:
    return engine < max(CPU_SHARE_MAX, WAKING_SHARES_MAX * waking)
