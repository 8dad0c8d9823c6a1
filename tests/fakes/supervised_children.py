"""What supervised children run in tests. Imports little, for child processes."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

from consumers.processes.parent_watch import end_with_parent


def record_start(folder: Path) -> None:
    """Append process id and instant (monotonic seconds, the same clock in every process) to the file `starts`."""
    with (folder / "starts").open("a") as starts:
        starts.write(f"{os.getpid()} {time.monotonic()}\n")


def starts_in(folder: Path) -> list[tuple[int, float]]:
    """Process id and instant of every start that was recorded."""
    try:
        lines = (folder / "starts").read_text().splitlines()
    except FileNotFoundError:
        return []
    return [(int(pid), float(instant)) for pid, instant in map(str.split, lines)]


def run_until_ended(folder: Path) -> None:
    record_start(folder)
    threading.Event().wait()


def end_at_once(folder: Path) -> None:
    record_start(folder)
    raise SystemExit(3)


def refuse_to_end(folder: Path) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    record_start(folder)
    threading.Event().wait()


def run_until_the_parent_ends(folder: Path) -> None:
    end_with_parent()
    record_start(folder)
    threading.Event().wait()
