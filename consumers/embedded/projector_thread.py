"""Background thread that keeps the read store up to date with the log."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

import structlog

from consumers.embedded.append_signal import AppendSignal
from domain.log.records import EventLog
from projections.folding.projector import Projector
from projections.storage_errors import storage_refusal

RETRY_SECONDS: Final = 1.0
#: How long the fold waits before it asks again whether it may go on.
HOLD_SECONDS: Final = 0.02

_logger = structlog.get_logger("meterfold.fold")


class ProjectorThread:
    """Steps a projector while there is something to fold: after a signal, or when a poll finds that the log has grown.

    `on_failure` is called after a failed step and a pause, or after `request_recovery`; it may repair whatever makes
    folding fail. The holder of the lock `paused` is the only writer of the read store's tables: flushes, merges and
    swaps hold it for a moment.
    """

    def __init__(self, log: EventLog, projector: Projector, signal: AppendSignal, poll_seconds: float) -> None:
        self._log = log
        self._projector = projector
        self._poll_seconds = poll_seconds
        self._signal = signal
        self._stopping = threading.Event()
        self._recovery_requested = threading.Event()
        self.paused = threading.Lock()
        self._logged_reason: str | None = None
        self.steps = 0  # that folded something
        self.failures = 0
        self.on_failure: Callable[[], None] = lambda: None
        #: Asked before every step: true makes the fold wait, because what it holds in memory has to be flushed first.
        self.must_hold: Callable[[], bool] = lambda: False
        #: Called with the position after every step, and at the start.
        self.on_folded: Callable[[int], None] = lambda position: None
        self._thread = threading.Thread(target=self._run, name="fold", daemon=True)

    @property
    def projector(self) -> Projector:
        """The projector in use."""
        return self._projector

    def start(self) -> None:
        """Start folding."""
        self.wake()
        self._thread.start()

    def wake(self) -> None:
        """Check the log at once: something may have been appended."""
        self._signal.notify()

    def request_recovery(self) -> None:
        """Call `on_failure` soon, even with nothing to fold: something other than folding has failed."""
        self._recovery_requested.set()
        self.wake()

    def swap(self, projector: Projector) -> None:
        """Continue with another projector. The caller holds `paused`."""
        self._projector = projector

    def stop(self) -> None:
        """Finish the current step and end the thread."""
        self._stopping.set()
        self.wake()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        self.on_folded(self._projector.position)
        seen = -1
        while not self._stopping.is_set():
            signalled = self._signal.wait(self._poll_seconds)
            if self._recovery_requested.is_set() and not self._recovered_on_request():
                continue
            counter = self._log.change_counter()
            if not signalled and counter == seen:
                continue
            if self._fold_all():
                seen = counter
            else:
                self._stopping.wait(RETRY_SECONDS)  # not the signal: waiting requests must not speed up the retries
                self._recover()
                self.wake()

    def _log_failure(self, error: Exception) -> None:
        """Log each reason once in a row: the retries go on every second."""
        reason = str(error)
        if reason == self._logged_reason:
            return
        self._logged_reason = reason
        to_log = None if storage_refusal(error) else error  # a full disk needs no traceback
        _logger.error("fold_failed", after_position=self._projector.position, reason=reason, exc_info=to_log)

    def _recovered_on_request(self) -> bool:
        self._recovery_requested.clear()
        if self._recover():
            return True
        self._stopping.wait(RETRY_SECONDS)
        self.request_recovery()
        return False

    def _recover(self) -> bool:
        """Call `on_failure`; return False when it failed, or when the thread is stopping."""
        if self._stopping.is_set():
            return False
        try:
            self.on_failure()
        except Exception as error:
            self._log_failure(error)
            return False
        return True

    def _fold_all(self) -> bool:
        """Fold until nothing is left; return False when a step failed, or when recovery is requested while it waits."""
        while not self._stopping.is_set():
            if self.must_hold():
                if self._recovery_requested.is_set():  # the flush that is waited for may need it
                    return False
                self._stopping.wait(HOLD_SECONDS)
                continue
            try:
                with self.paused:
                    folded = self._projector.step()
                    self.on_folded(self._projector.position)
            except Exception as error:
                # A record is never skipped: folding stops here, /readyz reports it, and it is retried.
                self.failures += 1
                self._log_failure(error)
                return False
            self._logged_reason = None
            if not folded:
                return True
            self.steps += 1
        return True
