"""Measures the anonymous memory of processes during a run, in fifths of its progress.

Only RssAnon counts: pages of mapped files can be reclaimed by the system at any time.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

FIFTHS = 5
LOOK_SECONDS = 0.5


class MemoryWatch:
    """The most that one process of a kind held in each fifth of the progress; 0 where nothing was measured.

    Progress in leaps may skip a fifth; the last one is always measured.
    """

    def __init__(self) -> None:
        self.peaks: dict[str, list[int]] = defaultdict(lambda: [0] * FIFTHS)

    def note(self, kind: str, done: float, size: int) -> None:
        """Note a measurement; `done` is the progress, from 0 to 1."""
        peaks, fifth = self.peaks[kind], min(FIFTHS - 1, int(done * FIFTHS))
        peaks[fifth] = max(peaks[fifth], size)

    def growth(self, kind: str) -> int:
        """The growth from the first two fifths, in which everything is used once, to the last."""
        return self.peaks[kind][-1] - max(self.peaks[kind][:2])

    def shown(self) -> str:
        """In MiB."""
        return "; ".join(f"{kind} {[size >> 20 for size in peaks]}" for kind, peaks in sorted(self.peaks.items()))


@contextmanager
def watching(processes: Callable[[], Mapping[str, Iterable[int]]], done: Callable[[], float]) -> Iterator[MemoryWatch]:
    """Measure processes by kind every `LOOK_SECONDS` while the block runs, and at its end."""
    watch, stopping = MemoryWatch(), threading.Event()
    died_of: list[BaseException] = []

    def look() -> None:
        part = done()
        for kind, pids in processes().items():
            for pid in pids:
                watch.note(kind, part, anonymous_bytes(pid))

    def look_again_and_again() -> None:
        try:
            while not stopping.wait(LOOK_SECONDS):
                look()
        except BaseException as error:
            died_of.append(error)

    thread = threading.Thread(target=look_again_and_again, daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        stopping.set()
        thread.join()
    if died_of:
        raise died_of[0]
    look()


def anonymous_bytes(pid: int) -> int:
    """The anonymous memory of a process; 0 for one that has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    found = [line.split()[1] for line in status.splitlines() if line.startswith("RssAnon:")]
    return int(found[0]) * 1024 if found else 0
