"""A read store that a storage error has invalidated is opened again, and what was not flushed is folded again."""

from __future__ import annotations

from pathlib import Path

from consumers.embedded.engine import EmbeddedEngine
from domain.scope import DEFAULT_SCOPE
from tests.consumers.running_engine import deliver, duckdb_store_of, state_of, submit
from tests.engine_fixtures import SettableClock, engine_on, key_for
from tests.waiting import eventually

PATIENCE_SECONDS = 20
RARELY = 3_600


def invalidate(engine: EmbeddedEngine) -> None:
    """Leave the store as a checkpoint without space does: nothing works any more, and memory is lost."""
    database = duckdb_store_of(engine).database
    database.cursor().execute("PRAGMA disable_checkpoint_on_shutdown")
    database.close()


def test_a_key_that_was_issued_and_not_flushed_keeps_no_store_from_being_reopened(tmp_path: Path) -> None:
    clock = SettableClock()
    with engine_on(tmp_path / "data", clock) as engine:
        engine.flushing.flush()
        secret = key_for(engine, DEFAULT_SCOPE, "read")
        deliver(engine, clock, 20)
        before, invalid = state_of(engine), engine.read_side
        invalidate(engine)
        engine.fold.request_recovery()
        assert eventually(lambda: engine.read_side is not invalid, PATIENCE_SECONDS)
        assert state_of(engine) == before
        assert engine.authenticate(secret) is not None


def test_a_store_is_reopened_even_while_the_fold_waits_for_a_flush(tmp_path: Path) -> None:
    clock = SettableClock()
    with engine_on(tmp_path / "data", clock, flush_records_max=50, flush_interval_seconds=RARELY) as engine:
        with engine.write_turn:
            deliver(engine, clock, 101)
            submit(engine, clock, 10, first=101)
            assert engine.flushing.must_hold()
            invalidate(engine)
        assert eventually(lambda: engine.folded_position() == engine.log.head_position(), PATIENCE_SECONDS)
        assert state_of(engine).counted == 111
