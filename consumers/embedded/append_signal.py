"""Signal of appends: wakes the fold as soon as the log has grown, from whichever process.

The engine that owns a data folder makes a FIFO in it and waits for bytes; whoever appends writes one. Their values mean
nothing, and bytes that gather while the fold is busy are one signal. A process that appends opens the FIFO each time,
so that it need not notice when the engine is stopped, killed or started again. A signal may be lost, and some file
systems have no FIFOs: the fold also polls the log, rarely.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from typing import Final

import structlog

FILE_NAME: Final = "append-signal"
#: What a FIFO holds at most, on Linux.
_READ_BYTES_MAX: Final = 65_536

_logger = structlog.get_logger("meterfold.fold")


class AppendSignal:
    """The engine's side. One thread waits; any thread may call `notify`, also after `close`."""

    def __init__(self, folder: Path) -> None:
        """Make the FIFO in a folder that the caller owns; replace one that a killed engine has left.

        Where that is impossible, `notify` works all the same, and `signal_append` wakes nobody.
        """
        self._path = folder / FILE_NAME
        self._lock = threading.Lock()  # a closed descriptor may soon be another file
        self._closed = False
        try:
            self._path.unlink(missing_ok=True)
            os.mkfifo(self._path, 0o600)
            # Both ends: without any writer, a FIFO whose last writer has gone is readable for ever.
            self._ends = {os.open(self._path, os.O_RDWR | os.O_NONBLOCK)}
            self._read_end = self._write_end = min(self._ends)
        except OSError as error:
            _logger.warning("appends_not_signalled", path=str(self._path), reason=error.strerror, instead="polling")
            self._read_end, self._write_end = os.pipe()
            self._ends = {self._read_end, self._write_end}
            os.set_blocking(self._write_end, False)
        self._selector = DefaultSelector()
        self._selector.register(self._read_end, EVENT_READ)

    def notify(self) -> None:
        """Wake the waiting thread, or let its next `wait` return at once."""
        with self._lock, suppress(BlockingIOError):  # full: it is signalled already
            if not self._closed:
                os.write(self._write_end, b"\0")

    def wait(self, seconds_max: float) -> bool:
        """Wait for a signal since the last call; return False when none came within `seconds_max`."""
        if not self._selector.select(seconds_max):
            return False
        with suppress(BlockingIOError):  # another process has read it: it was a signal all the same
            os.read(self._read_end, _READ_BYTES_MAX)
        return True

    def close(self) -> None:
        """Remove the FIFO. Nobody waits any more."""
        with self._lock:
            self._closed = True
            self._selector.close()
            for end in self._ends:
                os.close(end)
        with suppress(OSError):
            self._path.unlink()


def signal_append(folder: Path) -> None:
    """Tell the engine of a data folder, if one runs, that its log has grown. Never blocks and never fails."""
    with suppress(OSError):  # no engine runs, or enough signals wait already
        end = os.open(folder / FILE_NAME, os.O_WRONLY | os.O_NONBLOCK)
        try:
            os.write(end, b"\0")
        finally:
            os.close(end)
