"""Composition root: the only place that builds an engine or a Kafka consumer from settings.

1. Check the recorded formats of the data folder, before anything in it is opened: a newer release may have written it.
2. Create the data folder and acquire it; no other process may write its read store.
3. Open the log and the key store; write the log's first record if the log is empty.
4. Open the read side. It must be a fold of this very log. Fold again what a crash has undone; what is behind that, the
   projector thread catches up with.
5. Record the formats that this release writes, now that log and read side are open.
6. Start intake and the projector thread.
7. Ensure that a first admin key exists, and keep it in the folder.
8. When serving, start the scheduled jobs and the Kafka consumers.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

import structlog

from consumers.commands.amendments import IntakeRules
from consumers.commands.handler import CommandHandler
from consumers.embedded.append_signal import AppendSignal, signal_append
from consumers.embedded.data_folder import DataFolder
from consumers.embedded.engine import EmbeddedEngine
from consumers.embedded.first_key import ensure_first_key
from consumers.embedded.flushing import HOLD_FACTOR, reaches
from consumers.embedded.folded_position import FoldedPositionReader
from consumers.embedded.folder_formats import check_formats, record_formats
from consumers.embedded.jobs import refresh_prices_at_start, scheduler_of
from consumers.embedded.keys.personal_key_check import check_personal_keys
from consumers.embedded.replaying.fresh_read_side import (
    discarded_on_failure,
    finish,
    fold_durably,
    open_fresh,
    taken_up,
    write_rows_durably,
)
from consumers.embedded.replaying.log_range import finished_range, refuse_range, stored_range
from consumers.engine import CATCHING_UP, OperationResult, OperationStep, PortalSecret
from consumers.errors import FolderUnusable
from consumers.intake.fact_sealing import FactSealer
from consumers.intake.intake import Intake, IntakeOptions, LocalIntake
from consumers.intake.process import IntakeProcess
from consumers.kafka.appending.appender import PartitionAppender
from consumers.kafka.connection import client_options
from consumers.kafka.consumer.backpressure import Backpressure
from consumers.kafka.consumer.options import ReadingOptions, consumer_options
from consumers.kafka.consumer.process import (
    CONNECTING_SECONDS_MAX,
    ConsumerProcess,
    group_options,
    stopping_on_signals,
    tune_memory,
)
from consumers.kafka.consumer.reporting import ConsumerReporter
from consumers.kafka.consumer.status import ConsumerStatus, StatusFile
from consumers.log_output import configure_logging
from consumers.payments.checkouts import Checkouts
from consumers.payments.provider import PaymentProvider
from consumers.prices.library import resolve_prices
from consumers.prices.usage_objects.reading import read_usage
from consumers.processes.parent_watch import end_with_parent
from consumers.processes.supervisor import Supervisor, spawn
from consumers.settings import Settings
from domain.customers.personal_keys import PersonalKeys
from domain.log.creation import ensure_log_created
from domain.log.records import EventLog
from domain.log.sqlite.event_log import SQLiteEventLog
from domain.log.sqlite.key_store import SQLiteKeyStore
from projections.duckdb.read_store import DuckDBOpener
from projections.errors import ReadStoreOutdated
from projections.folding.recovery import check_last_records, log_creation
from projections.read_side.read_side import ReadSide, ReadSideOpener
from projections.read_side.store import StoreOpener

#: A start that folds again for longer than this tells how far it is.
CATCH_UP_QUIET_SECONDS: Final = 1.0
#: Of a log with at most so many events a start writes all rows before it answers anything: two seconds at most.
ROWS_AT_START_MAX: Final = 500_000
NUMBERS_FIRST: Final = "numbers first"

Clock = Callable[[], datetime]
Randomness = Callable[[int], bytes]
OnStep = Callable[[OperationStep], None]

_logger = structlog.get_logger("meterfold.start")


def system_clock() -> datetime:
    """Return the current instant, in UTC."""
    return datetime.now(UTC)


@contextmanager
def open_engine(
    settings: Settings,
    *,
    clock: Clock = system_clock,
    randomness: Randomness = os.urandom,
    serving: bool = False,
    without_personal_keys: bool = False,
    on_step: OnStep = lambda step: None,
) -> Iterator[EmbeddedEngine]:
    """Open the engine of the data folder in `settings`; on exit write everything out and close it.

    `serving`: take usage in a separate process (unless `settings.intake_process` is off), run the scheduled jobs, and
    start the Kafka consumers. `without_personal_keys`: go on with a key store that does not fit the log, or with a new
    one instead of a missing one; names, emails and metadata that it cannot read are null. `on_step` is called with the
    progress when a read store of an older release is rebuilt, or when much is folded again. Raises `FolderOwned`,
    `FolderUnusable`, `SettingsInvalid` for an admin key that cannot be used, and what opening the log and the read
    store raise.
    """
    with ExitStack() as opened:
        log_range = finished_range(settings.data_dir)
        if serving:
            refuse_range(settings.data_dir)
        folder = _owned_folder(settings, opened)
        append_signal = opened.enter_context(closing(AppendSignal(folder.root)))
        log, keys = _opened_log(
            folder,
            randomness,
            opened,
            append_signal.notify,
            without_personal_keys=without_personal_keys or log_range is not None,
        )
        _ensure_created(log, clock, randomness)
        commands = CommandHandler(log, keys, clock, randomness)
        opener = _read_side_opener(log, keys, settings)
        read_side = _read_side(folder, log, opener, settings, on_step)
        _catch_up(folder, log, read_side, settings, on_step)
        record_formats(folder.root, _stores(settings))
        keys.note_log(log_creation(log).log_id)
        folder.remove_unused_read_folders()
        intake = opened.enter_context(closing(_intake(settings, folder, log, keys, clock, randomness, serving)))
        engine = EmbeddedEngine(
            settings,
            folder,
            clock,
            log,
            keys,
            commands,
            intake,
            read_side,
            opener,
            append_signal,
            resolve_prices,
            _intake_rules(settings, log),
            _checkouts(settings, commands),
            PortalSecret(partial(_portal_secret, settings, folder, randomness)),
        )
        del read_side  # a replay replaces it, and the old one closes only when nothing refers to it any more
        opened.callback(engine.close)
        engine.log_range = log_range
        engine.start()
        if log_range is not None:
            yield engine
            return
        given = settings.admin_key
        engine.generated_first_key = ensure_first_key(engine, None if given is None else given.get_secret_value())
        if serving:
            refresh_prices_at_start(engine)
            engine.scheduler = scheduler_of(engine)
            engine.scheduler.start()
            if settings.kafka_bootstrap is not None:
                count = 1 if settings.kafka_consumers is None else settings.kafka_consumers
                names = [f"serve-{number}" for number in range(1, count + 1)]
                engine.consumers = [
                    Supervisor(name, partial(spawn, name, _consume_in_child, name, settings)) for name in names
                ]
        yield engine


@contextmanager
def open_partition_appender(
    settings: Settings, *, clock: Clock = system_clock, randomness: Randomness = os.urandom
) -> Iterator[PartitionAppender]:
    """Open the appender of Kafka records to the log of a data folder, which it need not own; create a missing log.

    Raises `FolderUnusable`, and what opening the log raises.
    """
    with ExitStack() as opened:
        check_formats(settings.data_dir, _stores(settings))
        refuse_range(settings.data_dir)
        folder = DataFolder(settings.data_dir)
        folder.prepare()
        log, keys = _opened_log(folder, randomness, opened, partial(signal_append, folder.root))
        _ensure_created(log, clock, randomness)
        created, options = log_creation(log), _intake_options(settings)
        record_formats(folder.root, _stores(settings), engine_runs=folder.has_living_owner())
        keys.note_log(created.log_id)
        yield PartitionAppender(log, keys, created.hash_seed, clock, randomness, resolve_prices, options)


@contextmanager
def open_consumer(
    settings: Settings,
    options: ReadingOptions,
    *,
    clock: Clock = system_clock,
    randomness: Randomness = os.urandom,
    on_status: Callable[[ConsumerStatus], None] = lambda status: None,
) -> Iterator[ConsumerProcess]:
    """Open a Kafka consumer that appends to the log of the data folder in `settings`, which it need not own.

    `options`: which records it reads; `consumer_options` gives those of the settings. `on_status` receives every status
    that is written to the status file. Raises `FolderUnusable`, what opening the log raises, and `KafkaMisconfigured`.
    """
    with ExitStack() as opened:
        connection = client_options(settings, CONNECTING_SECONDS_MAX)
        appender = opened.enter_context(open_partition_appender(settings, clock=clock, randomness=randomness))
        folder = DataFolder(settings.data_dir)
        folded = opened.enter_context(closing(FoldedPositionReader(folder.root)))
        pressure = Backpressure(folded.read, folder.has_living_owner, settings.fold_lag_seconds_max, time.monotonic)
        status = opened.enter_context(closing(StatusFile(folder.root, options.name)))
        reporting = ConsumerReporter(status, options.name, clock, on_status)
        yield ConsumerProcess(
            connection | {"client_id": f"{connection['client_id']}-{options.name}"},
            group_options(settings.kafka_group, settings.kafka_session_timeout_seconds),
            settings.kafka_rejected_topic,
            appender,
            pressure,
            reporting,
            options,
        )


def _consume_in_child(name: str, settings: Settings) -> None:
    """Run a consumer in a child process of the engine until it is told to stop."""
    configure_logging(settings.log_level, as_json=settings.log_json)
    stopping = stopping_on_signals()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to stop
    end_with_parent()
    tune_memory()
    try:
        with open_consumer(settings, consumer_options(settings, name)) as consumer:
            consumer.run(stopping)
    except FolderUnusable as error:
        _logger.error("consumer_cannot_start", consumer=name, reason=str(error))
        raise SystemExit(1) from None


def replay_closed(
    settings: Settings, *, clock: Clock = system_clock, randomness: Randomness = os.urandom
) -> Iterator[OperationStep | OperationResult]:
    """Replay the log of a folder that no engine owns, without opening the read side in use: it may be damaged."""
    with ExitStack() as opened:
        folder = _owned_folder(settings, opened, rebuilding=True)
        log, keys = _opened_log(
            folder,
            randomness,
            opened,
            on_append=lambda: None,
            without_personal_keys=stored_range(settings.data_dir) is not None,
        )
        fresh = yield from _fold_fresh_read_side(folder, log, _read_side_opener(log, keys, settings), settings)
        with discarded_on_failure(fresh):
            yield from write_rows_durably(fresh)
            while fresh.projector.step():  # what was appended meanwhile
                pass
            position, events = fresh.projector.position, fresh.received_events()
            fresh.checkpoint()
        fresh.discard()
        folder.use_read_folder(fresh.folder)
        finish(fresh)
        record_formats(folder.root, _stores(settings), rebuilt=True)
        yield OperationResult("replay", position, position, events)


def _checkouts(settings: Settings, commands: CommandHandler) -> Checkouts:
    providers: dict[str, PaymentProvider] = {}
    if settings.stripe_secret_key is not None:
        # The package takes a third of a second and memory, which those who do not use it need not spend.
        from consumers.payments.stripe_checkout import StripeCheckout

        providers["stripe"] = StripeCheckout(
            settings.stripe_secret_key,
            settings.stripe_tenant,
            settings.stripe_api_base,
            settings.payment_provider_timeout_seconds,
            settings.payment_provider_retries_max,
        )
    return Checkouts(
        providers, commands, settings.payment_provider_timeout_seconds, settings.payment_provider_requests_max
    )


def _stores(settings: Settings) -> StoreOpener:
    """Choose the kind of read store: the only place that names it."""
    return DuckDBOpener(f"{settings.duckdb_memory_bytes_max}B", settings.duckdb_threads)


def _read_side_opener(log: EventLog, keys: PersonalKeys, settings: Settings) -> ReadSideOpener:
    return ReadSideOpener(
        log, keys, _stores(settings), settings.identity_filter_bytes_max, settings.identity_pending_entries_max
    )


def _read_side(
    folder: DataFolder, log: EventLog, opener: ReadSideOpener, settings: Settings, on_step: OnStep
) -> ReadSide:
    """Open the read side in use; one of an older release is replaced by one that is rebuilt from the log."""
    try:
        return opener.open(folder.current_read_folder())
    except ReadStoreOutdated as error:
        _logger.warning("read_store_outdated", reason=str(error))
    steps = _fold_fresh_read_side(folder, log, opener, settings)
    while True:
        try:
            on_step(next(steps))
        except StopIteration as folded:
            fresh: ReadSide = folded.value
            break
    with discarded_on_failure(fresh):
        if fresh.received_events() <= ROWS_AT_START_MAX:
            for _ in fresh.write_missing_rows():
                pass
        # Make it durable before it is named as the one in use: that removes the old one.
        fresh.checkpoint()
        folder.use_read_folder(fresh.folder)
        finish(fresh)
    return fresh


def _catch_up(folder: DataFolder, log: EventLog, read_side: ReadSide, settings: Settings, on_step: OnStep) -> None:
    """Fold again what was folded before a crash and not flushed, so that no answer is older than one given before it.

    Whatever the position is that the last engine published, which a power failure may set back: up to the end of the
    log, as far as that fits into memory. What is beyond that and was not published is left to the projector thread.
    """
    with closing(FoldedPositionReader(folder.root)) as position_file:
        published = position_file.read() or 0
    until = log.head_position()
    started = time.monotonic()
    try:
        for position in read_side.catch_up(until):
            if reaches(read_side, settings, HOLD_FACTOR):
                if position >= published:
                    break
                read_side.checkpoint()
            if time.monotonic() - started >= CATCH_UP_QUIET_SECONDS:
                on_step(OperationStep(CATCHING_UP, position, until))
    except Exception as error:  # the projector thread tries again, and reports it for as long as it fails
        _logger.warning("not_folded_at_start", after_position=read_side.projector.position, reason=str(error))


def _fold_fresh_read_side(
    folder: DataFolder, log: EventLog, opener: ReadSideOpener, settings: Settings
) -> Generator[OperationStep, None, ReadSide]:
    """Fold the whole log into a fresh read side, not yet in use: all numbers, and none of the rows but those it keeps.

    What an earlier attempt has made durable is taken up again. Of one that fails nothing is left.
    """
    fresh = open_fresh(folder, opener, NUMBERS_FIRST)
    with discarded_on_failure(fresh):
        yield from taken_up(fresh, log)
        yield from fold_durably(log, fresh, settings.replay_flush_records_max)
        fresh.finish_refolding()
    return fresh


def _owned_folder(settings: Settings, opened: ExitStack, *, rebuilding: bool = False) -> DataFolder:
    check_formats(settings.data_dir, _stores(settings), rebuilding=rebuilding)
    folder = DataFolder(settings.data_dir)
    folder.prepare()
    folder.acquire()
    opened.callback(folder.release)
    return folder


def _opened_log(
    folder: DataFolder,
    randomness: Randomness,
    opened: ExitStack,
    on_append: Callable[[], None],
    *,
    without_personal_keys: bool = False,
) -> tuple[SQLiteEventLog, SQLiteKeyStore]:
    log = opened.enter_context(closing(SQLiteEventLog(folder.log, on_append=on_append)))
    created = log_creation(log) if log.head_position() else None
    if created is not None:  # refuse what does not fit before anything is made beside it
        check_last_records(log)
        if not without_personal_keys:
            check_personal_keys(log, created.log_id, folder.keys)
    return log, opened.enter_context(closing(SQLiteKeyStore(folder.keys, randomness)))


def _ensure_created(log: EventLog, clock: Clock, randomness: Randomness) -> None:
    if log.head_position() == 0:
        ensure_log_created(log, randomness(16).hex(), int.from_bytes(randomness(8), "big"), clock())


def _intake(
    settings: Settings,
    folder: DataFolder,
    log: EventLog,
    keys: PersonalKeys,
    clock: Clock,
    randomness: Randomness,
    serving: bool,
) -> Intake:
    options = _intake_options(settings)
    if serving and settings.intake_process:
        return IntakeProcess(partial(_intake_of_child, folder.root, clock, randomness, options), options)
    facts = FactSealer(log, keys, randomness)
    return LocalIntake(log, log_creation(log).hash_seed, clock, resolve_prices, options, facts)


def _intake_options(settings: Settings) -> IntakeOptions:
    return IntakeOptions(
        group_bytes_max=settings.intake_append_bytes_max,
        pending_requests_max=settings.intake_pending_requests_max,
        pending_bytes_max=settings.intake_pending_bytes_max,
        event_bytes_max=settings.intake_event_bytes_max,
        request_items_max=settings.http_body_events_max,
        future_tolerance=timedelta(seconds=settings.intake_future_seconds_max),
    )


def _portal_secret(settings: Settings, folder: DataFolder, randomness: Randomness) -> str:
    given = settings.portal_signing_secret
    return folder.portal_secret(randomness) if given is None else given.get_secret_value()


def _intake_rules(settings: Settings, log: EventLog) -> IntakeRules:
    options = _intake_options(settings)
    return IntakeRules(log_creation(log).hash_seed, options.future_tolerance, options.event_bytes_max, read_usage)


def _intake_of_child(
    root: Path, clock: Clock, randomness: Randomness, options: IntakeOptions
) -> tuple[Intake, Callable[[], None]]:
    """Build the intake inside the intake process, on its own connections to the same log and key store."""
    folder = DataFolder(root)
    log = SQLiteEventLog(folder.log, on_append=partial(signal_append, root))
    keys = SQLiteKeyStore(folder.keys, randomness)
    folded, facts = FoldedPositionReader(root), FactSealer(log, keys, randomness)
    intake = LocalIntake(log, log_creation(log).hash_seed, clock, resolve_prices, options, facts, folded.read)

    def close() -> None:
        log.close()
        keys.close()

    return intake, close
