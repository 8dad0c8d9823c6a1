"""A served engine at rest hardly uses the processor."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.meterfold_process import Server, serving

CPU_SHARE_MAX = 0.01
WINDOW_SECONDS = 5.0
#: The first windows also hold what is left of the start, which takes longer on a busy machine.
WINDOWS_MAX = 12
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pids: list[int]) -> float:
    """User and system time of these processes so far, whatever else the machine does."""
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split() for pid in pids]
    return sum(int(field[11]) + int(field[12]) for field in fields) / _TICKS_A_SECOND


def share_of_a_core(server: Server) -> float:
    """The share of one core that all processes of an engine use, over one window."""
    pids = [server.pid, *server.children()]
    before, begun = cpu_seconds(pids), time.monotonic()
    time.sleep(WINDOW_SECONDS)
    return (cpu_seconds(pids) - before) / (time.monotonic() - begun)


@pytest.mark.slow
def test_an_idle_engine_uses_less_than_a_hundredth_of_a_core(tmp_path: Path) -> None:
    with serving(tmp_path / "data", tmp_path / "serve.log") as server:
        shares: list[float] = []
        while len(shares) < WINDOWS_MAX and not (shares and shares[-1] < CPU_SHARE_MAX):
            shares.append(share_of_a_core(server))
    assert shares[-1] < CPU_SHARE_MAX, shares
