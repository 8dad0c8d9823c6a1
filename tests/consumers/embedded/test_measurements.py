"""What a running engine counts: fold steps and failures, flushes, jobs, and its last verification."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

from consumers.embedded.append_signal import AppendSignal
from consumers.embedded.jobs import scheduler_of
from consumers.embedded.projector_thread import ProjectorThread
from consumers.engine import JobRuns, LastVerification
from tests.consumers.running_engine import deliver
from tests.engine_fixtures import SettableClock, engine_on
from tests.waiting import eventually

PATIENCE_SECONDS = 20


def test_steps_and_flushes_are_counted(tmp_path: Path) -> None:
    clock = SettableClock()
    with engine_on(tmp_path / "data", clock) as engine:
        before = engine.measurements()
        deliver(engine, clock, 10)
        assert eventually(lambda: engine.measurements().fold_steps > before.fold_steps, PATIENCE_SECONDS)
        folded = engine.measurements()
        engine.flushing.flush()
        after = engine.measurements()
        assert after.flushes == before.flushes + 1
        assert (folded.unflushed_records > before.unflushed_records, after.unflushed_records) == (True, 0)
        assert (after.fold_failures, after.jobs, after.intake, after.verification) == (0, (), None, None)


class FailingOnce:
    """A projector and its log: the first step fails, the second folds one record, the third finds none."""

    position = 0

    def __init__(self) -> None:
        self._steps: list[int | None] = [None, 1, 0]

    def change_counter(self) -> int:
        return 1

    def step(self) -> int:
        folded = self._steps.pop(0)
        if folded is None:
            raise OSError("no space left")
        return folded


def test_a_step_that_fails_is_counted_and_one_that_finds_nothing_is_not(tmp_path: Path) -> None:
    fake: Any = FailingOnce()
    with closing(AppendSignal(tmp_path)) as signal:
        thread = ProjectorThread(fake, fake, signal, poll_seconds=60)
        thread.start()
        assert eventually(lambda: thread.steps == 1, PATIENCE_SECONDS)
        thread.stop()
    assert (thread.steps, thread.failures) == (1, 1)


def test_a_verification_is_remembered_and_the_nightly_one_over_a_restart(tmp_path: Path) -> None:
    clock = SettableClock()
    with engine_on(tmp_path / "data", clock) as engine:
        list(engine.verify())
        assert engine.measurements().verification == LastVerification(clock(), 0)
        clock.advance(days=1)
        scheduler = engine.scheduler = scheduler_of(engine)
        clock.advance(days=1)
        scheduler.run_due()
        nightly = LastVerification(clock(), 0)
        assert engine.measurements().verification == nightly
        assert JobRuns("verify", 1, 0) in engine.measurements().jobs
    clock.advance(hours=1)
    with engine_on(tmp_path / "data", clock) as engine:
        assert engine.measurements().verification == nightly
