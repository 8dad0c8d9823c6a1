"""Scheduler of maintenance jobs, on the engine's clock.

| job | what it does |
|---|---|
| announce | appends an event that says which periods have closed |
| seal | appends the running hash of what is folded, from where a later start or an auditor can continue checking |
| compact | adds up rollup deltas, sorts usage rows into generations and merges those |
| checkpoint write-ahead log | moves the write-ahead log of the read store into its file before it grows large |
| checkpoint | writes out the identity index and the read store |
| keep charges | reads the charges of customers whose usage changed much, so that the next question finds them kept |
| keep key use | writes out when API keys were last used |
| refresh prices | lists what the installed price library knows of the models in use, where it differs; first at once |
| verify | nightly: verifies the new records of the log, and one older day in rotation |

A job may run late, twice or never without changing any answer. APScheduler's thread ticks every second; what is due is
decided by APScheduler's triggers on the engine's clock, so that a test can let a month pass in a moment.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from consumers.engine import JobRuns
from consumers.settings import Settings
from projections.storage_errors import storage_refusal

TICK_SECONDS: Final = 1
INTERRUPT_INTERVAL_SECONDS: Final = 0.05

_logger = structlog.get_logger("meterfold.scheduler")


class Job:
    """A job that is due at the times of a trigger."""

    def __init__(self, name: str, trigger: BaseTrigger, run: Callable[[], object], start: datetime) -> None:
        self.name = name
        self._trigger = trigger
        self._run = run
        self._runs = self._failures = 0
        self.due_at: datetime | None = trigger.get_next_fire_time(None, start)

    def run_if_due(self, now: datetime) -> bool:
        """Run once if it is due, however many times it was missed; return whether it was due.

        A failure is logged, and the job runs again when it is next due.
        """
        if self.due_at is None or now < self.due_at:
            return False
        due, self.due_at = self.due_at, self._trigger.get_next_fire_time(now, now)
        self._runs += 1
        try:
            self._run()
        except Exception as error:
            self._failures += 1
            refusal = storage_refusal(error)
            reason, to_log = (str(error), error) if refusal is None else (refusal, None)  # a full disk: no traceback
            _logger.error("job_failed", job=self.name, due_at=due.isoformat(), reason=reason, exc_info=to_log)
        return True

    def runs(self) -> JobRuns:
        """Return how often it ran and failed."""
        return JobRuns(self.name, self._runs, self._failures)


class Scheduler:
    """Runs jobs one at a time when they are due on the clock `now`."""

    def __init__(self, now: Callable[[], datetime], jobs: list[Job]) -> None:
        self._now = now
        self._jobs = jobs
        self._running = threading.Lock()
        self._stopping = threading.Event()
        self._scheduler = BackgroundScheduler(timezone=UTC)

    def start(self) -> None:
        """Tick in the background until `stop`."""
        # APScheduler warns when a job lasts longer than a tick. That is expected: a later tick runs what is due.
        logging.getLogger("apscheduler.scheduler").setLevel(logging.ERROR)
        self._scheduler.add_job(self.run_due, IntervalTrigger(seconds=TICK_SECONDS), max_instances=1, coalesce=True)
        self._scheduler.start()

    def run_due(self) -> list[str]:
        """Run the jobs that are due now; return their names."""
        with self._running:
            now = self._now()
            return [job.name for job in self._jobs if not self._stopping.is_set() and job.run_if_due(now)]

    def runs(self) -> tuple[JobRuns, ...]:
        """Return how often each job ran and failed."""
        return tuple(job.runs() for job in self._jobs)

    def stop(self, interrupt: Callable[[], None] = lambda: None) -> None:
        """Stop after the current job; `interrupt` is called repeatedly until that job has ended."""
        self._stopping.set()
        while not self._running.acquire(timeout=INTERRUPT_INTERVAL_SECONDS):
            interrupt()
        self._running.release()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=True)


def every(seconds: int, start: datetime) -> IntervalTrigger:
    """Return a trigger that fires every `seconds`, for the first time that long after `start`."""
    return IntervalTrigger(seconds=seconds, start_date=start + timedelta(seconds=seconds), timezone=UTC)


def at_once_and_every(seconds: int, start: datetime) -> IntervalTrigger:
    """Return a trigger that fires at `start`, and every `seconds` from then on."""
    return IntervalTrigger(seconds=seconds, start_date=start, timezone=UTC)


def nightly(settings: Settings) -> CronTrigger:
    """Return the trigger of the nightly verification."""
    return CronTrigger(hour=settings.verify_hour_utc, minute=0, timezone=UTC)
