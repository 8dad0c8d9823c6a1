"""The thread that keeps the read store up with the log."""

from __future__ import annotations

import threading
from typing import Final

import structlog

from domain.log.records import EventLog
from projections.projector import Projector

RETRY_SECONDS: Final = 1.0

_logger = structlog.get_logger("meterfold.fold")


class FoldThread:
    """Steps a projector as long as there is something to fold, and looks for foreign appends in between.

    Whoever holds `paused` is the only writer of the read store: compaction and swaps happen under it.
    """

    def __init__(self, log: EventLog, projector: Projector, poll_seconds: float) -> None:
        self._log = log
        self._projector = projector
        self._poll_seconds = poll_seconds
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self.paused = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="fold", daemon=True)

    @property
    def projector(self) -> Projector:
        return self._projector

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """Something was appended by this process."""
        self._wake.set()

    def swap(self, projector: Projector) -> None:
        """Go on with another projector. The caller holds `paused`."""
        self._projector = projector

    def stop(self) -> None:
        """Finish the step at hand and end."""
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        seen = -1
        while not self._stopping.is_set():
            counter = self._log.change_counter()
            if counter == seen and not self._wake.is_set():
                self._wake.wait(self._poll_seconds)
                continue
            self._wake.clear()
            if self._fold_all():
                seen = counter
            else:
                self._stopping.wait(RETRY_SECONDS)  # whoever waits for a position must not hurry a failing fold

    def _fold_all(self) -> bool:
        """Fold until nothing is left; False when a step failed."""
        while not self._stopping.is_set():
            try:
                with self.paused:
                    folded = self._projector.step()
            except Exception:
                # Never skipped: the fold stands still here, says so in /readyz, and tries again.
                _logger.exception("fold_failed", after_position=self._projector.position)
                return False
            if not folded:
                return True
        return True
