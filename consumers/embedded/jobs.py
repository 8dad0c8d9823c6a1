"""The jobs of a running embedded engine, bound to it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

import structlog

from consumers.embedded.engine import EmbeddedEngine
from consumers.maintenance.nightly_verification import Verified, verify_recent
from consumers.maintenance.scheduler import Job, Scheduler, every, nightly

#: A full load writes 60 MB a second ahead.
CHECKPOINT_CHECK_SECONDS: Final = 1

_logger = structlog.get_logger("meterfold.scheduler")


def scheduler_of(engine: EmbeddedEngine) -> Scheduler:
    """Everything that this engine owes itself, from now on."""
    settings, start = engine.settings, engine.now()
    duties = Jobs(engine)
    return Scheduler(
        engine.now,
        [
            Job("announce", every(settings.closings_interval_seconds, start), duties.announce, start),
            Job("seal", every(settings.seal_interval_seconds, start), duties.seal, start),
            Job("compact", every(settings.compact_interval_seconds, start), engine.compact, start),
            Job("fold write-ahead", every(CHECKPOINT_CHECK_SECONDS, start), engine.checkpointing.keep_small, start),
            Job("checkpoint", every(settings.identity_checkpoint_interval_seconds, start), engine.checkpoint, start),
            Job("keep key use", every(60, start), engine.key_cache.keep, start),
            Job("verify", nightly(settings), duties.verify, start),
        ],
    )


class Jobs:
    def __init__(self, engine: EmbeddedEngine) -> None:
        self._engine = engine
        self._quiet_position = 0  # nothing but our own records up to here
        self._announced: datetime | None = None

    def seal(self) -> None:
        """Seal what is folded, unless only the last seal came since."""
        with self._engine.fold.paused:
            projector = self._engine.read_side.projector
            position, running_hash = projector.position, projector.running_hash
        if position <= self._quiet_position:
            return
        result = self._engine.commands.seal(position, running_hash)
        self._quiet_position = result.position or position

    def announce(self) -> None:
        """Announce, once an hour, until when periods have closed."""
        grace = timedelta(seconds=self._engine.settings.closing_grace_seconds)
        until = (self._engine.now() - grace).replace(minute=0, second=0, microsecond=0)
        if self._announced is not None and until <= self._announced:
            return
        self._engine.commands.announce_closings(until)
        self._announced = until

    def verify(self) -> None:
        """The nightly check; what it finds is logged and kept for `meterfold status`."""
        kept: dict[str, Any] = self._engine.folder.operations().get("verified", {})
        last = Verified(
            kept.get("position", 0),
            bytes.fromhex(kept["running_hash"]) if "running_hash" in kept else Verified().running_hash,
            datetime.fromisoformat(kept["day"]).date() if kept.get("day") else None,
        )
        cursor = self._engine.read_side.database.cursor()
        try:
            reached, findings = verify_recent(self._engine.log, cursor, last, self._engine.is_closing)
        finally:
            cursor.close()
        for finding in findings:
            _logger.error(
                "verification_found",
                where=finding.where,
                key=finding.key,
                expected=finding.expected,
                found=finding.found,
            )
        self._engine.folder.keep_operations(
            self._engine.folder.operations()
            | {
                "verified": {
                    "position": reached.position,
                    "running_hash": reached.running_hash.hex(),
                    "day": reached.day.isoformat() if reached.day else None,
                    "at": self._engine.now().isoformat(),
                    "findings": len(findings),
                }
            }
        )
