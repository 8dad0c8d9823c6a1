"""A rebuild that writes the numbers first, then the rows, ends in the same store as folding step by step."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from projections.duckdb.read_store import DuckDBOpener, DuckDBReadStore
from projections.duckdb.storage.schema import SCHEMA_VERSION
from projections.errors import ReadStoreOutdated
from projections.read_side.read_side import ReadSide, ReadSideOpener
from tests.projections.duckdb.writing.test_rebuild_store import views
from tests.projections.folded_log import FoldedLog, usage
from tests.projections.generated_logs import Entry, generated_logs, write_entries

STORES = DuckDBOpener("512MB", 1)


def opener_of(written: FoldedLog) -> ReadSideOpener:
    return ReadSideOpener(written.log, written.keys, STORES, 1 << 20, 1_000_000)


def store_of(side: ReadSide) -> DuckDBReadStore:
    assert isinstance(side.store, DuckDBReadStore)
    return side.store


def fold_numbers(side: ReadSide, steps_max: int | None = None) -> bool:
    """Fold the numbers, in at most so many steps; return whether all are folded then."""
    missing = side.store.missing_rows()
    assert missing is not None
    steps = 0
    while side.projector.position < missing.until:
        if steps == steps_max:
            return False
        side.projector.step(missing.until)
        steps += 1
    side.finish_refolding()
    return True


def rebuilt(written: FoldedLog, folder: Path, events_max: int, killed_after: int | None, more: list[Entry]) -> Any:
    """The views of a store that was rebuilt from the log, then folded `more`. `events_max` in a step and a part."""
    opener = opener_of(written)
    folder.mkdir()
    side = opener.open(folder, refolding="numbers first")
    side.projector.step_events_max = events_max
    if not fold_numbers(side, killed_after):
        side.checkpoint()
        side.discard()
        side = opener.open(folder, refolding="numbers first")
        assert fold_numbers(side)
    side.checkpoint()
    side.discard()
    side = opener.open(folder)
    for entry in more:
        write_entries(written, [entry])
        side.projector.step()
    for _ in side.write_missing_rows(rows_max=events_max):
        pass
    while side.projector.step():
        pass
    found = views(store_of(side).database.cursor())  # another connection: it sees what is committed
    side.discard()
    return found


@settings(max_examples=9, deadline=None)
@given(
    generated_logs(24),
    generated_logs(6),
    st.sampled_from([1, 4, 1_000]),
    st.one_of(st.none(), st.integers(0, 12)),
)
@example([("usage", 0, [(0, 0), (1, 0)])], [], 1, 0)  # killed before the first step
def test_a_store_whose_numbers_came_first_equals_the_one_that_followed_the_log(
    entries: list[Entry], more: list[Entry], events_max: int, killed_after: int | None
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        live = FoldedLog(Path(folder) / "live")
        write_entries(live, entries)
        again = rebuilt(live, Path(folder) / "again", events_max, killed_after, more)
        live.fold()
        assert again == views(live.cursor)
        live.close()


def schema_of(side: ReadSide) -> list[tuple[Any, ...]]:
    cursor = store_of(side).database.cursor()
    try:
        found: list[tuple[Any, ...]] = cursor.execute("SELECT schema_version FROM progress").fetchall()
        return found
    finally:
        cursor.close()


def test_another_release_takes_a_store_without_its_rows_for_an_outdated_one(tmp_path: Path) -> None:
    written = FoldedLog(tmp_path / "live")
    written.deliver([usage(f"e-{number}") for number in range(20)])
    folder = tmp_path / "again"
    folder.mkdir()
    side = opener_of(written).open(folder, refolding="numbers first")
    assert fold_numbers(side)
    assert schema_of(side) == [(0,)]
    assert list(side.write_missing_rows())[-1].written_to == written.log.head_position()
    assert schema_of(side) == [(SCHEMA_VERSION,)]
    side.discard()
    written.close()


def test_a_store_whose_numbers_are_not_complete_is_not_read(tmp_path: Path) -> None:
    written = FoldedLog(tmp_path / "live")
    for number in range(3):
        written.deliver([usage(f"e-{number}")])
    folder = tmp_path / "again"
    folder.mkdir()
    side = opener_of(written).open(folder, refolding="numbers first")
    side.projector.step_events_max = 1
    assert not fold_numbers(side, 1)
    side.checkpoint()
    side.discard()
    with pytest.raises(ReadStoreOutdated):
        opener_of(written).open(folder)
    written.close()
