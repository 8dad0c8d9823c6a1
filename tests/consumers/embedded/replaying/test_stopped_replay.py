"""A replay that is stopped at any step goes on with what it had made durable, and ends in the same store."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from consumers.bootstrap import replay_closed
from consumers.embedded.engine import EmbeddedEngine
from consumers.embedded.replaying.fresh_read_side import UNFINISHED_FILE, unfinished_in
from consumers.engine import TAKEN_UP, OperationResult, OperationStep, ReplayState
from consumers.settings import Settings
from domain.corrections.commands import VoidUsage
from domain.event import Provenance
from domain.scope import DEFAULT_SCOPE
from tests.consumers.running_engine import deliver, duckdb_store_of, state_of
from tests.engine_fixtures import SettableClock, engine_on

BATCHES = 8
#: Every step is durable, and folds one record.
DURABLE_AT_ONCE: dict[str, Any] = {"replay_flush_records_max": 1}

Steps = Iterator[OperationStep | OperationResult]


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step of the fold takes one record, so that a replay of a small log has many steps."""
    monkeypatch.setattr("projections.read_side.read_side.REFOLDING_STEP_EVENTS_MAX", 1)


def filled(engine: EmbeddedEngine, clock: SettableClock) -> None:
    """Usage, and between it voids of events before and after them."""
    for batch in range(BATCHES):
        deliver(engine, clock, 20, first=10 * batch)  # half of them are duplicates
        for number in (10 * batch + 1, 10 * batch + 25):  # the second one has not arrived yet
            command = VoidUsage(DEFAULT_SCOPE, Provenance("test"), "gateway", f"event-{number}")
            voided = engine.commands.handle(command)
            if voided.position is not None:
                assert engine.wait_folded(voided.position, 60)


def after_steps(steps: Steps, count: int) -> bool:
    """Ask for so many steps, then for none any more; return whether it was stopped before its end."""
    assert isinstance(steps, Generator)
    for _ in range(count):
        if isinstance(next(steps), OperationResult):
            return False
    steps.close()
    return True


def result_of(steps: Steps) -> tuple[int, OperationResult]:
    """The position at which the first step goes on, 0 for none, and the result."""
    first, *_, last = steps
    assert isinstance(first, OperationStep)
    assert isinstance(last, OperationResult)
    return first.done if first.stage == TAKEN_UP else 0, last


def findings(engine: EmbeddedEngine) -> tuple[object, ...]:
    *_, last = engine.verify()
    assert isinstance(last, OperationResult)
    return last.findings


@pytest.mark.parametrize("stopped_after", range(1, 17, 3))
def test_beside_a_running_engine(tmp_path: Path, clock: SettableClock, stopped_after: int) -> None:
    with engine_on(tmp_path / "data", clock, **DURABLE_AT_ONCE) as engine:
        filled(engine, clock)
        before = state_of(engine)
        assert after_steps(engine.replay(), stopped_after)
        stopped = engine.replay_state()
        assert stopped is not None
        assert (stopped.running, stopped.until) == (False, engine.log.head_position())
        deliver(engine, clock, 5, first=1_000)
        taken_up, result = result_of(engine.replay())
        assert (taken_up, result.position) == (stopped.position, engine.log.head_position())
        assert engine.replay_state() is None
        assert state_of(engine).counted == before.counted + 5
        assert findings(engine) == ()
        assert state_of(engine).counted == before.counted + 5


def test_steps_that_were_made_durable_are_not_folded_again(tmp_path: Path, clock: SettableClock) -> None:
    with engine_on(tmp_path / "data", clock, **DURABLE_AT_ONCE) as engine:
        filled(engine, clock)
        assert after_steps(engine.replay(), 12)
        stopped, head = engine.replay_state(), engine.log.head_position()
        assert stopped is not None
        assert 1 < stopped.position < head
        steps = engine.replay()
        assert next(steps) == OperationStep(TAKEN_UP, stopped.position, head)
        following = next(steps)
        assert isinstance(following, OperationStep)
        assert (following.stage, following.total) == ("folding", head)
        assert stopped.position < following.done <= stopped.position + 3
        assert isinstance(steps, Generator)
        steps.close()


def test_after_a_restart(tmp_path: Path, clock: SettableClock) -> None:
    with engine_on(tmp_path / "data", clock, **DURABLE_AT_ONCE) as engine:
        filled(engine, clock)
        before = state_of(engine)
        assert after_steps(engine.replay(), 15)
        stopped = engine.replay_state()
    with engine_on(tmp_path / "data", clock, **DURABLE_AT_ONCE) as engine:
        assert engine.replay_state() == stopped
        assert stopped is not None
        taken_up, _ = result_of(engine.replay())
        assert taken_up == stopped.position > 1
        assert (state_of(engine), findings(engine)) == (before, ())


