"""Scheduled maintenance jobs of an embedded engine."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final

import structlog

from consumers.embedded.engine import EmbeddedEngine
from consumers.engine import LastVerification
from consumers.maintenance.nightly_verification import NightlyProgress, verify_recent
from consumers.maintenance.scheduler import Job, Scheduler, at_once_and_every, every, nightly
from domain.errors import InvalidInput, LogUnavailable
from domain.log.commands import AnnounceClosings, SealLog
from domain.scope import Scope
from projections.errors import ReadStoreUnavailable, RowsBeingWritten
from projections.views.charging.charges import customer_charges

DAY_SECONDS: Final = 24 * 60 * 60
#: How soon what charges read is kept after much usage came, of how many customers at once, and how long that may take.
KEEP_CHARGES_SECONDS: Final = 1
KEEP_CHARGES_CUSTOMERS_MAX: Final = 1_000
KEEP_CHARGES_SECONDS_MAX: Final = 0.25
#: A start looks up the list prices of so many models at most: half a second.
START_MODELS_MAX: Final = 2_000
#: A start waits so long for the fold, so that it knows which models were used.
START_FOLD_SECONDS_MAX: Final = 5.0

_logger = structlog.get_logger("meterfold.scheduler")


def scheduler_of(engine: EmbeddedEngine) -> Scheduler:
    """Return the scheduler with all maintenance jobs of this engine, not started yet."""
    settings, start, upkeep, jobs = engine.settings, engine.now(), engine.upkeep, Jobs(engine)
    return Scheduler(
        engine.now,
        [
            Job("announce", every(settings.period_closing_interval_seconds, start), jobs.announce, start),
            Job("seal", every(settings.event_log_seal_interval_seconds, start), jobs.seal, start),
            Job("compact", every(settings.compact_interval_seconds, start), upkeep.compact, start),
            Job("keep charges", every(KEEP_CHARGES_SECONDS, start), jobs.keep_charges, start),
            Job("keep key use", every(60, start), engine.key_cache.save, start),
            Job("refresh prices", at_once_and_every(DAY_SECONDS, start), engine.refresh_prices, start),
            Job("verify", nightly(settings), jobs.verify, start),
        ],
    )


def refresh_prices_at_start(engine: EmbeddedEngine) -> None:
    """List the prices of the installed library before the first usage arrives, of so many models as take a moment.

    The first run of the job does the rest, and what was not folded yet.
    """
    engine.wait_folded(engine.log.head_position(), START_FOLD_SECONDS_MAX)
    try:
        engine.refresh_prices(models_max=START_MODELS_MAX)
    except (LogUnavailable, ReadStoreUnavailable) as error:
        _logger.warning("prices_not_refreshed", reason=str(error))


class Jobs:
    """Jobs that need more than one call of the engine. Not thread-safe: the scheduler runs one at a time."""

    def __init__(self, engine: EmbeddedEngine, monotonic: Callable[[], float] = time.monotonic) -> None:
        """`monotonic` returns seconds."""
        self._engine = engine
        self._monotonic = monotonic
        self._busy = deque[tuple[Scope, str]]()  # customers whose charges are to be kept
        self._quiet_position = 0  # up to here there is nothing to seal but seals of our own
        self._announced: datetime | None = None

    def seal(self) -> None:
        """Append a seal of what is folded, unless the last seal is all that was added since."""
        with self._engine.fold.paused:
            projector = self._engine.read_side.projector
            position, running_hash = projector.position, projector.running_hash
        if position <= self._quiet_position:
            return
        result = self._engine.commands.handle(SealLog(position, running_hash))
        self._quiet_position = result.position or position

    def announce(self) -> None:
        """Announce once an hour which periods have closed."""
        grace = timedelta(seconds=self._engine.settings.period_grace_seconds)
        until = (self._engine.now() - grace).replace(minute=0, second=0, microsecond=0)
        if self._announced is not None and until <= self._announced:
            return
        self._engine.commands.handle(AnnounceClosings(until))
        self._announced = until

    def keep_charges(self) -> None:
        """Read the charges of customers with much new usage; what of it is kept is read again in less time.

        When time is up, the others have their turn in the next run. Where rows are being written again, or a charge
        cannot be read, the next question tells.
        """
        engine, until = self._engine, self._monotonic() + KEEP_CHARGES_SECONDS_MAX
        if not self._busy:
            self._busy.extend(engine.read_side.store.busy_subscribers(KEEP_CHARGES_CUSTOMERS_MAX))
        while self._busy and not engine.is_closing() and self._monotonic() < until:
            scope, customer_id = self._busy.popleft()
            now, grace = engine.now(), engine.settings.period_grace_seconds
            with suppress(InvalidInput, RowsBeingWritten), engine.reads.snapshot() as snapshot:
                customer_charges(snapshot, scope, customer_id, now, now, grace)

    def verify(self) -> None:
        """Run the nightly verification; log its findings and store its progress for `meterfold status`."""
        stored: dict[str, Any] = self._engine.folder.operations().get("verified", {})
        last = NightlyProgress(
            stored.get("position", 0),
            bytes.fromhex(stored["running_hash"]) if "running_hash" in stored else NightlyProgress().running_hash,
            datetime.fromisoformat(stored["day"]).date() if stored.get("day") else None,
        )
        with self._engine.read_side.store.held() as store:
            reached, findings = verify_recent(self._engine.log, store, last, self._engine.is_closing)
        for finding in findings:
            _logger.error(
                "verification_found",
                where=finding.where,
                key=finding.key,
                expected=finding.expected,
                found=finding.found,
            )
        verification = self._engine.verification
        if findings or not self._engine.is_closing():  # one that was stopped has verified nothing
            verification = LastVerification(self._engine.now(), len(findings))
        progress = {
            "position": reached.position,
            "running_hash": reached.running_hash.hex(),
            "day": reached.day.isoformat() if reached.day else None,
        }
        if verification is not None:
            progress |= {"at": verification.at.isoformat(), "findings": verification.findings}
        self._engine.folder.save_operations(self._engine.folder.operations() | {"verified": progress})
        self._engine.verification = verification
