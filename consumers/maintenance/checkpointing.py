"""Checkpoint policy: when the read store's write-ahead log is moved into its file.

Folding waits during a checkpoint, the longer the larger the write-ahead log; many small ones are no more work than one.
So it is done early while nothing is waiting for the fold, and at a bound in any case.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog

from projections.storage_errors import storage_refusal

#: From this size on there is a checkpoint when the fold is not behind.
WRITE_AHEAD_BYTES_MIN: Final = 64 * 1024 * 1024
#: From this size on there is a checkpoint in any case; it takes a third of a second.
WRITE_AHEAD_BYTES_MAX: Final = 160 * 1024 * 1024
#: After a failed checkpoint the store has to be reopened, so on a full disk the next attempt waits this long.
REFUSAL_PAUSE_SECONDS: Final = 30

_logger = structlog.get_logger("meterfold.engine")


class CheckpointedStore(Protocol):
    """A store with a write-ahead log."""

    def write_ahead_bytes(self) -> int:
        """Return the size of the write-ahead log."""

    def checkpoint_read_store(self) -> None:
        """Move the write-ahead log into the file. Folding waits for that."""


class Checkpointing:
    """Decides on checkpoints: each second, and before each chunk of a compaction, which holds up folding too."""

    def __init__(
        self,
        store: CheckpointedStore,
        is_behind: Callable[[], bool],
        now: Callable[[], datetime],
        bytes_min: int = WRITE_AHEAD_BYTES_MIN,
        bytes_max: int = WRITE_AHEAD_BYTES_MAX,
    ) -> None:
        """Ask `is_behind` whether the fold is behind the log; it may take half a second to answer."""
        self._store = store
        self._is_behind = is_behind
        self._now = now
        self._bytes_min = bytes_min
        self._bytes_max = bytes_max
        self._refused_until: datetime | None = None

    def checkpoint_if_large(self) -> bool:
        """Checkpoint if it is time; return whether the upper bound was reached."""
        size = self._store.write_ahead_bytes()
        if size < self._bytes_min or self._is_refused():
            return False
        is_at_bound = size >= self._bytes_max
        if is_at_bound or not self._is_behind():
            self._checkpoint()
        return is_at_bound

    def _is_refused(self) -> bool:
        return self._refused_until is not None and self._now() < self._refused_until

    def _checkpoint(self) -> None:
        try:
            self._store.checkpoint_read_store()
        except Exception as error:
            refusal = storage_refusal(error)
            if refusal is None:
                raise
            if self._refused_until is None:
                _logger.error("write_ahead_not_folded", reason=refusal)
            self._refused_until = self._now() + timedelta(seconds=REFUSAL_PAUSE_SECONDS)
        else:
            self._refused_until = None
