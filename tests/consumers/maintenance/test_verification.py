"""`verify` proves the read store, and says where it is wrong; `rebuild` makes it right again from the log."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from consumers.bootstrap import open_engine, replay_closed
from consumers.embedded.engine import EmbeddedEngine
from consumers.engine import OperationResult, OperationStep
from consumers.settings import Settings
from projections.errors import ReadStoreCorrupted, ReadStoreMismatch
from tests.consumers.running_engine import deliver, duckdb_store_of, state_of
from tests.engine_fixtures import SettableClock, engine_on


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def engine(tmp_path: Path, clock: SettableClock) -> Iterator[EmbeddedEngine]:
    with engine_on(tmp_path / "data", clock) as running:
        deliver(running, clock, 200)
        yield running


def result_of(steps: Iterator[OperationStep | OperationResult]) -> OperationResult:
    *_, last = steps
    assert isinstance(last, OperationResult)
    return last


def tamper(engine: EmbeddedEngine, statement: str) -> None:
    with engine.fold.paused:
        duckdb_store_of(engine).database.cursor().execute(statement)


def test_an_untouched_store_has_no_findings(engine: EmbeddedEngine) -> None:
    result = result_of(engine.verify())
    assert (result.findings, result.events, result.position) == ((), 200, engine.log.head_position())


def test_verification_is_repeatable_and_leaves_the_store_alone(engine: EmbeddedEngine, clock: SettableClock) -> None:
    before = state_of(engine)
    for _ in range(2):
        assert result_of(engine.verify()).findings == ()
    deliver(engine, clock, 10, first=1000)
    assert result_of(engine.verify()).findings == ()
    assert state_of(engine).counted == before.counted + 10


@pytest.mark.parametrize(
    ("statement", "where"),
    [
        ("UPDATE rows_1 SET input_tokens = input_tokens + 1 WHERE id = 'event-5'", "usage rows"),
        ("DELETE FROM rows_1 WHERE id = 'event-5'", "usage rows"),
        ("UPDATE days_2 SET cost_usd = cost_usd + 0.01 WHERE rowid = 0", "usage days"),
        ("UPDATE customers SET customer_id = 'mallory' WHERE customer_key = 1", "customers"),
        ("UPDATE log_records SET counted = counted - 1 WHERE received > 0", "log records"),
    ],
)
def test_a_number_that_was_changed_is_found_and_named(engine: EmbeddedEngine, statement: str, where: str) -> None:
    tamper(engine, statement)
    found = {finding.where for finding in result_of(engine.verify()).findings}
    assert where in found


@pytest.mark.parametrize(
    "changed",
    [lambda state: state[:-40] + b"\x00" + state[-39:], lambda state: state[:3] + b"9" + state[4:]],
    ids=["in a buffer", "in the version"],
)
def test_a_changed_byte_in_the_log_is_found(engine: EmbeddedEngine, changed: Callable[[bytes], bytes]) -> None:
    with sqlite3.connect(engine.folder.log) as raw:
        rowid, state = raw.execute(
            "SELECT rowid, state FROM stored_events WHERE topic = 'usage.batch' ORDER BY rowid DESC LIMIT 1"
        ).fetchone()
        raw.execute("UPDATE stored_events SET state = ? WHERE rowid = ?", (changed(state), rowid))
    raw.close()
    findings = result_of(engine.verify()).findings
    assert any(finding.where == "log" and str(rowid) in finding.key for finding in findings)


def test_a_rebuild_while_running_answers_the_same_and_goes_on(engine: EmbeddedEngine, clock: SettableClock) -> None:
    before = state_of(engine)
    tamper(engine, "DELETE FROM rows_1 WHERE id = 'event-5'")
    result = result_of(engine.replay())
    assert (result.operation, result.events) == ("replay", 200)
    assert state_of(engine) == before
    deliver(engine, clock, 5, first=500)
    assert state_of(engine).counted == before.counted + 5
    assert result_of(engine.verify()).findings == ()


def test_a_reader_keeps_its_snapshot_through_a_rebuild(engine: EmbeddedEngine, clock: SettableClock) -> None:
    with engine.reads.snapshot() as snapshot:
        before = snapshot.totals()
        result_of(engine.replay())
        deliver(engine, clock, 10, first=1000)
        assert snapshot.totals() == before
    assert state_of(engine).counted == before.counted + 10


def test_a_reader_from_just_before_a_rebuild_can_still_read(engine: EmbeddedEngine) -> None:
    before = duckdb_store_of(engine).database
    result_of(engine.replay())
    assert before.cursor().execute("SELECT sum(counted)::BIGINT FROM log_records").fetchall() == [(200,)]


def test_an_abandoned_rebuild_leaves_the_store_as_it_is(engine: EmbeddedEngine) -> None:
    before = state_of(engine)
    abandoned = engine.replay()
    assert isinstance(next(abandoned), OperationStep)
    assert isinstance(abandoned, Generator)
    abandoned.close()
    assert state_of(engine) == before
    assert result_of(engine.replay()).events == 200
    assert state_of(engine) == before


def test_a_read_store_that_cannot_be_opened_is_rebuilt_without_opening_it(tmp_path: Path, clock: SettableClock) -> None:
    with engine_on(tmp_path / "kept", clock) as engine:
        deliver(engine, clock, 50)
        before = state_of(engine)
        store = engine.read_side.folder / "store.duckdb"
    store.write_bytes(b"no database" * 1000)
    settings = Settings(data_dir=tmp_path / "kept")
    with pytest.raises(ReadStoreCorrupted, match="replay"), open_engine(settings, clock=clock):
        pass
    assert result_of(replay_closed(settings, clock=clock)).events == 50
    with engine_on(tmp_path / "kept", clock) as engine:
        assert state_of(engine) == before


def test_a_log_from_an_older_backup_is_refused_by_name(tmp_path: Path, clock: SettableClock) -> None:
    folder = tmp_path / "kept"
    with engine_on(folder, clock) as engine:
        deliver(engine, clock, 5)
    backup = (folder / "log.sqlite").read_bytes()
    with engine_on(folder, clock) as engine:
        deliver(engine, clock, 5, first=100)
    for leftover in folder.glob("log.sqlite*"):
        leftover.unlink()
    (folder / "log.sqlite").write_bytes(backup)
    with pytest.raises(ReadStoreMismatch, match="older backup"), open_engine(Settings(data_dir=folder), clock=clock):
        pass


def test_another_history_at_the_same_position_is_refused(tmp_path: Path, clock: SettableClock) -> None:
    folder = tmp_path / "kept"
    with engine_on(folder, clock) as engine:
        deliver(engine, clock, 5)
    backup = (folder / "log.sqlite").read_bytes()
    with engine_on(folder, clock) as engine:
        deliver(engine, clock, 5, first=100)
    read = {path: path.read_bytes() for path in (folder / "read").rglob("*") if path.is_file()}
    for leftover in folder.glob("log.sqlite*"):
        leftover.unlink()
    (folder / "log.sqlite").write_bytes(backup)
    list(replay_closed(Settings(data_dir=folder), clock=clock))
    with engine_on(folder, clock) as engine:
        deliver(engine, clock, 5, first=200)
    for path in list((folder / "read").rglob("*")):
        if path.is_file():
            path.unlink()
    for path, content in read.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    with pytest.raises(ReadStoreMismatch, match="other records"), open_engine(Settings(data_dir=folder), clock=clock):
        pass
