"""Flushes: what is folded into memory goes into the files in time, and a crash in between loses no number."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path

import pytest

from consumers.embedded.engine import EmbeddedEngine
from consumers.embedded.flushing import HELD_UP_FACTOR, HOLD_FACTOR
from domain.corrections.commands import VoidUsage
from domain.event import Provenance
from domain.scope import DEFAULT_SCOPE
from projections.folding.recovery import log_creation
from projections.identity.manifest import read_manifest
from tests.consumers.running_engine import deliver, duckdb_store_of, state_of, submit
from tests.engine_fixtures import SettableClock, engine_on, key_for
from tests.waiting import eventually

PATIENCE_SECONDS = 20
RARELY = 3_600
#: Several looks of the thread that flushes.
LOOKS_SECONDS = 0.5


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


def durable(engine: EmbeddedEngine) -> tuple[int, int]:
    """The positions of the store and of the index after a crash at this moment."""
    manifest = read_manifest(engine.read_side.folder / "identity", log_creation(engine.log).log_id)
    return duckdb_store_of(engine).fold.durable_position(), manifest.covered_position


def test_a_flush_makes_store_and_index_durable_and_changes_no_answer(tmp_path: Path, clock: SettableClock) -> None:
    with engine_on(tmp_path / "data", clock) as engine:
        before = durable(engine)
        deliver(engine, clock, 50)
        state = state_of(engine)
        assert engine.flushing.unflushed_records() >= 50
        assert durable(engine) == before
        assert engine.flushing.flush()
        assert durable(engine) == (engine.folded_position(), engine.folded_position())
        assert (engine.flushing.unflushed_records(), engine.flushing.flushes) == (0, 1)
        assert state_of(engine) == state


def test_what_a_crash_has_undone_is_folded_again_before_anything_is_answered(
    tmp_path: Path, clock: SettableClock
) -> None:
    with engine_on(tmp_path / "data", clock) as engine:
        deliver(engine, clock, 70)
        engine.flushing.flush(open_rows_min=1)
        deliver(engine, clock, 90, first=30)
        secret = key_for(engine, DEFAULT_SCOPE, "read")
        state, position = state_of(engine), engine.folded_position()
        assert durable(engine)[0] < position
        # As a kill leaves the folder.
        shutil.copytree(tmp_path / "data", tmp_path / "crashed", ignore=shutil.ignore_patterns("append-signal"))
    with engine_on(tmp_path / "crashed", clock) as engine:
        assert (engine.folded_position(), engine.fold.steps) == (position, 0)
        assert state_of(engine) == state
        assert engine.authenticate(secret) is not None
        assert state_of(engine).counted == 120
        deliver(engine, clock, 120)
        assert state_of(engine).counted == 120


def test_more_than_fits_into_memory_is_flushed_while_it_is_folded_again(tmp_path: Path, clock: SettableClock) -> None:
    records = 300  # more than one step folds
    with engine_on(tmp_path / "data", clock, flush_interval_seconds=RARELY) as engine:
        for number in range(records):
            receipt = submit(engine, clock, 1, first=number)
        assert engine.wait_folded(receipt.position, PATIENCE_SECONDS)
        state, position = state_of(engine), engine.folded_position()
        shutil.copytree(tmp_path / "data", tmp_path / "crashed", ignore=shutil.ignore_patterns("append-signal"))
    with engine_on(tmp_path / "crashed", clock, flush_records_max=50, flush_interval_seconds=RARELY) as engine:
        assert (engine.folded_position(), engine.fold.steps) == (position, 0)
        assert state_of(engine) == state


def test_records_in_memory_are_flushed_at_their_bound_and_not_before(tmp_path: Path, clock: SettableClock) -> None:
    with engine_on(tmp_path / "data", clock, flush_records_max=100, flush_interval_seconds=RARELY) as engine:
        deliver(engine, clock, 50)
        time.sleep(LOOKS_SECONDS)
        assert engine.flushing.flushes == 0
        deliver(engine, clock, 60, first=50)
        assert eventually(lambda: engine.flushing.flushes == 1, PATIENCE_SECONDS)
        assert durable(engine)[0] == engine.folded_position()


def test_few_records_are_flushed_after_the_interval_and_nothing_is_when_none_came(
    tmp_path: Path, clock: SettableClock
) -> None:
    with engine_on(tmp_path / "data", clock, flush_interval_seconds=1) as engine:
        deliver(engine, clock, 1)
        assert eventually(lambda: engine.flushing.flushes > 0, PATIENCE_SECONDS)
        assert eventually(lambda: durable(engine)[0] == engine.folded_position(), PATIENCE_SECONDS)
        time.sleep(LOOKS_SECONDS)
        flushes = engine.flushing.flushes
        time.sleep(1 + LOOKS_SECONDS)
        assert engine.flushing.flushes == flushes


def test_the_fold_waits_at_twice_the_bound_until_a_flush_has_made_room(tmp_path: Path, clock: SettableClock) -> None:
    with engine_on(tmp_path / "data", clock, flush_records_max=50, flush_interval_seconds=RARELY) as engine:
        with engine.write_turn:  # as a merge that takes long
            deliver(engine, clock, 101)
            receipt = submit(engine, clock, 10, first=101)
            time.sleep(LOOKS_SECONDS)
            assert engine.flushing.must_hold()
            assert engine.folded_position() < receipt.position
        assert eventually(lambda: engine.folded_position() == engine.log.head_position(), PATIENCE_SECONDS)
        assert state_of(engine).counted == 111


def test_the_end_of_an_engine_flushes_what_is_left(tmp_path: Path, clock: SettableClock) -> None:
    with engine_on(tmp_path / "data", clock) as engine:
        deliver(engine, clock, 20)
        position = engine.folded_position()
    with engine_on(tmp_path / "data", clock) as engine:
        assert durable(engine) == (position, position)


def test_reads_that_overlap_without_end_do_not_keep_a_flush_from_happening(
    tmp_path: Path, clock: SettableClock
) -> None:
    with engine_on(tmp_path / "data", clock, flush_interval_seconds=RARELY) as engine:
        deliver(engine, clock, 20)
        ended = threading.Event()

        def read() -> None:
            while not ended.is_set():
                with engine.reads.snapshot() as snapshot:
                    snapshot.totals()
                    time.sleep(0.05)

        readers = [threading.Thread(target=read) for _ in range(4)]
        for reader in readers:
            reader.start()
        try:
            for first in range(20, 25):
                deliver(engine, clock, 1, first=first)
                assert engine.flushing.flush()
        finally:
            ended.set()
            for reader in readers:
                reader.join()


def test_an_open_read_does_not_hold_up_flushes_of_usage(tmp_path: Path, clock: SettableClock) -> None:
    with engine_on(tmp_path / "data", clock, flush_interval_seconds=RARELY) as engine:
        with engine.reads.snapshot() as snapshot:
            before = snapshot.totals()
            deliver(engine, clock, 20)
            assert engine.flushing.flush()
            assert snapshot.totals() == before
        assert durable(engine)[0] == engine.folded_position()


def test_reads_that_hold_up_flushes_let_the_fold_go_on_for_long_and_then_are_told(
    tmp_path: Path, clock: SettableClock
) -> None:
    with engine_on(tmp_path / "data", clock, flush_records_max=10, flush_interval_seconds=RARELY) as engine:
        deliver(engine, clock, 5)
        assert engine.flushing.flush()
        flushes = engine.flushing.flushes
        with engine.reads.snapshot() as snapshot:
            snapshot.totals()
            engine.commands.handle(VoidUsage(DEFAULT_SCOPE, Provenance("test"), "gateway", "event-3"))
            deliver(engine, clock, 10 * HOLD_FACTOR, first=5)
            assert engine.flushing.must_hold()
            deliver(engine, clock, 10, first=5 + 10 * HOLD_FACTOR)  # once a flush was tried
            assert (engine.flushing.failure, engine.flushing.flushes) == (None, flushes)
            deliver(engine, clock, 10 * HELD_UP_FACTOR, first=100)
            assert eventually(lambda: engine.flushing.failure is not None, PATIENCE_SECONDS)
            assert engine.flushing.must_hold()
            assert engine.progress().failure == engine.flushing.failure
        assert eventually(lambda: engine.flushing.failure is None, PATIENCE_SECONDS)
        assert engine.flushing.flushes > flushes
