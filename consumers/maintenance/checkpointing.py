"""When what the read store has written ahead is folded into its file: early where nobody waits, and within a bound.

The fold waits while that is done, longer the more there is; and in small parts it is no more work than at once.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog

from projections.duckdb.storage.storage_errors import storage_refusal

#: From here on it is folded when nobody waits for the fold.
WRITE_AHEAD_BYTES_MIN: Final = 64 * 1024 * 1024
#: From here on it is folded whoever waits, while that takes a third of a second.
WRITE_AHEAD_BYTES_MAX: Final = 160 * 1024 * 1024
#: A store whose file could not be written has to be opened again: not to be done over and over on a disk that is full.
AFTER_REFUSAL_SECONDS: Final = 30

_logger = structlog.get_logger("meterfold.engine")


class WrittenAhead(Protocol):
    """The store's side of it, whichever store is in use."""

    def write_ahead_bytes(self) -> int:
        """How much was written since it was folded."""

    def fold_write_ahead(self) -> None:
        """Fold it, while the fold waits."""


class Checkpointing:
    """Looked at each second, and by a compaction before each of its chunks, during which nothing can be folded."""

    def __init__(
        self,
        store: WrittenAhead,
        is_behind: Callable[[], bool],
        now: Callable[[], datetime],
        bytes_min: int = WRITE_AHEAD_BYTES_MIN,
        bytes_max: int = WRITE_AHEAD_BYTES_MAX,
    ) -> None:
        """`is_behind`: whether somebody waits for the fold; a look takes up to half a second."""
        self._store = store
        self._is_behind = is_behind
        self._now = now
        self._bytes_min = bytes_min
        self._bytes_max = bytes_max
        self._refused_until: datetime | None = None

    def keep_small(self) -> bool:
        """Fold it if it is time; answer whether so much had gathered that it was done whoever waits."""
        written = self._store.write_ahead_bytes()
        if written < self._bytes_min or self._is_refused():
            return False
        is_much = written >= self._bytes_max
        if is_much or not self._is_behind():
            self._fold()
        return is_much

    def _is_refused(self) -> bool:
        return self._refused_until is not None and self._now() < self._refused_until

    def _fold(self) -> None:
        try:
            self._store.fold_write_ahead()
        except Exception as error:
            refusal = storage_refusal(error)
            if refusal is None:
                raise
            if self._refused_until is None:
                _logger.error("write_ahead_not_folded", reason=refusal)
            self._refused_until = self._now() + timedelta(seconds=AFTER_REFUSAL_SECONDS)
        else:
            self._refused_until = None
