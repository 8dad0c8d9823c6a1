"""Flushes of the read side in use: what was folded into memory goes into its files, in one durable step.

The event log holds the truth, so a step of the fold changes memory only. A flush, in a thread of its own:

1. Sort the rows and sum the day deltas that came in since the last one, while the fold goes on.
2. Take the claims that the identity index holds in memory.
3. Pause the fold; checkpoint the read store, which writes all that is folded and the position there. Resume.
4. Write the claims out. They are of positions that the store has in its file by now.

There is one when `flush_records_max` records or `flush_bytes_max` bytes are in memory, when the identity index is full,
after a change of a backfill that was prepared, and after `flush_interval_seconds`. At `HOLD_FACTOR` times these bounds
the fold waits for it, and writers for the fold. A crash loses what was not flushed; the next start folds it again.
Reads that go on for long hold up 3: then the fold goes on without a flush for longer.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

import structlog

from consumers.embedded.live_read_side import LiveReadSide
from consumers.settings import Settings
from projections.read_side.compaction import GenerationKind
from projections.read_side.read_side import ReadSide
from projections.storage_errors import failure_text, storage_refusal

#: Under full load some ten thousand records come in between two looks.
CHECK_SECONDS: Final = 0.1
HOLD_FACTOR: Final = 2
#: The store has to be reopened after a failed flush, so on a full disk the next attempt waits this long.
FAILURE_PAUSE_SECONDS: Final = 10.0
#: A read that began before the last sorting or correction keeps the store from being checkpointed until it ends. A
#: flush waits for so long while the fold goes on; then, as corrections may come all the time, while it is paused.
READERS_SECONDS_MAX: Final = 2.0
READERS_PAUSED_SECONDS_MAX: Final = 0.2
READERS_LOOK_SECONDS: Final = 0.01
#: Where a read takes longer, the next attempt comes after so long.
READERS_PAUSE_SECONDS: Final = 5.0
#: Meanwhile the fold goes on up to so many times the bounds: what does not fit into DuckDB's memory goes to its
#: temporary files. That is time enough for a verification of ten million events beside full load.
HELD_UP_FACTOR: Final = 20
_HELD_UP: Final = "memory is full, and reads that go on for long keep the read store from being written"

_logger = structlog.get_logger("meterfold.engine")


def reaches(side: ReadSide, settings: Settings, factor: int) -> bool:
    """Return whether `factor` times as much is in memory as is flushed."""
    unflushed = side.store.unflushed()
    return (
        unflushed.records >= factor * settings.flush_records_max
        or unflushed.bytes >= factor * settings.flush_bytes_max
        or side.index.is_full(factor)  # also where the store has room in its file, and the disk none for a run
    )


class Flushing:
    """Flushes the read side in use when it is time. `stop` ends the thread; `flush` works with and without it."""

    def __init__(self, settings: Settings, live: LiveReadSide, monotonic: Callable[[], float] = time.monotonic) -> None:
        """`monotonic` returns seconds."""
        self._settings = settings
        self._live = live
        self._monotonic = monotonic
        self._last_at = monotonic()
        self._postponed_until = 0.0
        self._is_held_up = False  # by reads
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="flush", daemon=True)
        self.flushes = 0  # since the start
        self.failure: str | None = None

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Finish a flush that runs, and end the thread."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def must_hold(self) -> bool:
        """Return whether the fold has to wait for a flush: memory is full."""
        return self._reaches(HELD_UP_FACTOR if self._is_held_up else HOLD_FACTOR)

    def unflushed_records(self) -> int:
        """Return how many records are in memory alone."""
        return self._live.current.store.unflushed().records

    def flush(self, open_rows_min: int | None = None) -> bool:
        """Flush; return false when a read that takes long, or another write to the store, prevented it.

        Open rows, and open deltas, are left as they are when there are fewer than `open_rows_min`; by default than the
        settings say.
        """
        with self._live.recovering_on_failure():
            with self._live.write_turn:
                side = self._live.current
                self._sort(open_rows_min)
                if not side.index.checkpoint(lambda: self._checkpoint(side)):
                    return False
            self.flushes += 1
            self._last_at = self._monotonic()
        return True

    def _sort(self, open_rows_min: int | None) -> None:
        least: dict[GenerationKind, int] = {
            "days": self._settings.compact_deltas_min,
            "rows": self._settings.compact_rows_min,
        }
        with self._live.compaction() as compaction:
            for kind, rows in least.items():
                compaction.sort(kind, rows if open_rows_min is None else open_rows_min)

    def _checkpoint(self, side: ReadSide) -> bool:
        until = self._monotonic() + READERS_SECONDS_MAX
        while self._monotonic() < until:
            with self._live.fold.paused:
                if side.store.checkpoint():
                    return True
            time.sleep(READERS_LOOK_SECONDS)
        with self._live.fold.paused:
            until = self._monotonic() + READERS_PAUSED_SECONDS_MAX
            while not side.store.checkpoint():
                if self._monotonic() >= until:
                    return False
                time.sleep(READERS_LOOK_SECONDS)
        return True

    def _run(self) -> None:
        while not self._stopping.wait(CHECK_SECONDS):
            try:
                if self._is_due():
                    self._note(done=self.flush())
            except Exception as error:
                self._note_failure(error)

    def _is_due(self) -> bool:
        now = self._monotonic()
        if now < self._postponed_until:
            return False
        is_old = now - self._last_at >= self._settings.flush_interval_seconds
        unflushed = self._live.current.store.unflushed()
        return self._reaches(1) or (is_old and unflushed.records > 0) or unflushed.is_costly or self.failure is not None

    def _reaches(self, factor: int) -> bool:
        return reaches(self._live.current, self._settings, factor)

    def _note(self, *, done: bool) -> None:
        self._is_held_up = not done
        if done:
            self.failure = None
            return
        self._postponed_until = self._monotonic() + READERS_PAUSE_SECONDS
        if self.failure is None and self.must_hold():
            _logger.error("flush_failed", reason=_HELD_UP)
            self.failure = _HELD_UP

    def _note_failure(self, error: Exception) -> None:
        refusal = storage_refusal(error)
        if self.failure is None:
            _logger.error("flush_failed", reason=refusal or str(error), exc_info=None if refusal else error)
        self.failure = failure_text(error)
        self._postponed_until = self._monotonic() + FAILURE_PAUSE_SECONDS
