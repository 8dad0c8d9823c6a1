"""Measurements in processes of their own, pinned to cores from their start, each with its own peak memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final, TypeVar

import msgspec

ROOT: Final = Path(__file__).resolve().parent.parent
STEP_SECONDS_MAX: Final = 1_800
#: The file to which a measured process, or a child of it, writes the duration of its longest append to the log.
APPEND_FILE_VARIABLE: Final = "BENCH_LONGEST_APPEND_FILE"

Result = TypeVar("Result")


class StepFailed(Exception):
    """A measuring process failed; the message has its last output."""


def run_step(name: str, parameters: msgspec.Struct, result: type[Result], cores: int | None = None) -> Result:
    """Run `bench.step` in a process of its own, on the last `cores` cores (None: all); return its result."""
    ended = subprocess.run(
        [sys.executable, "-m", "bench.step", name, str(cores or 0)],
        cwd=ROOT,
        env=clean_environment(),
        input=msgspec.json.encode(parameters),
        capture_output=True,
        timeout=STEP_SECONDS_MAX,
        check=False,
    )
    if ended.returncode != 0:
        raise StepFailed(f"step {name} ended with {ended.returncode}:\n{ended.stderr.decode()[-4000:]}")
    return msgspec.json.decode(ended.stdout, type=result)


def clean_environment(**more: str) -> dict[str, str]:
    """The environment of this process without settings of the engine and of other measurements, with `more` added."""
    plain = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("METERFOLD_") and name != APPEND_FILE_VARIABLE
    }
    return {**plain, "PYTHONPATH": str(ROOT), **more}


def pin(cores: int) -> int:
    """Pin this process and its children to the last `cores` cores (0: all); return the number of cores."""
    allowed = sorted(os.sched_getaffinity(0))
    chosen = allowed[-cores:] if cores else allowed
    os.sched_setaffinity(0, chosen)
    return len(chosen)


def peak_bytes(pid: int) -> int:
    """The peak resident memory of a running process."""
    status = Path(f"/proc/{pid}/status").read_text()
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(peak.split()[1]) * 1024


def children_of(pid: int) -> list[int]:
    """The process ids of all children, including helper processes of libraries."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def largest_child_bytes(pid: int) -> int:
    """The peak memory of the largest child; 0 without children."""
    return max((peak_bytes(child) for child in children_of(pid)), default=0)
