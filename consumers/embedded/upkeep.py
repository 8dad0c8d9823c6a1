"""Upkeep of the read side in use: merging what flushes have written, and giving back free space. No answer changes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from consumers.embedded.flushing import Flushing
from consumers.embedded.live_read_side import LiveReadSide
from projections.read_side.compaction import Compaction, GenerationKind
from projections.read_side.store import StoreDatabase

#: Share of free space in the read store's file beyond which generations are rewritten and the file is truncated.
FREE_SHARE_MAX: Final = 0.45
MERGE_BYTES_MAX: Final = 256 * 1024 * 1024
#: In this order: reads of whole days add up the generations of days, and there are fewer rows in those.
MERGED: Final[tuple[GenerationKind, ...]] = ("days", "rows")


class Upkeep:
    """Merges while folding and flushing go on, and does nothing long once `closing` is set."""

    def __init__(self, live: LiveReadSide, flushing: Flushing, closing: threading.Event) -> None:
        self._live = live
        self._flushing = flushing
        self._closing = closing
        self._compaction: Compaction | None = None
        self._reclaimed_bytes = 0

    def compact(self) -> None:
        """Keep what flushes have written small and quick to read.

        1. Merge generations, as long as there are enough of similar size.
        2. Merge runs of the identity index, within a budget.
        3. Shrink the read store's file when much of it is free.
        """
        with self._live.replacing:
            with self._compacting() as compaction:
                for kind in MERGED:
                    while not self._closing.is_set() and compaction.merge(kind):
                        pass
            self._live.current.index.merge_runs(MERGE_BYTES_MAX)
            if not self._closing.is_set() and self._database.free_share() > FREE_SHARE_MAX:
                self._shrink_file()

    @property
    def _database(self) -> StoreDatabase:
        return self._live.current.store.database

    def _shrink_file(self) -> None:
        if self._database.file_bytes() == self._reclaimed_bytes:
            return  # the last attempt did not help, and nothing has changed
        with self._compacting() as compaction:
            compaction.shrink_file(self._flushing.flush)
        self._reclaimed_bytes = self._database.file_bytes()

    @contextmanager
    def _compacting(self) -> Iterator[Compaction]:
        with self._live.compaction() as compaction:
            self._compaction = compaction
            try:
                with self._live.recovering_on_failure():
                    yield compaction
            finally:
                self._compaction = None

    def interrupt(self) -> None:
        """Interrupt a merge that runs. Called repeatedly until it has ended."""
        compaction = self._compaction
        if compaction is not None:
            compaction.interrupt()
