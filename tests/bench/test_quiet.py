"""A quiet engine has nothing left to do: no open rows or rollups, nothing outside the files, no runs to merge."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from bench.bench_settings import engine_settings
from bench.chain import drive
from bench.events import bodies, event_lines
from bench.quiet import bring_to_quiet, resume_jobs
from consumers.bootstrap import open_engine
from consumers.embedded.engine import EmbeddedEngine
from consumers.embedded.upkeep import MERGED
from projections.duckdb.storage.generations import Generations
from tests.consumers.running_engine import duckdb_store_of

TODAY = datetime(2026, 3, 1, tzinfo=UTC)
LINES = event_lines(600, 20, 7, TODAY)


def open_rows(engine: EmbeddedEngine) -> dict[str, int]:
    cursor = duckdb_store_of(engine).database.cursor()
    tables = {kind: Generations(cursor).open_name(kind) for kind in MERGED}
    return {kind: cursor.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0] for kind, table in tables.items()}


def test_nothing_is_left_of_what_was_put_off(tmp_path: Path) -> None:
    with open_engine(engine_settings(tmp_path)) as engine:
        drive(engine, list(bodies(LINES, 100)), [])
        before = open_rows(engine)
        put_off = bring_to_quiet(engine)
        after = open_rows(engine)
        waiting = engine.flushing.unflushed_records()
    assert (before["rows"], before["days"] > 0) == (600, True)
    assert (after, waiting) == ({"days": 0, "rows": 0}, 0)
    assert min(put_off.flush, put_off.merge) > 0


def test_a_quiet_engine_finds_nothing_in_its_first_round(tmp_path: Path) -> None:
    with open_engine(engine_settings(tmp_path)) as engine:
        drive(engine, list(bodies(LINES, 100)), [])
        bring_to_quiet(engine)
        assert bring_to_quiet(engine).rounds == 1


def test_the_jobs_rest_until_they_are_resumed(tmp_path: Path) -> None:
    with open_engine(engine_settings(tmp_path, intake_process=False), serving=True) as engine:
        bring_to_quiet(engine)
        stopped = engine.scheduler
        resume_jobs(engine)
        drive(engine, list(bodies(LINES, 300)), [])
        put_off = bring_to_quiet(engine)
        assert engine.scheduler is not stopped
        assert (open_rows(engine)["rows"], put_off.rounds > 1) == (0, True)
