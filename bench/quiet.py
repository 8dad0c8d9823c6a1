"""The engine brought to quiet: nothing is left of the work that it puts off when events come in.

The scheduled jobs are stopped, and what they would do later is done at once, again and again until nothing is found:

1. Fold what the log holds.
2. Flush. Also what is too little to be sorted by a flush yet: it only waits for more.
3. Merge generations, and runs of the identity index.
4. Shrink the read store's file where much of it is free.

The nightly verification is not among them: it checks, and leaves nothing that reads need.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

import msgspec

from consumers.embedded.engine import EmbeddedEngine
from consumers.embedded.jobs import scheduler_of
from consumers.embedded.upkeep import FREE_SHARE_MAX, MERGE_BYTES_MAX, MERGED
from projections.read_side.compaction import Compaction

ROUNDS_MAX: Final = 20
FOLD_SECONDS_MAX: Final = 120.0


class PutOff(msgspec.Struct, frozen=True):
    """Seconds of work that was put off, by kind; `rounds` until nothing was found any more."""

    fold: float
    flush: float
    merge: float
    shrinking: float
    rounds: int


def bring_to_quiet(engine: EmbeddedEngine) -> PutOff:
    """Do everything that is put off; return how long it took. The scheduled jobs stay stopped."""
    seconds = dict.fromkeys(("fold", "flush", "merge", "shrinking"), 0.0)

    def timed(kind: str, work: Callable[[], bool]) -> bool:
        started = time.perf_counter()
        found = work()
        seconds[kind] += time.perf_counter() - started
        return found

    if engine.scheduler is not None:
        timed("merge", lambda: _stop_jobs(engine))
    shrunk: set[int] = set()  # sizes of the file, at which shrinking it again would not help
    for number in range(1, ROUNDS_MAX + 1):
        found = timed("fold", lambda: _fold(engine))
        found |= timed("flush", lambda: _flush(engine))
        found |= timed("merge", lambda: _merge(engine))
        found |= timed("shrinking", lambda: _shrink(engine, shrunk))
        if not found:
            return PutOff(**seconds, rounds=number)
    raise TimeoutError(f"the engine still found work after {ROUNDS_MAX} rounds of it")


def resume_jobs(engine: EmbeddedEngine) -> None:
    """Run the scheduled jobs again, as when the engine was opened."""
    engine.scheduler = scheduler_of(engine)
    engine.scheduler.start()


def _stop_jobs(engine: EmbeddedEngine) -> bool:
    """Wait for the job that runs; if that takes any time, it is a merge."""
    if engine.scheduler is not None:
        engine.scheduler.stop()
    return False


def _fold(engine: EmbeddedEngine) -> bool:
    head = engine.log.head_position()
    if engine.folded_position() >= head:
        return False
    if not engine.wait_folded(head, FOLD_SECONDS_MAX):
        raise TimeoutError("the fold did not catch up within the time of a benchmark")
    return True


def _flush(engine: EmbeddedEngine) -> bool:
    """Flush; return whether anything was in memory alone."""
    waiting = engine.flushing.unflushed_records() > 0
    engine.flushing.flush(open_rows_min=1)
    return waiting


def _merge(engine: EmbeddedEngine) -> bool:
    found = False
    with _compacting(engine) as compaction:
        for kind in MERGED:
            while compaction.merge(kind):
                found = True
    while engine.read_side.index.merge_runs(MERGE_BYTES_MAX):
        found = True
    if found:
        engine.flushing.flush(open_rows_min=1)
    return found


def _compacting(engine: EmbeddedEngine) -> AbstractContextManager[Compaction]:
    return engine.read_side.store.compaction(lambda: engine.fold.paused, lambda: engine.write_turn)


def _shrink(engine: EmbeddedEngine, shrunk: set[int]) -> bool:
    database = engine.read_side.store.database
    if database.free_share() <= FREE_SHARE_MAX or database.file_bytes() in shrunk:
        return False
    with _compacting(engine) as compaction:
        compaction.shrink_file(engine.flushing.flush)
    shrunk.add(database.file_bytes())
    return True
