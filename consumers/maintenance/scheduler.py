"""What a running engine owes itself, on the clock that is passed in.

| job | what it does |
|---|---|
| seal | appends the running hash of what is folded, so that a later start, and an auditor, can check from there |
| compact | adds up rollup deltas, sorts and merges row generations |
| fold write-ahead | folds the read store's write-ahead file before it is large |
| checkpoint | writes out the identity index and the read store |
| announce | says in the log which periods have closed |
| verify | nightly: the log since the last verified seal, and one older day in rotation |

Each may run late, twice or never without changing a number. APScheduler's own thread ticks; what is due is decided by
APScheduler's triggers on the engine's clock, so that a test can let a month pass in a moment.
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

from consumers.settings import Settings
from projections.duckdb.storage.storage_errors import storage_refusal

TICK_SECONDS: Final = 1
HURRY_SECONDS: Final = 0.05

_logger = structlog.get_logger("meterfold.scheduler")


class Job:
    """Something that is owed at times given by a trigger."""

    def __init__(self, name: str, trigger: BaseTrigger, run: Callable[[], object], start: datetime) -> None:
        self.name = name
        self._trigger = trigger
        self._run = run
        self.due_at: datetime | None = trigger.get_next_fire_time(None, start)

    def run_if_due(self, now: datetime) -> bool:
        """Run once when due, however often it was due since the last time;
        a failure is logged and tried again when next due.
        """
        if self.due_at is None or now < self.due_at:
            return False
        due, self.due_at = self.due_at, self._trigger.get_next_fire_time(now, now)
        try:
            self._run()
        except Exception as error:
            refusal = storage_refusal(error)
            reason, to_blame = (str(error), error) if refusal is None else (refusal, None)  # a full disk: no traceback
            _logger.error("job_failed", job=self.name, due_at=due.isoformat(), reason=reason, exc_info=to_blame)
        return True


class Scheduler:
    """Runs jobs when they are due on `now`."""

    def __init__(self, now: Callable[[], datetime], jobs: list[Job]) -> None:
        self._now = now
        self._jobs = jobs
        self._running = threading.Lock()
        self._stopping = threading.Event()
        self._scheduler = BackgroundScheduler(timezone=UTC)

    def start(self) -> None:
        """Tick in the background until `stop`."""
        # A job that lasts longer than a tick is no news: the next tick sees what is due.
        logging.getLogger("apscheduler.scheduler").setLevel(logging.ERROR)
        self._scheduler.add_job(self.run_due, IntervalTrigger(seconds=TICK_SECONDS), max_instances=1, coalesce=True)
        self._scheduler.start()

    def run_due(self) -> list[str]:
        """Run what is due now; answer the names of what ran."""
        with self._running:
            now = self._now()
            return [job.name for job in self._jobs if not self._stopping.is_set() and job.run_if_due(now)]

    def stop(self, hurry: Callable[[], None] = lambda: None) -> None:
        """End after the job at hand; `hurry` is called over and over until that one has given up or is done."""
        self._stopping.set()
        while not self._running.acquire(timeout=HURRY_SECONDS):
            hurry()
        self._running.release()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=True)


def every(seconds: int, start: datetime) -> IntervalTrigger:
    """A trigger that fires each `seconds`, for the first time that long after `start`."""
    return IntervalTrigger(seconds=seconds, start_date=start + timedelta(seconds=seconds), timezone=UTC)


def nightly(settings: Settings) -> CronTrigger:
    """A trigger at the hour of the nightly verification."""
    return CronTrigger(hour=settings.verify_hour_utc, minute=0, timezone=UTC)
