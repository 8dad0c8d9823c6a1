"""Upkeep of the read side in use: compaction, checkpoints, and giving free space back. It changes no answer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final

from consumers.embedded.live_read_side import LiveReadSide
from consumers.maintenance.checkpointing import Checkpointing
from consumers.maintenance.compaction_policy import LAG_SAMPLE_INTERVAL_SECONDS, bounds_of, is_behind
from consumers.settings import Settings
from domain.log.records import EventLog
from projections.read_side.compaction import Compaction, GenerationKind
from projections.read_side.store import StoreDatabase

#: Share of free space in the read store's file beyond which generations are rewritten and the file is truncated.
FREE_SHARE_MAX: Final = 0.45
MERGE_BYTES_MAX: Final = 256 * 1024 * 1024
#: In this order: reads of whole days add up the deltas of days, and there are fewer of those than rows.
COMPACTED: Final[tuple[GenerationKind, ...]] = ("days", "rows")


class Upkeep:
    """Compacts and checkpoints while folding goes on, and does nothing long once `closing` is set."""

    def __init__(
        self,
        settings: Settings,
        log: EventLog,
        live: LiveReadSide,
        now: Callable[[], datetime],
        closing: threading.Event,
    ) -> None:
        self._settings = settings
        self._log = log
        self._live = live
        self._closing = closing
        self._compaction: Compaction | None = None
        self._reclaimed_bytes = 0
        self.read_store_checkpoints = 0  # since the start
        self.checkpointing = Checkpointing(self, self._is_behind, now)

    def compact(self) -> None:
        """Compact day deltas and usage rows where there are enough of them, while folding goes on.

        While the fold is behind, that is postponed until their number reaches its upper bound; see `compaction_policy`.
        """
        with self._live.replacing, self._compacting() as compaction:
            if self._closing.is_set():
                return
            for kind in COMPACTED:
                self._compact(compaction, kind)
                self.checkpointing.checkpoint_if_large()

    def _compact(self, compaction: Compaction, kind: GenerationKind) -> None:
        bounds = bounds_of(self._settings, kind, behind=False)
        if compaction.open_rows(kind) >= bounds.open_rows_min:
            bounds = bounds_of(self._settings, kind, self._is_behind())
            compaction.run(kind, bounds.open_rows_min, bounds.merge_ratio)

    def _is_behind(self) -> bool:
        return is_behind(
            lambda: self._live.fold.projector.position,
            self._log.head_position,
            lambda: self._closing.wait(timeout=LAG_SAMPLE_INTERVAL_SECONDS),
        )

    @property
    def _database(self) -> StoreDatabase:
        return self._live.current.store.database

    def checkpoint(self) -> None:
        """Checkpoint everything that is derived from the log.

        1. Write out the identity index and merge its runs, within a budget.
        2. Checkpoint the read store.
        3. Shrink the read store's file when much of it is free.
        """
        self._live.current.index.checkpoint()
        self._live.current.index.merge_runs(MERGE_BYTES_MAX)
        self.checkpoint_read_store()
        if not self._closing.is_set() and self._database.free_share() > FREE_SHARE_MAX:
            self._shrink_file()

    def write_ahead_bytes(self) -> int:
        """Return the size of the read store's write-ahead log."""
        return self._database.write_ahead_bytes()

    def checkpoint_read_store(self) -> None:
        """Move the read store's write-ahead log into its file. Folding waits for that."""
        with self._requesting_recovery_on_failure(), self._live.fold.paused:
            self._database.checkpoint()
            self.read_store_checkpoints += 1

    @contextmanager
    def _requesting_recovery_on_failure(self) -> Iterator[None]:
        """Request recovery when the body fails: it may have invalidated the read store while nothing is folded."""
        try:
            yield
        except Exception:
            self._live.fold.request_recovery()
            raise

    def _shrink_file(self) -> None:
        with self._live.replacing:
            if self._database.file_bytes() == self._reclaimed_bytes:
                return  # the last attempt did not help, and nothing has changed
            with self._compacting() as compaction:
                compaction.shrink_file(self.checkpoint_read_store)
            self._reclaimed_bytes = self._database.file_bytes()

    @contextmanager
    def _compacting(self) -> Iterator[Compaction]:
        checkpoint = self.checkpointing.checkpoint_if_large
        with self._live.current.store.compaction(lambda: self._live.fold.paused, checkpoint) as compaction:
            self._compaction = compaction
            try:
                with self._requesting_recovery_on_failure():
                    yield compaction
            finally:
                self._compaction = None

    def interrupt(self) -> None:
        """Interrupt a compaction that runs. Called repeatedly until it has ended."""
        compaction = self._compaction
        if compaction is not None:
            compaction.interrupt()
