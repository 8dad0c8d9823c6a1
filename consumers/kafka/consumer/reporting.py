"""Counters of one consumer, written to its status file once a second."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

import structlog

from consumers.kafka.appending.batches import AppendedBatch
from consumers.kafka.consumer.assigned_partition import AssignedPartition
from consumers.kafka.consumer.status import ConsumerStatus, StatusFile

REPORT_SECONDS: Final = 1.0
#: A broker that answers no metadata request for so long is reported as away.
SILENT_SECONDS_MAX: Final = 20.0

_logger = structlog.get_logger("meterfold.kafka")


class ConsumerReporter:
    """Keeps the counters of one consumer and writes its status file."""

    def __init__(
        self,
        file: StatusFile,
        name: str,
        clock: Callable[[], datetime],
        on_status: Callable[[ConsumerStatus], None] = lambda status: None,
    ) -> None:
        """`on_status` is called with every status, in addition to the file."""
        self._file = file
        self._name = name
        self._clock = clock
        self._on_status = on_status
        self._due_at = 0.0
        self._records = self._rejected = self._commands = self._appends = self._fenced = 0
        self._trouble: str | None = None
        self._public_poll: str | None = None

    def public_poll(self, reason: str) -> None:
        """Log once, and report from now on, why records are read by the public poll of the client library."""
        _logger.warning("reading_by_public_poll", reason=reason)
        self._public_poll = reason

    def is_due(self, now: float) -> bool:
        """Whether the next report is due at `now` (monotonic seconds). A true answer schedules the one after it."""
        if now < self._due_at:
            return False
        self._due_at = now + REPORT_SECONDS
        return True

    def appended(self, records: int, appended: AppendedBatch) -> None:
        """Count an append of so many records."""
        self._records += records
        self._rejected += len(appended.rejected)
        self._commands += len(appended.commands)
        self._appends += 1

    def recovered(self) -> None:
        """Clear the trouble: what was retried succeeded."""
        self._trouble = None

    def fenced(self) -> None:
        """Count a fenced append."""
        self._fenced += 1

    def trouble(self, reason: str) -> None:
        """Report something that is retried; it is logged once as long as the reason stays the same."""
        if reason != self._trouble:
            _logger.warning("consumer_waits", reason=reason)
        self._trouble = reason

    def write(
        self,
        states: Mapping[Any, AssignedPartition],
        paused: bool,
        letters_unpublished: int,
        fold_lag_seconds: float,
        silent_seconds: float,
    ) -> None:
        """Write the status: of every partition in `states`, and the counters."""
        now = self._clock()
        now_ms = int(now.timestamp() * 1_000)
        trouble = self._trouble
        if trouble is None and silent_seconds > SILENT_SECONDS_MAX:
            trouble = f"the broker has not answered for {silent_seconds:.0f} s"
        status = ConsumerStatus(
            self._name,
            os.getpid(),
            now,
            tuple(states[partition].status(now_ms, paused) for partition in sorted(states)),
            self._records,
            self._rejected,
            self._commands,
            self._appends,
            self._fenced,
            letters_unpublished,
            round(fold_lag_seconds, 3),
            trouble,
            self._public_poll,
        )
        self._file.write(status)
        self._on_status(status)
