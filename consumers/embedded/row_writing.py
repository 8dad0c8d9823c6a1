"""Writing of the rows that the read side in use lacks, because a rebuild has folded the numbers first.

A thread of its own writes them in parts while the engine answers what it can from the numbers, and folds what comes in.
After each part there is a flush: a kill loses no more than one. A part that fails is tried again.
"""

from __future__ import annotations

import threading
from typing import Final

import structlog

from consumers.embedded.flushing import Flushing
from consumers.embedded.live_read_side import LiveReadSide
from projections.storage_errors import storage_refusal

RETRY_SECONDS: Final = 10.0

_logger = structlog.get_logger("meterfold.rows")


class RowWriting:
    """Writes missing rows until there are none. `start` returns at once; `stop` waits for the part that is written."""

    def __init__(self, live: LiveReadSide, flushing: Flushing) -> None:
        self._live = live
        self._flushing = flushing
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rows", daemon=True)

    def start(self) -> None:
        """Start the thread, if the read side in use lacks rows."""
        if self._live.current.store.missing_rows() is not None:
            self._thread.start()

    def stop(self) -> None:
        """Finish the part that is being written, and end the thread."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                if self._write_part():
                    return
            except Exception as error:
                refusal = storage_refusal(error)
                _logger.error("rows_not_written", reason=refusal or str(error), exc_info=None if refusal else error)
                self._stopping.wait(RETRY_SECONDS)

    def _write_part(self) -> bool:
        """Write the next part; return whether all rows are there."""
        with self._live.recovering_on_failure():
            missing = self._live.write_missing_rows()
        if missing is None:
            return True
        self._flushing.flush()
        _logger.info("rows_written", position=missing.written_to, until=missing.until)
        if missing.written_to < missing.until:
            return False
        self._live.fold.wake()  # corrections may have waited for the last part
        return True
