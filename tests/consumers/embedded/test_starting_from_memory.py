"""An engine that starts loads into memory the days that an earlier one had not compacted."""

from __future__ import annotations

from pathlib import Path

from projections.folding.day_deltas import EVENTS
from tests.consumers.running_engine import deliver, duckdb_store_of
from tests.engine_fixtures import SettableClock, engine_on


def test_days_that_an_engine_had_not_compacted_are_in_the_memory_of_the_next_one(tmp_path: Path) -> None:
    clock = SettableClock()
    with engine_on(tmp_path / "data", clock) as engine:
        deliver(engine, clock, 70)
        engine.flushing.flush(open_rows_min=1)
        deliver(engine, clock, 14, first=1_000)
    with engine_on(tmp_path / "data", clock) as engine:
        store = duckdb_store_of(engine)
        cursor = store.database.cursor()
        settled_to, position = cursor.execute("SELECT days_settled_to, position FROM progress").fetchall()[0]
        keys = [key for (key,) in cursor.execute("SELECT customer_key FROM customers").fetchall()]
        cursor.close()
        since = store.fold.changes.days.since
        found = [since(key, settled_to, position) for key in keys]
        assert [None if added is None else int(added[:, EVENTS].sum()) for added in found] == [2] * 7
        assert since(keys[0], settled_to - 1, position) is None
