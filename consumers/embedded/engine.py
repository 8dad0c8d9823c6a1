"""The engine of the embedded shape: SQLite log, DuckDB read store, one data folder, one owner process.

`consumers.bootstrap` builds it; nothing else does.
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
from consumers.maintenance.compaction_policy import LOOK_APART_SECONDS, bounds_of, is_behind
from consumers.maintenance.scheduler import Scheduler
from consumers.maintenance.verification import Verification
from consumers.settings import Settings
from domain.api_keys.events import ApiKeyIssued, ApiKeyRevoked
from domain.customers.personal_keys import PersonalKeys
from domain.event import LifecycleEvent
from domain.log.records import EventLog
from projections.duckdb.storage.compaction import Compaction
from projections.duckdb.storage.generations import KINDS, GenerationKind
from projections.duckdb.storage.storage_errors import storage_refusal
from projections.folding.projector import recorded_at_of
from projections.queries.api_keys import ApiKeyRecord
from projections.queries.events import RowSpan
from projections.queries.snapshot import ReadStore, Snapshot

#: A wait looks this often whether a rebuild has put another projector in place.
_WAIT_SLICE_SECONDS: Final = 0.25
#: What is not folded by then is folded at the next start.
CLOSING_FOLD_SECONDS_MAX: Final = 4.0
#: So long a rebuild or a verification may take to see that it should end.
CLOSING_OPERATION_SECONDS_MAX: Final = 1.0
#: Of the read store's file; beyond it generations are written anew where the file has room, and the rest is given back.
FREE_SHARE_MAX: Final = 0.45
MERGE_BYTES_MAX: Final = 256 * 1024 * 1024
#: Days first: reads of whole days add up deltas, and there are fewer of them.
COMPACTED: Final[tuple[GenerationKind, ...]] = ("days", "rows")

_logger = structlog.get_logger("meterfold.engine")


class _CurrentReads:
    """Snapshots of whatever read store is in use when they are opened."""

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
        self.fold = ProjectorThread(log, self.read_side.projector, settings.log_poll_milliseconds / 1000)
        self.scheduler: Scheduler | None = None
        self.consumers: ConsumerChildren | None = None
        self._operation = threading.Lock()  # one rebuild or verification at a time
        self._swapping = threading.Lock()  # nobody swaps the read side while it is compacted
        self._compaction: Compaction | None = None
        self._reclaimed_bytes = 0
        self.checkpointing = Checkpointing(self, self._is_behind, now)
        self._reloading_keys = threading.Lock()
        self._closing = threading.Event()
        self._closed = threading.Event()
        self.fold.on_failure = self._reopen_read_side
        self._fold_position = FoldedPositionWriter(folder.root)
        self.fold.on_folded = self._fold_position.write

    def start(self) -> None:
        """Catch up with the log and go on folding."""
        self._reload_keys()
        self.fold.start()

    # -- what the api room calls

    def authenticate(self, secret: str) -> ApiKeyRecord | None:
        return self.key_cache.authenticate(secret)

    def last_used_at(self, key_id: str) -> datetime | None:
        return self.key_cache.last_used_at(key_id)

    def wait_folded(self, position: int, timeout_seconds: float) -> bool:
        self.fold.wake()
        deadline = time.monotonic() + timeout_seconds
        while True:
            left = deadline - time.monotonic()
            if self.fold.projector.wait_for(position, max(0.0, min(left, _WAIT_SLICE_SECONDS))):
                return True
            if left <= 0:
                return False

    def folded_position(self) -> int:
        return self.fold.projector.position

    def progress(self) -> FoldProgress:
        position, head = self.fold.projector.position, self.log.head_position()
        waiting = self.log.read(position, 1) if position < head else []
        behind = (self.now() - recorded_at_of(waiting[0])).total_seconds() if waiting else 0.0
        return FoldProgress(position, head, max(0.0, behind), self.fold.projector.failure)

    # -- operations

    def rebuild(self) -> Iterator[OperationStep | OperationResult]:
        """Fold the log from position 0 into a fresh read side, then swap it in.

        1. Open an empty read side in a folder of its own.
        2. Fold until it has caught up with the log, and make that durable; the live one goes on answering and folding.
        3. Hold the live fold, fold the last records, swap, and name the new folder as the one in use.
        4. Close the old read side once no reader has it open, and remove its folder.
        """
        with self._operation:
            self._refuse_when_closing()
            fresh = open_read_side(self.folder.next_read(), self.log, self.keys, self.settings, refolding=True)
            try:
                yield from self._catch_up(fresh)
                fresh.finish_refolding()
                with self._swapping, self.fold.paused:
                    while fresh.projector.step():
                        pass
                    self.folder.use_read(fresh.folder)
                    old, self.read_side = self.read_side, fresh
                    fresh.projector.on_lifecycle = self._on_lifecycle
                    self.fold.swap(fresh.projector)
                    position, events = fresh.projector.position, fresh.store.received_events()
            except BaseException:
                # Also when nobody wants to see it through: the next rebuild starts in the same folder.
                if self.read_side is not fresh:
                    fresh.discard()
                raise
            old.retire()
            self._reload_keys()
        yield OperationResult("rebuild", position, position, events)

    def _catch_up(self, fresh: ReadSide) -> Iterator[OperationStep]:
        head = self.log.head_position()
        while fresh.projector.position < head and fresh.projector.step():
            self._refuse_when_closing()
            yield OperationStep("folding", fresh.projector.position, head)

    def _refuse_when_closing(self) -> None:
        if self._closing.is_set():
            raise EngineClosing("the engine is being stopped; start this again once it runs")

    def verify(self) -> Iterator[OperationStep | OperationResult]:
        with self._operation:
            database, scratch = self.read_side.database, self.folder.next_read()
            live = database.cursor().execute("SELECT current_database()").fetchall()[0][0]
            for step in Verification(self.log, self.keys, database, scratch, live).run():
                self._refuse_when_closing()
                yield step

    def compact(self) -> None:
        """Compact day deltas and row generations where that is worth it, while the fold goes on; put off while the
        fold is behind, until what has gathered reaches its bound.
        """
        with self._swapping, self._compacting() as compaction:
            if self._closing.is_set():
                return
            for kind in COMPACTED:
                self._compact(compaction, kind)
                self.checkpointing.keep_small()

    def _compact(self, compaction: Compaction, kind: GenerationKind) -> None:
        bounds = bounds_of(self.settings, kind, behind=False)
        if compaction.open_rows(kind) >= bounds.open_rows_min:
            bounds = bounds_of(self.settings, kind, self._is_behind())
            compaction.run(kind, bounds.open_rows_min, bounds.merge_ratio)

    def _is_behind(self) -> bool:
        return is_behind(
            self.folded_position, self.log.head_position, lambda: self._closing.wait(timeout=LOOK_APART_SECONDS)
        )

    def checkpoint(self) -> None:
        """Write out the identity index, merge its runs within a budget, fold the read store's write-ahead file, and
        give back what the file has free once that is most of it.
        """
        self.read_side.index.checkpoint()
        self.read_side.index.merge_runs(MERGE_BYTES_MAX)
        self.fold_write_ahead()
        if not self._closing.is_set() and self.read_side.database.free_share() > FREE_SHARE_MAX:
            self._reclaim()

    def fold_write_ahead(self) -> None:
        """Fold what the read store has written ahead into its file. The fold waits for it."""
        with self._mended_after_failure(), self.fold.paused:
            self.read_side.database.checkpoint()

    @contextmanager
    def _mended_after_failure(self) -> Iterator[None]:
        """What fails in here may have invalidated the read store, of which the fold learns only when it has to fold."""
        try:
            yield
        except Exception:
            self.fold.mend_soon()
            raise

    def _reclaim(self) -> None:
        with self._swapping:
            size = self.read_side.database.file_bytes()
            if size == self._reclaimed_bytes:  # it was tried, and did not help
                return
            with self._compacting() as compaction:
                for kind in KINDS:
                    compaction.reclaim(kind)
                    self.fold_write_ahead()
                    compaction.move_small_tables()
                    self.fold_write_ahead()
            self.fold_write_ahead()  # gives back what the one before has freed
            self._reclaimed_bytes = self.read_side.database.file_bytes()

    @contextmanager
    def _compacting(self) -> Iterator[Compaction]:
        cursor = self.read_side.database.cursor()
        compaction = Compaction(
            cursor,
            lambda: self.fold.paused,
            self.read_side.store.load_generations,
            before_chunk=self.checkpointing.keep_small,
        )
        self._compaction = compaction
        try:
            with self._mended_after_failure():
                yield compaction
        finally:
            self._compaction = None
            cursor.close()

    def write_ahead_bytes(self) -> int:
        """How much the read store has written since its last checkpoint."""
        return self.read_side.database.write_ahead_bytes()

    def is_closing(self) -> bool:
        """Whether what lasts should give up."""
        return self._closing.is_set()

    def give_up_operations(self) -> None:
        """End a rebuild, a verification or a compaction at its next step, and what consumers have in hand; everything
        else goes on.
        """
        self._closing.set()
        if self.consumers is not None:
            self.consumers.begin_stop()

    def close(self) -> None:
        """Stop taking, fold what is in hand, write out what is in memory. Closing it again does nothing.

        A part that fails (the disk is full) keeps none of the others from being closed: the log has everything, and
        the next start folds what is missing. Log, keys and folder are their opener's to close.
        """
        self.give_up_operations()
        if self._closed.is_set():
            return
        self._closed.set()
        with self._operation_ended(CLOSING_OPERATION_SECONDS_MAX):
            for part in (
                self._stop_scheduler,
                self._stop_consumers,
                self.intake.close,
                self._fold_the_rest,
                self.fold.stop,
                self._fold_position.close,
                self.read_side.index.checkpoint,
                self.read_side.database.checkpoint,
                self.read_side.discard,
                self.key_cache.keep,
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
        def hurry() -> None:
            compaction = self._compaction
            if compaction is not None:
                compaction.interrupt()

        if self.scheduler is not None:
            self.scheduler.stop(hurry)

    def _stop_consumers(self) -> None:
        if self.consumers is not None:
            self.consumers.stop()

    def _fold_the_rest(self) -> None:
        self.wait_folded(self.log.head_position(), CLOSING_FOLD_SECONDS_MAX)

    def _reopen_read_side(self) -> None:
        """Open the read store again when an error of the storage has invalidated it; readers get
        `ReadStoreUnavailable` until that succeeds.
        """
        if self.read_side.database.is_usable():
            return
        with self._swapping, self.fold.paused:
            spoilt = self.read_side
            spoilt.discard()
            fresh = open_read_side(spoilt.folder, self.log, self.keys, self.settings, self._on_lifecycle)
            self.read_side = fresh
            self.fold.swap(fresh.projector)
        _logger.warning("read_store_reopened", position=fresh.projector.position)
        self._reload_keys()

    # -- keys

    def _on_lifecycle(self, events: Sequence[LifecycleEvent]) -> None:
        if any(isinstance(event, ApiKeyIssued | ApiKeyRevoked) for event in events):
            self._reload_keys()

    def _reload_keys(self) -> None:
        # One at a time: what was read first must not replace what was read last.
        with self._reloading_keys, self.reads.snapshot() as snapshot:
            self.key_cache.replace(snapshot.all_api_keys())
