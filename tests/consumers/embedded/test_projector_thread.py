"""The projector thread also recovers from failures of others than the fold, while there is nothing to fold."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import duckdb
import pytest

from consumers.engine import Refusals
from projections.errors import ReadStoreUnavailable
from tests.consumers.running_engine import deliver, duckdb_store_of, state_of
from tests.engine_fixtures import SettableClock, engine_on
from tests.waiting import eventually

PATIENCE_SECONDS = 20


def test_a_store_that_a_failed_checkpoint_invalidated_is_reopened_though_nothing_comes_in(tmp_path: Path) -> None:
    clock = SettableClock()
    with engine_on(tmp_path / "data", clock) as engine:
        deliver(engine, clock, 20)
        before = state_of(engine)
        invalid = engine.read_side
        duckdb_store_of(engine).database.close()  # as DuckDB leaves a database whose checkpoint found no space
        with pytest.raises(duckdb.Error):
            engine.flushing.flush()
        assert eventually(lambda: engine.read_side is not invalid, PATIENCE_SECONDS)
        assert state_of(engine) == before
        deliver(engine, clock, 5, first=1_000)
        assert state_of(engine).counted == before.counted + 5


def test_an_engine_is_not_ready_to_read_while_its_store_is_opened_again(tmp_path: Path) -> None:
    clock = SettableClock()
    with engine_on(tmp_path / "data", clock) as engine:
        deliver(engine, clock, 20)
        before = state_of(engine)
        entered, go_on = threading.Event(), threading.Event()
        recover = engine.fold.on_failure

        def slowly() -> None:
            entered.set()
            assert go_on.wait(PATIENCE_SECONDS)
            recover()

        engine.fold.on_failure = slowly
        assert engine.refusals() == Refusals(None, None)
        duckdb_store_of(engine).database.close()
        # Nobody else has met the failure: whoever asks how the engine is begins the recovery.
        reason = "a storage error has invalidated it; it is being opened again"
        assert engine.refusals() == Refusals(None, reason)
        assert entered.wait(PATIENCE_SECONDS)
        assert engine.refusals() == Refusals(None, reason)
        go_on.set()
        assert eventually(lambda: engine.refusals() == Refusals(None, None), PATIENCE_SECONDS)
        assert state_of(engine) == before


def test_a_failed_recovery_is_tried_again(tmp_path: Path) -> None:
    with engine_on(tmp_path / "data", SettableClock()) as engine:
        tries = 0
        done = threading.Event()

        def recover() -> None:
            nonlocal tries
            tries += 1
            if tries < 3:
                raise ReadStoreUnavailable("still no space")
            done.set()

        engine.fold.on_failure = recover
        engine.fold.request_recovery()
        assert done.wait(PATIENCE_SECONDS)
        engine.fold.wake()
        time.sleep(1.5)
        assert tries == 3
