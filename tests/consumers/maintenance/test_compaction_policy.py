"""Compaction is early while the engine is idle, and put off up to a bound while the fold is behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from consumers.embedded.engine import EmbeddedEngine
from consumers.intake.intake import IntakeRequest
from consumers.maintenance.compaction_policy import LAG_SAMPLES, CompactionBounds, bounds_of, is_behind
from consumers.settings import Settings
from domain.scope import DEFAULT_SCOPE
from projections.duckdb.storage.generations import Generations
from tests.consumers.running_engine import deliver, duckdb_store_of, state_of
from tests.engine_fixtures import NDJSON, SettableClock, engine_on

ROWS_MIN, ROWS_MAX = 40, 100


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def engine(tmp_path: Path, clock: SettableClock) -> Iterator[EmbeddedEngine]:
    with engine_on(
        tmp_path / "data",
        clock,
        compact_rows_min=ROWS_MIN,
        compact_rows_max=ROWS_MAX,
        compact_deltas_min=1,
        compact_deltas_max=1,
    ) as running:
        yield running


@contextmanager
def fold_behind(engine: EmbeddedEngine) -> Iterator[None]:
    """One record is in the log that is not folded; it is at the end."""
    engine.fold.stop()
    line = msgspec.json.encode({"specversion": "1.0", "id": "late", "source": "s", "type": "t", "subject": "c"})
    engine.intake.submit(IntakeRequest(DEFAULT_SCOPE, NDJSON, line)).result(60)
    yield
    while engine.read_side.projector.step():
        pass


def row_generations(engine: EmbeddedEngine) -> list[tuple[str, int]]:
    """State and rows of each, the open one as it is now."""
    cursor = duckdb_store_of(engine).database.cursor()
    try:
        found = [
            (one.state, int(cursor.execute(f"SELECT count(*) FROM {one.name}").fetchall()[0][0]))
            for one in Generations(cursor).of("rows")
        ]
    finally:
        cursor.close()
    return sorted(found)


def test_open_rows_are_compacted_from_the_minimum_on_when_the_fold_has_caught_up(
    engine: EmbeddedEngine, clock: SettableClock
) -> None:
    deliver(engine, clock, ROWS_MIN - 1)
    engine.upkeep.compact()
    assert row_generations(engine) == [("open", ROWS_MIN - 1)]
    deliver(engine, clock, 1, first=1_000)
    engine.upkeep.compact()
    assert row_generations(engine) == [("open", 0), ("settled", ROWS_MIN)]


def test_compaction_is_put_off_while_the_fold_is_behind_and_made_up_for_when_it_has_caught_up(
    engine: EmbeddedEngine, clock: SettableClock
) -> None:
    deliver(engine, clock, ROWS_MAX - 1)
    with fold_behind(engine):
        engine.upkeep.compact()
        assert row_generations(engine) == [("open", ROWS_MAX - 1)]
    before = state_of(engine)
    engine.upkeep.compact()
    assert row_generations(engine) == [("open", 0), ("settled", ROWS_MAX)]
    assert state_of(engine) == before


def test_at_the_bound_it_is_put_off_no_longer(engine: EmbeddedEngine, clock: SettableClock) -> None:
    deliver(engine, clock, ROWS_MAX)
    with fold_behind(engine):
        engine.upkeep.compact()
        assert row_generations(engine) == [("open", 0), ("settled", ROWS_MAX)]


@pytest.mark.parametrize(
    ("behind", "compacted"), [(False, [("settled", 3 * ROWS_MAX)]), (True, [("settled", 100), ("settled", 200)])]
)
def test_a_generation_twice_as_large_is_written_again_only_when_there_is_time_for_it(
    engine: EmbeddedEngine, clock: SettableClock, behind: bool, compacted: list[tuple[str, int]]
) -> None:
    deliver(engine, clock, 2 * ROWS_MAX)
    engine.upkeep.compact()
    deliver(engine, clock, ROWS_MAX, first=1_000)
    if behind:
        with fold_behind(engine):
            engine.upkeep.compact()
            assert row_generations(engine) == [("open", 0), *compacted]
    else:
        engine.upkeep.compact()
        assert row_generations(engine) == [("open", 0), *compacted]


def test_the_bounds_of_each_kind_are_those_of_the_settings() -> None:
    settings = Settings(compact_deltas_min=1, compact_deltas_max=2, compact_rows_min=3, compact_rows_max=4)
    assert [(bounds_of(settings, "days", behind), bounds_of(settings, "rows", behind)) for behind in (False, True)] == [
        (CompactionBounds(1, 3), CompactionBounds(3, 3)),
        (CompactionBounds(2, 1), CompactionBounds(4, 1)),
    ]


@pytest.mark.parametrize(
    ("heads", "behind", "waits"),
    [
        ([7] * LAG_SAMPLES, False, LAG_SAMPLES - 1),
        ([8], True, 0),
        ([7] * (LAG_SAMPLES - 1) + [8], True, LAG_SAMPLES - 1),
    ],
)
def test_the_fold_is_behind_when_any_sample_finds_it_behind(heads: list[int], behind: bool, waits: int) -> None:
    left, waited = iter(heads), list[int]()
    assert is_behind(lambda: 7, lambda: next(left), lambda: waited.append(1)) is behind
    assert (len(waited), list(left)) == (waits, [])