@pytest.mark.parametrize("begun_closed", [True, False])
def test_one_that_was_begun_beside_an_engine_goes_on_without_it_and_the_other_way_round(
    tmp_path: Path, clock: SettableClock, begun_closed: bool
) -> None:
    """A folder without an engine is folded numbers first; what was begun goes on as it was begun."""
    settings = Settings(data_dir=tmp_path / "data", **DURABLE_AT_ONCE)
    with engine_on(tmp_path / "data", clock) as engine:
        filled(engine, clock)
        before = state_of(engine)
        if not begun_closed:
            assert after_steps(engine.replay(), 3)
    if begun_closed:
        assert after_steps(replay_closed(settings, clock=clock), 10)
        with engine_on(tmp_path / "data", clock, **DURABLE_AT_ONCE) as engine:
            taken_up, _ = result_of(engine.replay())
            assert engine.read_side.store.missing_rows() is None
    else:
        with engine_on(tmp_path / "data", clock, **DURABLE_AT_ONCE) as engine:
            assert after_steps(engine.replay(), 10)
        taken_up, _ = result_of(replay_closed(settings, clock=clock))
    assert taken_up > 1
    with engine_on(tmp_path / "data", clock) as engine:
        assert (state_of(engine), findings(engine)) == (before, ())


def of_another_release(folder: Path) -> None:
    noted = (folder / UNFINISHED_FILE).read_text()
    (folder / UNFINISHED_FILE).write_text(noted.replace('"release":"', '"release":"other than '))


def of_another_log(folder: Path) -> None:
    (folder / "store.duckdb").write_bytes(b"no store")


def without_its_note(folder: Path) -> None:
    (folder / UNFINISHED_FILE).unlink()


@pytest.mark.parametrize("spoil", [of_another_release, of_another_log, without_its_note])
def test_one_that_cannot_be_trusted_is_begun_again(
    tmp_path: Path, clock: SettableClock, spoil: Callable[[Path], None]
) -> None:
    with engine_on(tmp_path / "data", clock, **DURABLE_AT_ONCE) as engine:
        filled(engine, clock)
        before = state_of(engine)
        assert after_steps(engine.replay(), 12)
        spoil(engine.folder.next_read_folder())
        taken_up, _ = result_of(engine.replay())
        assert taken_up == 0
        assert (state_of(engine), findings(engine)) == (before, ())


def test_a_fold_of_other_records_is_begun_again(tmp_path: Path, clock: SettableClock) -> None:
    """A log restored from an older backup has grown in another way since."""
    with engine_on(tmp_path / "data", clock, **DURABLE_AT_ONCE) as engine:
        filled(engine, clock)
        assert after_steps(engine.replay(), 15)
        folder = engine.folder.next_read_folder()
        with duckdb.connect(str(folder / "store.duckdb")) as store:
            store.execute("UPDATE progress SET running_hash = ?", [b"\x01" * 32])
        taken_up, _ = result_of(engine.replay())
        assert (taken_up, findings(engine)) == (0, ())


def test_a_replay_mends_a_changed_number_also_when_it_was_stopped(tmp_path: Path, clock: SettableClock) -> None:
    with engine_on(tmp_path / "data", clock, **DURABLE_AT_ONCE) as engine:
        filled(engine, clock)
        with engine.fold.paused:
            duckdb_store_of(engine).database.cursor().execute("UPDATE rows_1 SET input_tokens = input_tokens + 1")
        assert findings(engine) != ()
        assert after_steps(engine.replay(), 10)
        assert findings(engine) != ()
        result_of(engine.replay())
        assert findings(engine) == ()


def test_a_verification_leaves_a_stopped_replay_alone(tmp_path: Path, clock: SettableClock) -> None:
    with engine_on(tmp_path / "data", clock, **DURABLE_AT_ONCE) as engine:
        filled(engine, clock)
        assert after_steps(engine.replay(), 10)
        stopped = engine.replay_state()
        assert findings(engine) == ()
        assert engine.replay_state() == stopped is not None


def test_a_running_replay_tells_how_far_it_is(tmp_path: Path, clock: SettableClock) -> None:
    with engine_on(tmp_path / "data", clock) as engine:
        filled(engine, clock)
        assert engine.replay_state() is None
        head = engine.log.head_position()
        states = [engine.replay_state() for _ in engine.replay()]
    assert states[0] is not None
    assert states[0].position < head
    assert all(state is not None and state.running and state.until == head for state in states[:-1])
    assert states[-2:] == [ReplayState(True, "folding", head, head), None]


def test_nothing_is_left_of_an_unfinished_one_after_the_swap(tmp_path: Path, clock: SettableClock) -> None:
    with engine_on(tmp_path / "data", clock) as engine:
        filled(engine, clock)
        result_of(engine.replay())
        assert [path.name for path in (tmp_path / "data" / "read").iterdir() if path.is_dir()] == ["0002"]
        assert unfinished_in(engine.read_side.folder) is None
