"""The engine brought to quiet: nothing is left of the work that it puts off when events come in.

The scheduled jobs are stopped, and what they would do later is done at once, again and again until nothing is found:

1. Fold what the log holds.
2. Compact rows and rollups. Also what is too little for a compaction of its own yet: it only waits for more.
3. Write out the identity index and merge its runs.
4. Checkpoint the read store, and shrink its file where much of it is free.

The nightly verification is not among them: it checks, and leaves nothing that reads need.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import msgspec

from consumers.embedded.engine import EmbeddedEngine
from consumers.embedded.jobs import scheduler_of
from consumers.embedded.upkeep import COMPACTED, MERGE_BYTES_MAX

ROUNDS_MAX: Final = 20
FOLD_SECONDS_MAX: Final = 120.0


class PutOff(msgspec.Struct, frozen=True):
    """Seconds of work that was put off, by kind; `rounds` until nothing was found any more."""

    fold: float
    compaction: float
    index: float
    checkpoint: float
    rounds: int


def bring_to_quiet(engine: EmbeddedEngine) -> PutOff:
    """Do everything that is put off; return how long it took. The scheduled jobs stay stopped."""
    seconds = dict.fromkeys(("fold", "compaction", "index", "checkpoint"), 0.0)

    def timed(kind: str, work: Callable[[], bool]) -> bool:
        started = time.perf_counter()
        found = work()
        seconds[kind] += time.perf_counter() - started
        return found

    if engine.scheduler is not None:
        timed("compaction", lambda: _stop_jobs(engine))
    for number in range(1, ROUNDS_MAX + 1):
        found = timed("fold", lambda: _fold(engine))
        found |= timed("compaction", lambda: _compact(engine))
        found |= timed("index", lambda: _merge_index(engine))
        found |= timed("checkpoint", lambda: _checkpoint(engine))
        if not found:
            return PutOff(**seconds, rounds=number)
    raise TimeoutError(f"the engine still found work after {ROUNDS_MAX} rounds of it")


def resume_jobs(engine: EmbeddedEngine) -> None:
    """Run the scheduled jobs again, as when the engine was opened."""
    engine.scheduler = scheduler_of(engine)
    engine.scheduler.start()


def _stop_jobs(engine: EmbeddedEngine) -> bool:
    """Wait for the job that runs; if that takes any time, it is a compaction or a checkpoint."""
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


def _compact(engine: EmbeddedEngine) -> bool:
    checkpoint_if_large = engine.upkeep.checkpointing.checkpoint_if_large
    with engine.read_side.store.compaction(lambda: engine.fold.paused, checkpoint_if_large) as compaction:
        return sum(compaction.run(kind, 1) for kind in COMPACTED) > 0  # all of them, not only until one


def _merge_index(engine: EmbeddedEngine) -> bool:
    index = engine.read_side.index
    index.checkpoint()
    found = False
    while index.merge_runs(MERGE_BYTES_MAX):
        found = True
    return found


def _checkpoint(engine: EmbeddedEngine) -> bool:
    """Checkpoint; return whether the read store had anything that was not in its file."""
    waiting = engine.upkeep.write_ahead_bytes() > 0
    engine.upkeep.checkpoint()
    return waiting
