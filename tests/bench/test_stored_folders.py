"""Folders are filled as asked for, and outcomes of a measurement are counted correctly."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from bench.bench_settings import engine_settings
from bench.chain import ChainRun, measure
from bench.events import customer_id, event_lines
from bench.profile_of_chain import FOLD_STAGES, INTAKE_STAGES
from bench.stored import Filling, fill
from bench.tracing import exists
from consumers.bootstrap import open_engine
from domain.scope import DEFAULT_SCOPE
from projections.views.current_usage import current_usage
from tests.consumers.running_engine import duckdb_store_of

TODAY = datetime(2026, 3, 1, tzinfo=UTC)


def test_the_same_seed_and_day_give_the_same_events() -> None:
    assert event_lines(50, 10, 7, TODAY) == event_lines(50, 10, 7, TODAY)
    assert event_lines(50, 10, 7, TODAY) != event_lines(50, 10, 8, TODAY)


def test_an_event_has_about_350_bytes() -> None:
    lines = event_lines(1_000, 10_000, 7, TODAY)
    assert 330 <= sum(map(len, lines)) / len(lines) <= 370


def test_events_sent_before_are_duplicates_and_all_others_are_counted(tmp_path: Path) -> None:
    filling = Filling(str(tmp_path / "data"), 5_000, 2_000, 20, 30, 7)
    fill(filling)
    result = measure(ChainRun(filling, 1_000, 30, 0, compacting=False, limits=True))
    assert (result.duplicates, result.duplicates_sent) == (30, 30)
    assert result.counted >= 970
    assert min(result.chain, result.decode_only, result.arrow_insert_only, result.append_longest + 1) > 0


def test_rows_that_were_filled_in_are_the_usage_of_every_customer(tmp_path: Path) -> None:
    fill(Filling(str(tmp_path), 0, 2_000, 20, 0, 7))
    with open_engine(engine_settings(tmp_path)) as engine, engine.reads.snapshot() as snapshot:
        ask = duckdb_store_of(engine).database.cursor().execute
        counted = ask("SELECT count(*), count(DISTINCT customer_key) FROM usage_rows WHERE locator < 0").fetchall()
        of_days = ask("SELECT sum(events) FROM usage_days").fetchall()
        someone = current_usage(snapshot, DEFAULT_SCOPE, customer_id(19), datetime.now(UTC))
    assert counted == [(2_000, 20)]
    assert of_days == [(2_001,)]  # and the one event that made the folder's first position
    assert someone is not None


def test_every_stage_of_the_profile_is_a_function_of_the_engine() -> None:
    targets = [target for targets in (INTAKE_STAGES | FOLD_STAGES).values() for target in targets]
    assert [target for target in targets if not exists(target)] == []
