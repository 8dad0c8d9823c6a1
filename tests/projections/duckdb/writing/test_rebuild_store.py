"""A rebuild, with many steps per transaction, ends in the same store as folding step by step."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.log.chain import CHAIN_START
from projections.duckdb.storage.database import DuckDBDatabase, DuckDBOptions, create_tables
from projections.duckdb.verification.comparison import LOGICAL_VIEWS, logical_view
from projections.duckdb.writing.rebuild_store import RebuildStore
from projections.folding.projector import Projector
from projections.identity.index import IdentityIndex
from tests.projections.folded_log import LOG_ID, SEED, FoldedLog
from tests.projections.generated_logs import Entry, generated_logs, write_entries


def views(cursor: duckdb.DuckDBPyConnection) -> dict[str, list[tuple[Any, ...]]]:
    (catalog,) = cursor.execute("SELECT current_database()").fetchall()[0]
    return {
        view: sorted(cursor.execute(logical_view(cursor, view, catalog)).fetchall(), key=repr) for view in LOGICAL_VIEWS
    }


def rebuilt(folded: FoldedLog, folder: Path, commit_rows_min: int, more: list[Entry]) -> Any:
    """The views of a store that was rebuilt from the log, then folded `more` step by step."""
    database = DuckDBDatabase.open(folder / "again.duckdb", DuckDBOptions("512MB", 1, compressed=False))
    cursor = database.cursor()
    create_tables(cursor, LOG_ID, CHAIN_START)
    store = RebuildStore(cursor, commit_rows_min)
    projector = Projector(folded.log, store, IdentityIndex.open(folder / "again", LOG_ID), folded.keys)
    projector.restore_seed(SEED)
    while projector.step():
        pass
    store.finish()
    database.compress_from_now_on()
    for entry in more:
        write_entries(folded, [entry])
        while projector.step():
            pass
    found = views(database.cursor())  # another connection: it sees what is committed
    database.close()
    return found


@settings(max_examples=14, deadline=None)
@given(generated_logs(16), generated_logs(4), st.sampled_from([1, 4, 1_000_000]))
def test_a_rebuilt_store_equals_the_one_that_followed_the_log(
    entries: list[Entry], more: list[Entry], commit_rows_min: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        live = FoldedLog(Path(folder) / "live")
        for entry in entries:
            write_entries(live, [entry])
            live.fold()
        again = rebuilt(live, Path(folder), commit_rows_min, more)
        live.fold()
        assert again == views(live.cursor)
        live.close()
