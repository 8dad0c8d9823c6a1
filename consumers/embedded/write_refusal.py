"""Whether the log of a data folder can be written at present, for those who ask how the engine is.

A full disk shows in two ways: an append was refused, or hardly any room is left. While one of these holds, a small file
is written beside the log, at most once a second: when that succeeds again, the log can be written again. On a healthy
disk nothing is written; its free space is asked for.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from projections.storage_errors import storage_refusal

#: With less room than this, the log is taken to be full although no append was refused.
FREE_BYTES_MIN: Final = 64 * 1024
#: The room that must be there again after an append was refused.
FREE_AGAIN_BYTES_MIN: Final = 1024 * 1024
PROBE_BYTES: Final = 16 * 1024
PROBE_INTERVAL_SECONDS: Final = 1.0
PROBE_FILE: Final = "write-probe"
_FULL: Final = "the disk under it is full: free some space"


class WriteRefusal:
    """Tells why the log in `folder` cannot be written. Safe to call from several threads."""

    def __init__(
        self,
        folder: Path,
        log: Path,
        monotonic: Callable[[], float] = time.monotonic,
        free_bytes: Callable[[Path], int] | None = None,
    ) -> None:
        """`monotonic` returns seconds; `free_bytes` the room that this process may use in a folder."""
        self._folder = folder
        self._log = log
        self._monotonic = monotonic
        self._free_bytes = free_bytes or _free_bytes
        self._lock = threading.Lock()
        self._append_refused = False
        self._probed_at: float | None = None
        self._found: str | None = None

    def append_refused(self) -> None:
        """Note that the storage of the log refused an append."""
        with self._lock:
            self._append_refused = True
            self._probed_at = None

    def reason(self) -> str | None:
        """Why the log cannot be written, as a clause with advice; None when it can."""
        with self._lock:
            now = self._monotonic()
            if self._probed_at is None or now - self._probed_at >= PROBE_INTERVAL_SECONDS:
                self._found = self._probe()
                self._probed_at = now
                if self._found is None:
                    self._append_refused = False
            return self._found

    def _probe(self) -> str | None:
        try:
            free_bytes = self._free_bytes(self._folder)
            if free_bytes < (FREE_AGAIN_BYTES_MIN if self._append_refused else FREE_BYTES_MIN):
                return _FULL
            if self._append_refused:
                os.close(os.open(self._log, os.O_RDWR))
                _write(self._folder / PROBE_FILE)
        except OSError as error:
            return storage_refusal(error) or f"its disk failed ({error.strerror}): check it"
        return None


def _free_bytes(folder: Path) -> int:
    room = os.statvfs(folder)
    return room.f_frsize * (room.f_bfree if os.geteuid() == 0 else room.f_bavail)


def _write(path: Path) -> None:
    """Write a file through to the disk, and remove it."""
    try:
        with path.open("wb") as file:
            file.write(bytes(PROBE_BYTES))
            file.flush()
            os.fsync(file.fileno())
    finally:
        path.unlink(missing_ok=True)
