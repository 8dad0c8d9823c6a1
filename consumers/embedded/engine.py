"""Embedded engine: a log, a read side, one data folder, one process that owns it.

Only `consumers.bootstrap` builds it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Final

import structlog

from consumers.commands.amendments import Amendments, IntakeRules
from consumers.commands.handler import CommandHandler
from consumers.embedded.append_signal import AppendSignal
from consumers.embedded.backfill_preparation import BackfillPreparation
from consumers.embedded.data_folder import DataFolder
from consumers.embedded.flushing import Flushing
from consumers.embedded.folded_position import FoldedPositionWriter
from consumers.embedded.keys.key_cache import KeyCache
from consumers.embedded.live_read_side import LiveReadSide
from consumers.embedded.operations import Operations
from consumers.embedded.projector_thread import ProjectorThread
from consumers.embedded.row_writing import RowWriting
from consumers.embedded.upkeep import Upkeep
from consumers.embedded.write_refusal import WriteRefusal
from consumers.engine import (
    FoldProgress,
    LastVerification,
    LogRange,
    Measurements,
    OperationResult,
    OperationStep,
    PortalSecret,
    Refusals,
    ReplayState,
)
from consumers.intake.intake import Intake
from consumers.intake.process import IntakeProcess
from consumers.maintenance.scheduler import Scheduler
from consumers.payments.checkouts import Checkouts
from consumers.prices.listing import PriceListing, PriceResolver
from consumers.prices.refresh import PriceRefresh, PricesRefreshed
from consumers.processes.supervisor import Supervisor, stop_all
from consumers.settings import Settings
from domain.customers.personal_keys import PersonalKeys
from domain.log.recorded_at import recorded_at_of
from domain.log.records import EventLog
from domain.scope import Scope
from domain.streams import staged_stream
from projections.folding.recovery import log_creation
from projections.queries.api_keys import ApiKeyRecord
from projections.queries.snapshot import ReadStore, ReceivedEvents, TriedBackfills
from projections.read_side.loaded_events import LoadedEvents
from projections.read_side.prepared_changes import AskedCommit
from projections.read_side.read_side import ReadSide, ReadSideOpener
from projections.read_side.received_events import IndexedEvents
from projections.storage_errors import storage_refusal

#: A wait checks this often whether a replay has replaced the projector.
_WAIT_SLICE_SECONDS: Final = 0.25
#: What is not folded within this time is folded at the next start.
CLOSING_FOLD_SECONDS_MAX: Final = 4.0
#: How long closing waits for a replay or verification to notice that it is cancelled.
CLOSING_OPERATION_SECONDS_MAX: Final = 1.0
#: Consumers that have not ended by then are killed. What they have not appended is read again by the next consumer.
CLOSING_CONSUMERS_SECONDS_MAX: Final = 3.0

_logger = structlog.get_logger("meterfold.engine")


class EmbeddedEngine:
    """See `consumers.engine.Engine`."""

    log_range: LogRange | None = None

    def __init__(
        self,
        settings: Settings,
        folder: DataFolder,
        now: Callable[[], datetime],
        log: EventLog,
        keys: PersonalKeys,
        commands: CommandHandler,
        intake: Intake,
        read_side: ReadSide,
        opener: ReadSideOpener,
        append_signal: AppendSignal,
        resolve_price: PriceResolver,
        rules: IntakeRules,
        checkouts: Checkouts,
        portal_secret: PortalSecret,
    ) -> None:
        """`opener` has opened `read_side`, and opens those that replace it. `rules`: those of intake."""
        self.settings = settings
        self.folder = folder
        self.now = now
        self.log = log
        self.keys = keys
        self.commands = commands
        self.intake = intake
        self.checkouts = checkouts
        self.portal_secret = portal_secret
        self.scheduler: Scheduler | None = None
        self.consumers: Sequence[Supervisor] = ()
        self.generated_first_key = False  # whether this start has made the first admin key
        self.verification = _stored_verification(folder)
        self._closing = threading.Event()
        self._closed = threading.Event()
        self.fold = ProjectorThread(log, read_side.projector, append_signal, settings.event_log_poll_seconds)
        self._live = LiveReadSide(opener, read_side, self.fold)
        self.reads: ReadStore = self._live
        seed = log_creation(log).hash_seed
        self.received: ReceivedEvents = IndexedEvents(log, keys, seed, lambda: self.read_side.index)
        loaded_events = LoadedEvents(log, seed, lambda: self.read_side.index)
        self.tried_backfills: TriedBackfills = loaded_events
        self.amendments = Amendments(log, self.reads, self.received, PriceListing(log, resolve_price), rules, now)
        self._preparation = BackfillPreparation(self._live, loaded_events)
        self.key_cache = KeyCache(folder, now, self.reads)
        self.flushing = Flushing(settings, self._live)
        self.row_writing = RowWriting(self._live, self.flushing)
        self.upkeep = Upkeep(self._live, self.flushing, self._closing)
        self._operations = Operations(
            folder, log, keys, self._live, self.key_cache, self._closing, settings.replay_flush_records_max
        )
        read_side.projector.on_lifecycle = self.key_cache.on_lifecycle
        self._price_refresh = PriceRefresh(log, self.reads, resolve_price, now, self._closing.is_set)
        self._refreshing_prices = threading.Lock()
        self._write_refusal = WriteRefusal(folder.root, folder.log)
        self._folded_position_writer = FoldedPositionWriter(folder.root)
        self.fold.on_folded = self._folded_position_writer.write
        self.fold.on_failure = self._recover
        self.fold.must_hold = self.flushing.must_hold

    @property
    def read_side(self) -> ReadSide:
        """The read side in use."""
        return self._live.current

    @property
    def live(self) -> LiveReadSide:
        """The read side in use with its locks, for whoever replaces it."""
        return self._live

    @property
    def write_turn(self) -> AbstractContextManager[object]:
        """Held by whoever writes to the read store beside the fold."""
        return self._live.write_turn

    def start(self) -> None:
        """Load the API keys, and start the threads that fold and flush: they catch up with the log, and go on.

        Another one writes rows of usage that are missing after a rebuild.
        """
        self.key_cache.reload()
        self.fold.start()
        self.flushing.start()
        self.row_writing.start()

    def _recover(self) -> None:
        if self._live.reopen_if_unusable():
            self.key_cache.reload()

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

    def blocks_loaded(self, scope: Scope, name: str) -> int:
        """Return the blocks in the log that hold what was loaded into a backfill."""
        return self.log.head_version(staged_stream(scope, name))

    def prepare_commit(self, asked: AskedCommit) -> None:
        """Work out the commit of a backfill beforehand, so that its fold holds up no write."""
        self._preparation.commit(asked)

    def prepare_revert(self, scope: Scope, name: str) -> None:
        """Work out the revert of a backfill beforehand, likewise."""
        self._preparation.revert(scope, name)

    def progress(self) -> FoldProgress:
        """Return how far the fold is behind the log."""
        position, head = self.fold.projector.position, self.log.head_position()
        waiting = self.log.read(position, 1) if position < head else []
        behind = (self.now() - recorded_at_of(waiting[0])).total_seconds() if waiting else 0.0
        return FoldProgress(position, head, max(0.0, behind), self.fold.projector.failure or self.flushing.failure)

    def refusals(self) -> Refusals:
        """Return what the storage refuses at present. A read store that it has invalidated is opened again soon."""
        reads = None
        if not self._live.is_usable():
            reads = "a storage error has invalidated it; it is being opened again"
            self.fold.request_recovery()
        return Refusals(self._write_refusal.reason(), reads)

    def append_refused(self) -> None:
        """Note that an append to the log was refused by its storage."""
        self._write_refusal.append_refused()

    def measurements(self) -> Measurements:
        """Return the engine's counts since its start."""
        return Measurements(
            fold_steps=self.fold.steps,
            fold_failures=self.fold.failures,
            flushes=self.flushing.flushes,
            unflushed_records=self.flushing.unflushed_records(),
            jobs=() if self.scheduler is None else self.scheduler.runs(),
            intake=self.intake.health() if isinstance(self.intake, IntakeProcess) else None,
            verification=self.verification,
        )

    # -- operations

    def replay(self) -> Iterator[OperationStep | OperationResult]:
        """Fold the log again into a fresh read side and swap it in; see `Replay`."""
        return self._operations.replay()

    def replay_state(self) -> ReplayState | None:
        """Return how far the replay is that runs, or that was stopped; None when there is nothing to finish."""
        return self._operations.replay_state()

    def verify(self) -> Iterator[OperationStep | OperationResult]:
        """Compare the live read store with one that is folded again from the log; see `Operations`."""
        for step in self._operations.verify():
            if isinstance(step, OperationResult):
                self.verification = LastVerification(self.now(), len(step.findings))
            yield step

    def refresh_prices(self, *, dry_run: bool = False, models_max: int | None = None) -> PricesRefreshed:
        """List what the installed price library knows of all models; `models_max`: look up so many at most."""
        with self._refreshing_prices:
            return self._price_refresh.run(dry_run=dry_run, models_max=models_max)

    # -- closing

    def is_closing(self) -> bool:
        """Return whether long-running work should end."""
        return self._closing.is_set()

    def cancel_operations(self) -> None:
        """Cancel a replay, verification or compaction at its next step, and let consumers finish; the rest goes on."""
        self._closing.set()
        for consumer in self.consumers:
            consumer.begin_stop()

    def close(self) -> None:
        """Stop taking writes, fold what is in the log, write out what is in memory. A second call does nothing.

        When one part fails (the disk is full), the others are closed all the same: the log has everything, and the next
        start folds what is missing. Whoever opened the log, the key store and the folder closes them.
        """
        self.cancel_operations()
        if self._closed.is_set():
            return
        self._closed.set()
        with self._operations.ended(CLOSING_OPERATION_SECONDS_MAX):
            for part in (
                self._stop_scheduler,
                self._stop_consumers,
                self.intake.close,
                self.row_writing.stop,
                self._fold_remaining,
                self.fold.stop,
                self.flushing.stop,
                self._folded_position_writer.close,
                self._flush_remaining,
                self.read_side.discard,
                self.key_cache.save,
            ):
                try:
                    part()
                except Exception as error:
                    _logger.error("not_written", part=part.__qualname__, reason=storage_refusal(error) or str(error))

    def _stop_scheduler(self) -> None:
        if self.scheduler is not None:
            self.scheduler.stop(self.upkeep.interrupt)

    def _stop_consumers(self) -> None:
        stop_all(self.consumers, CLOSING_CONSUMERS_SECONDS_MAX)

    def _flush_remaining(self) -> None:
        if self.flushing.unflushed_records():
            self.flushing.flush()

    def _fold_remaining(self) -> None:
        self.wait_folded(self.log.head_position(), CLOSING_FOLD_SECONDS_MAX)


def _stored_verification(folder: DataFolder) -> LastVerification | None:
    """The last nightly verification, of an earlier start."""
    stored = folder.operations().get("verified", {})
    return LastVerification(datetime.fromisoformat(stored["at"]), stored["findings"]) if "at" in stored else None
