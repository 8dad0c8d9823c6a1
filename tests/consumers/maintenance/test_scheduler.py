"""The scheduler runs each job when it is due on the engine's clock."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

from consumers.engine import JobRuns
from consumers.maintenance.scheduler import Job, Scheduler, every, nightly
from consumers.settings import Settings

START = datetime(2026, 3, 1, 22, tzinfo=UTC)


class Clock:
    """A clock that is advanced by hand."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def pass_time(self, **by: float) -> None:
        self.now += timedelta(**by)


def test_a_job_runs_at_its_interval_on_the_clock_passed_in() -> None:
    clock, ran = Clock(), list[datetime]()
    scheduler = Scheduler(clock, [Job("count", every(60, START), lambda: ran.append(clock.now), START)])
    for _ in range(4):
        scheduler.run_due()
        clock.pass_time(seconds=30)
    assert ran == [START + timedelta(seconds=60)]


def test_a_job_that_was_missed_many_times_runs_once_and_goes_on() -> None:
    clock, ran = Clock(), list[datetime]()
    scheduler = Scheduler(clock, [Job("count", every(60, START), lambda: ran.append(clock.now), START)])
    clock.pass_time(days=3)
    assert [scheduler.run_due(), scheduler.run_due()] == [["count"], []]
    clock.pass_time(seconds=60)
    assert scheduler.run_due() == ["count"]


def test_the_nightly_job_waits_for_its_hour() -> None:
    clock, ran = Clock(), list[datetime]()
    settings = Settings(verify_hour_utc=3)
    scheduler = Scheduler(clock, [Job("verify", nightly(settings), lambda: ran.append(clock.now), START)])
    for _ in range(30):
        scheduler.run_due()
        clock.pass_time(hours=1)
    assert ran == [datetime(2026, 3, 2, 3, tzinfo=UTC), datetime(2026, 3, 3, 3, tzinfo=UTC)]


def test_a_job_that_fails_stops_neither_the_others_nor_itself() -> None:
    clock, ran = Clock(), list[str]()

    def fail() -> None:
        ran.append("failing")
        raise RuntimeError("on purpose")

    scheduler = Scheduler(
        clock,
        [
            Job("failing", every(60, START), fail, START),
            Job("good", every(60, START), lambda: ran.append("good"), START),
        ],
    )
    for _ in range(2):
        clock.pass_time(seconds=60)
        scheduler.run_due()
    assert ran == ["failing", "good", "failing", "good"]
    assert scheduler.runs() == (JobRuns("failing", 2, 2), JobRuns("good", 2, 0))


def test_stopping_interrupts_the_current_job_and_starts_no_other() -> None:
    clock, ran, gave_up, begun = Clock(), list[str](), threading.Event(), threading.Event()

    def long() -> None:
        begun.set()
        assert gave_up.wait(30)
        ran.append("long")

    long_job = Job("long", every(60, START), long, START)
    next_job = Job("next", every(60, START), lambda: ran.append("next"), START)
    scheduler = Scheduler(clock, [long_job, next_job])
    clock.pass_time(seconds=60)
    running = threading.Thread(target=scheduler.run_due)
    running.start()
    assert begun.wait(30)
    scheduler.stop(gave_up.set)
    running.join()
    assert ran == ["long"]
