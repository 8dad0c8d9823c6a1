"""The thread of the fold also mends what others than the fold have spoilt, when there is nothing to fold."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import duckdb
import pytest

from projections.errors import ReadStoreUnavailable
from tests.consumers.running_engine import deliver, state_of
from tests.engine_fixtures import SettableClock, engine_on
from tests.waiting import eventually

PATIENCE_SECONDS = 20


def test_what_a_failed_checkpoint_spoilt_is_opened_again_though_nothing_comes_in(tmp_path: Path) -> None:
    clock = SettableClock()
    with engine_on(tmp_path / "data", clock) as engine:
        deliver(engine, clock, 20)
        before = state_of(engine)
        spoilt = engine.read_side
        spoilt.database.close()  # as DuckDB leaves a database of which a checkpoint found no space
        with pytest.raises(duckdb.Error):
            engine.fold_write_ahead()
        assert eventually(lambda: engine.read_side is not spoilt, PATIENCE_SECONDS)
        assert state_of(engine) == before
        deliver(engine, clock, 5, first=1_000)
        assert state_of(engine).counted == before.counted + 5


def test_what_could_not_be_mended_is_tried_again(tmp_path: Path) -> None:
    with engine_on(tmp_path / "data", SettableClock()) as engine:
        tries = 0
        done = threading.Event()

        def mend() -> None:
            nonlocal tries
            tries += 1
            if tries < 3:
                raise ReadStoreUnavailable("still no space")
            done.set()

        engine.fold.on_failure = mend
        engine.fold.mend_soon()
        assert done.wait(PATIENCE_SECONDS)
        engine.fold.wake()
        time.sleep(1.5)
        assert tries == 3
