"""Embedded engine: SQLite log, DuckDB read store, one data folder, one process that owns it.

Only `consumers.bootstrap` builds it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Final

import structlog

from consumers.commands.commands import Commands
from consumers.embedded.data_folder import DataFolder
from consumers.embedded.folded_position import FoldedPositionWriter
from consumers.embedded.key_cache import KeyCache
from consumers.embedded.projector_thread import ProjectorThread
from consumers.embedded.read_side import ReadSide, open_read_side
from consumers.engine import FoldProgress, OperationResult, OperationStep
from consumers.errors import EngineClosing
from consumers.intake.intake import Intake
from consumers.kafka.consumer.children import ConsumerChildren
from consumers.maintenance.checkpointing import Checkpointing
from consumers.maintenance.compaction_policy import LAG_SAMPLE_INTERVAL_SECONDS, bounds_of, is_behind
from consumers.maintenance.scheduler import Scheduler
from consumers.maintenance.verification import Verification
from consumers.settings import Settings
from domain.api_keys.events import ApiKeyIssued, ApiKeyRevoked
from domain.customers.personal_keys import PersonalKeys
from domain.event import LifecycleEvent
from domain.log.recorded_at import recorded_at_of
from domain.log.records import EventLog
from projections.duckdb.storage.compaction import Compaction
from projections.duckdb.storage.generations import GENERATION_KINDS, GenerationKind
from projections.queries.api_keys import ApiKeyRecord
from projections.queries.events import RowSpan
from projections.queries.snapshot import ReadStore, Snapshot
from projections.storage_errors import storage_refusal

#: A wait checks this often whether a rebuild has replaced the projector.
_WAIT_SLICE_SECONDS: Final = 0.25
#: What is not folded within this time is folded at the next start.
CLOSING_FOLD_SECONDS_MAX: Final = 4.0
#: How long closing waits for a rebuild or verification to notice that it is cancelled.
CLOSING_OPERATION_SECONDS_MAX: Final = 1.0
#: Share of free space in the read store's file beyond which generations are rewritten and the file is truncated.
FREE_SHARE_MAX: Final = 0.45
MERGE_BYTES_MAX: Final = 256 * 1024 * 1024
#: In this order: reads of whole days add up the deltas of days, and there are fewer of those than rows.
COMPACTED: Final[tuple[GenerationKind, ...]] = ("days", "rows")

_logger = structlog.get_logger("meterfold.engine")


class _CurrentReads:
    """Read store that opens snapshots of whichever read store is in use at that moment."""

    def __init__(self, engine: EmbeddedEngine) -> None:
        self._engine = engine

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        return self._engine.read_side.reads.snapshot()

    def all_counted(self, spans: Sequence[RowSpan]) -> bool:
        return self._engine.read_side.reads.all_counted(spans)


class EmbeddedEngine:
    """See `consumers.engine.Engine`."""

    def __init__(
        self,
        settings: Settings,
        folder: DataFolder,
        now: Callable[[], datetime],
        log: EventLog,
        keys: PersonalKeys,
        commands: Commands,
        intake: Intake,
        read_side: ReadSide,
    ) -> None:
        self.settings = settings
        self.folder = folder
        self.now = now
        self.log = log
        self.keys = keys
        self.commands = commands
        self.intake = intake
        self.reads: ReadStore = _CurrentReads(self)
        self.read_side = read_side
        read_side.projector.on_lifecycle = self._on_lifecycle
        self.key_cache = KeyCache(folder, now)
        self.fold = ProjectorThread(log, self.read_side.projector, settings.event_log_poll_seconds)
        self.scheduler: Scheduler | None = None
        self.consumers: ConsumerChildren | None = None
        self._operation = threading.Lock()  # one rebuild or verification at a time
        self._swapping = threading.Lock()  # the read side is not replaced while it is compacted
        self._compaction: Compaction | None = None
        self._reclaimed_bytes = 0
        self.checkpointing = Checkpointing(self, self._is_behind, now)
        self._reloading_keys = threading.Lock()
        self._closing = threading.Event()
        self._closed = threading.Event()
        self.fold.on_failure = self._reopen_read_side
        self._folded_position_writer = FoldedPositionWriter(folder.root)
        self.fold.on_folded = self._folded_position_writer.write

    def start(self) -> None:
        """Load the API keys and start the projector thread, which catches up with the log and goes on folding."""
        self._reload_keys()
        self.fold.start()

    # -- what the api room calls

    def authenticate(self, secret: str) -> ApiKeyRecord | None:
        """Return the active key with this secret, or None; records the time of its use."""
        return self.key_cache.authenticate(secret)

    def last_used_at(self, key_id: str) -> datetime | None:
        """Return when a key was last used, to the minute; None if never."""
        return self.key_cache.last_used_at(key_id)

    def wait_folded(self, position: int, timeout_seconds: float) -> bool:
        """Wait until `position` is folded; return False when the timeout passes first."""
        self.fold.wake()
        deadline = time.monotonic() + timeout_seconds
        while True:
            left = deadline - time.monotonic()
            if self.fold.projector.wait_for(position, max(0.0, min(left, _WAIT_SLICE_SECONDS))):
                return True
            if left <= 0:
                return False

    def folded_position(self) -> int:
        """Return the last folded position."""
        return self.fold.projector.position

    def progress(self) -> FoldProgress:
        """Return how far the fold is behind the log."""
        position, head = self.fold.projector.position, self.log.head_position()
        waiting = self.log.read(position, 1) if position < head else []
        behind = (self.now() - recorded_at_of(waiting[0])).total_seconds() if waiting else 0.0
        return FoldProgress(position, head, max(0.0, behind), self.fold.projector.failure)

    # -- operations

    def rebuild(self) -> Iterator[OperationStep | OperationResult]:
        """Fold the log from position 0 into a fresh read side, then swap it in.

        1. Open an empty read side in a folder of its own.
        2. Fold until it has caught up with the log, and make that durable; the live one keeps answering and folding.
        3. Pause the live fold, fold the last records, name the new folder as the one in use, and swap.
        4. Close the old read side once no reader has it open, and remove its folder.
        """
        with self._operation:
            self._raise_if_closing()
            fresh = open_read_side(self.folder.new_read_folder(), self.log, self.keys, self.settings, refolding=True)
            try:
                yield from self._catch_up(fresh)
                fresh.finish_refolding()
                with self._swapping, self.fold.paused:
                    while fresh.projector.step():
                        pass
                    self.folder.use_read_folder(fresh.folder)
                    old, self.read_side = self.read_side, fresh
                    fresh.projector.on_lifecycle = self._on_lifecycle
                    self.fold.swap(fresh.projector)
                    position, events = fresh.projector.position, fresh.store.received_events()
            except BaseException:
                # Also when the caller stops iterating: the next rebuild uses the same folder.
                if self.read_side is not fresh:
                    fresh.discard()
                raise
            old.retire()
            self._reload_keys()
        yield OperationResult("rebuild", position, position, events)

    def _catch_up(self, fresh: ReadSide) -> Iterator[OperationStep]:
        head = self.log.head_position()
        while fresh.projector.position < head and fresh.projector.step():
            self._raise_if_closing()
            yield OperationStep("folding", fresh.projector.position, head)

    def _raise_if_closing(self) -> None:
        if self._closing.is_set():
            raise EngineClosing("the engine is stopping: try again when it runs")

    def verify(self) -> Iterator[OperationStep | OperationResult]:
        """Compare the live read store with one that is folded again from the log; see `Verification`."""
        with self._operation:
            database, scratch = self.read_side.database, self.folder.new_read_folder()
            live = database.cursor().execute("SELECT current_database()").fetchall()[0][0]
            for step in Verification(self.log, self.keys, database, scratch, live).run():
                self._raise_if_closing()
                yield step

    def compact(self) -> None:
        """Compact day deltas and usage rows where there are enough of them, while folding goes on.

        While the fold is behind, that is postponed until their number reaches its upper bound; see `compaction_policy`.
        """
        with self._swapping, self._compacting() as compaction:
            if self._closing.is_set():
                return
            for kind in COMPACTED:
                self._compact(compaction, kind)
                self.checkpointing.checkpoint_if_large()

    def _compact(self, compaction: Compaction, kind: GenerationKind) -> None:
        bounds = bounds_of(self.settings, kind, behind=False)
        if compaction.open_rows(kind) >= bounds.open_rows_min:
            bounds = bounds_of(self.settings, kind, self._is_behind())
            compaction.run(kind, bounds.open_rows_min, bounds.merge_ratio)

    def _is_behind(self) -> bool:
        return is_behind(
            self.folded_position,
            self.log.head_position,
            lambda: self._closing.wait(timeout=LAG_SAMPLE_INTERVAL_SECONDS),
        )

    def checkpoint(self) -> None:
        """Checkpoint everything that is derived from the log.

        1. Write out the identity index and merge its runs, within a budget.
        2. Checkpoint the read store.
        3. Shrink the read store's file when much of it is free.
        """
        self.read_side.index.checkpoint()
        self.read_side.index.merge_runs(MERGE_BYTES_MAX)
        self.checkpoint_read_store()
        if not self._closing.is_set() and self.read_side.database.free_share() > FREE_SHARE_MAX:
            self._reclaim()

    def checkpoint_read_store(self) -> None:
        """Move the read store's write-ahead log into its file. Folding waits for that."""
        with self._requesting_recovery_on_failure(), self.fold.paused:
            self.read_side.database.checkpoint()

    @contextmanager
    def _requesting_recovery_on_failure(self) -> Iterator[None]:
        """Request recovery when the body fails: it may have invalidated the read store while nothing is folded."""
        try:
            yield
        except Exception:
            self.fold.request_recovery()
            raise

    def _reclaim(self) -> None:
        with self._swapping:
            size = self.read_side.database.file_bytes()
            if size == self._reclaimed_bytes:  # the last attempt did not help, and nothing has changed
                return
            with self._compacting() as compaction:
                for kind in GENERATION_KINDS:
                    compaction.reclaim(kind)
                    self.checkpoint_read_store()
                    compaction.move_small_tables()
                    self.checkpoint_read_store()
            self.checkpoint_read_store()  # truncates the file by what the last one has freed
            self._reclaimed_bytes = self.read_side.database.file_bytes()

    @contextmanager
    def _compacting(self) -> Iterator[Compaction]:
        cursor = self.read_side.database.cursor()
        compaction = Compaction(
            cursor,
            lambda: self.fold.paused,
            self.read_side.store.load_generations,
            before_chunk=self.checkpointing.checkpoint_if_large,
        )
        self._compaction = compaction
        try:
            with self._requesting_recovery_on_failure():
                yield compaction
        finally:
            self._compaction = None
            cursor.close()

    def write_ahead_bytes(self) -> int:
        """Return the size of the read store's write-ahead log."""
        return self.read_side.database.write_ahead_bytes()

    def is_closing(self) -> bool:
        """Return whether long-running work should end."""
        return self._closing.is_set()

    def cancel_operations(self) -> None:
        """Cancel a rebuild, verification or compaction at its next step, and let consumers finish; the rest goes on."""
        self._closing.set()
        if self.consumers is not None:
            self.consumers.begin_stop()

    def close(self) -> None:
        """Stop taking writes, fold what is in the log, write out what is in memory. A second call does nothing.

        When one part fails (the disk is full), the others are closed all the same: the log has everything, and the next
        start folds what is missing. Whoever opened the log, the key store and the folder closes them.
        """
        self.cancel_operations()
        if self._closed.is_set():
            return
        self._closed.set()
        with self._operation_ended(CLOSING_OPERATION_SECONDS_MAX):
            for part in (
                self._stop_scheduler,
                self._stop_consumers,
                self.intake.close,
                self._fold_remaining,
                self.fold.stop,
                self._folded_position_writer.close,
                self.read_side.index.checkpoint,
                self.read_side.database.checkpoint,
                self.read_side.discard,
                self.key_cache.save,
            ):
                try:
                    part()
                except Exception as error:
                    _logger.error("not_written", part=part.__qualname__, reason=storage_refusal(error) or str(error))

    @contextmanager
    def _operation_ended(self, seconds_max: float) -> Iterator[None]:
        ended = self._operation.acquire(timeout=seconds_max)
        try:
            yield
        finally:
            if ended:
                self._operation.release()

    def _stop_scheduler(self) -> None:
        def interrupt() -> None:
            compaction = self._compaction
            if compaction is not None:
                compaction.interrupt()

        if self.scheduler is not None:
            self.scheduler.stop(interrupt)

    def _stop_consumers(self) -> None:
        if self.consumers is not None:
            self.consumers.stop()

    def _fold_remaining(self) -> None:
        self.wait_folded(self.log.head_position(), CLOSING_FOLD_SECONDS_MAX)

    def _reopen_read_side(self) -> None:
        """Reopen the read store when a storage error has invalidated it.

        Until that succeeds, readers get `ReadStoreUnavailable`.
        """
        if self.read_side.database.is_usable():
            return
        with self._swapping, self.fold.paused:
            invalid = self.read_side
            invalid.discard()
            fresh = open_read_side(invalid.folder, self.log, self.keys, self.settings, self._on_lifecycle)
            self.read_side = fresh
            self.fold.swap(fresh.projector)
        _logger.warning("read_store_reopened", position=fresh.projector.position)
        self._reload_keys()

    # -- keys

    def _on_lifecycle(self, events: Sequence[LifecycleEvent]) -> None:
        if any(isinstance(event, ApiKeyIssued | ApiKeyRevoked) for event in events):
            self._reload_keys()

    def _reload_keys(self) -> None:
        # One at a time, so that an older snapshot does not replace the keys of a newer one.
        with self._reloading_keys, self.reads.snapshot() as snapshot:
            self.key_cache.replace(snapshot.all_api_keys())
