"""The read side in use: readers and the projector thread follow it when it is replaced."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

import structlog

from consumers.embedded.projector_thread import ProjectorThread
from projections.queries.events import RowSpan
from projections.queries.snapshot import Snapshot
from projections.read_side.compaction import Compaction
from projections.read_side.missing_rows import MissingRows
from projections.read_side.read_side import ReadSide, ReadSideOpener

_logger = structlog.get_logger("meterfold.engine")


class LiveReadSide:
    """A `ReadStore` that opens snapshots of whichever read side is in use at that moment.

    Locks, taken in this order: `replacing` keeps others from replacing it; merges and a swap hold it. `write_turn` is
    held by whoever writes to the store beside the fold: a flush, a chunk of a merge, a swap. `fold.paused` pauses the
    fold.
    """

    def __init__(self, opener: ReadSideOpener, current: ReadSide, fold: ProjectorThread) -> None:
        self.opener = opener
        self.current = current
        self.fold = fold
        self.replacing = threading.Lock()
        self.write_turn = threading.Lock()

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Open a snapshot of the read side in use."""
        return self.current.store.reads.snapshot()

    def all_counted(self, spans: Sequence[RowSpan]) -> bool:
        """Return whether every event of these folded spans is known, without a query, to be counted."""
        return self.current.store.reads.all_counted(spans)

    def is_usable(self) -> bool:
        """Return whether the read side in use can be read: no storage error has invalidated it."""
        return self.current.store.database.is_usable()

    def compaction(self) -> AbstractContextManager[Compaction]:
        """Prepare a compaction of the read side in use, under the locks above."""
        return self.current.store.compaction(lambda: self.fold.paused, lambda: self.write_turn)

    def write_missing_rows(self) -> MissingRows | None:
        """Write a part of the rows that the read side in use lacks; return what was missing after it, None if nothing.

        Only the thread of `RowWriting` calls this. The fold goes on; nobody replaces the read side meanwhile.
        """
        with self.replacing:
            return next(self.current.write_missing_rows(lambda: self.fold.paused, lambda: self.write_turn), None)

    @contextmanager
    def recovering_on_failure(self) -> Iterator[None]:
        """Request recovery when the body fails: it may have invalidated the read store while nothing is folded."""
        try:
            yield
        except Exception:
            self.fold.request_recovery()
            raise

    def replace(self, fresh: ReadSide) -> ReadSide:
        """Put `fresh` in use; return the one before. The caller holds all three locks."""
        old, self.current = self.current, fresh
        fresh.projector.on_lifecycle = old.projector.on_lifecycle
        self.fold.swap(fresh.projector)
        return old

    def reopen_if_unusable(self) -> bool:
        """Reopen the read side when a storage error has invalidated its store; return whether it was.

        What was not flushed is folded again. Until that succeeds, readers get `ReadStoreUnavailable`.
        """
        if self.is_usable():
            return False
        with self.replacing, self.write_turn, self.fold.paused:
            position = self.current.projector.position
            self.current.discard()
            # Without the listener of lifecycle events: it reads the read side in use, which is closed until `replace`.
            fresh = self.opener.open(self.current.folder)
            try:
                for _ in fresh.catch_up(position):
                    pass
            except BaseException:
                fresh.discard()  # the next attempt cannot open the files while these are open
                raise
            self.replace(fresh)
        _logger.warning("read_store_reopened", position=self.current.projector.position)
        return True
