"""The thread that keeps the read store up with the log."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

import structlog

from domain.log.records import EventLog
from projections.duckdb.storage.storage_errors import storage_refusal
from projections.folding.projector import Projector

RETRY_SECONDS: Final = 1.0

_logger = structlog.get_logger("meterfold.fold")


class ProjectorThread:
    """Steps a projector as long as there is something to fold, and looks for foreign appends in between.

    After a step that failed, and a pause, or when `mend_soon` was called, `on_failure` may repair what is in the way of
    the next attempt.

    Whoever holds `paused` is the only writer of the read store: compaction and swaps happen under it.
    """

    def __init__(self, log: EventLog, projector: Projector, poll_seconds: float) -> None:
        self._log = log
        self._projector = projector
        self._poll_seconds = poll_seconds
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._to_mend = threading.Event()
        self.paused = threading.Lock()
        self._told: str | None = None
        self.on_failure: Callable[[], None] = lambda: None
        #: Told the position after every step, and at the start.
        self.on_folded: Callable[[int], None] = lambda position: None
        self._thread = threading.Thread(target=self._run, name="fold", daemon=True)

    @property
    def projector(self) -> Projector:
        return self._projector

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """Something was appended by this process."""
        self._wake.set()

    def mend_soon(self) -> None:
        """Something else than the fold has failed: `on_failure` is called though there may be nothing to fold."""
        self._to_mend.set()
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
        self.on_folded(self._projector.position)
        seen = -1
        while not self._stopping.is_set():
            if self._to_mend.is_set() and not self._mended():
                continue
            counter = self._log.change_counter()
            if counter == seen and not self._wake.is_set():
                self._wake.wait(self._poll_seconds)
                continue
            self._wake.clear()
            if self._fold_all():
                seen = counter
            else:
                self._stopping.wait(RETRY_SECONDS)  # whoever waits for a position must not hurry a failing fold
                self._recover()

    def _tell(self, error: Exception) -> None:
        """Once for every reason: the attempts go on each second."""
        reason = str(error)
        if reason == self._told:
            return
        self._told = reason
        to_blame = None if storage_refusal(error) else error  # a disk that is full needs no traceback
        _logger.error("fold_failed", after_position=self._projector.position, reason=reason, exc_info=to_blame)

    def _mended(self) -> bool:
        self._to_mend.clear()
        if self._recover():
            return True
        self._to_mend.set()
        self._stopping.wait(RETRY_SECONDS)
        return False

    def _recover(self) -> bool:
        """Whether what may be in the way is out of it now."""
        if self._stopping.is_set():
            return False
        try:
            self.on_failure()
        except Exception as error:
            self._tell(error)
            return False
        return True

    def _fold_all(self) -> bool:
        """Fold until nothing is left; False when a step failed."""
        while not self._stopping.is_set():
            try:
                with self.paused:
                    folded = self._projector.step()
                    self.on_folded(self._projector.position)
            except Exception as error:
                # Never skipped: the fold stands still here, says so in /readyz, and tries again.
                self._tell(error)
                return False
            self._told = None
            if not folded:
                return True
        return True
