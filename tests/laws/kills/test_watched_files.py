"""From outside it shows whether the files of a read side are in the middle of a write."""

from __future__ import annotations

import os
import time
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from projections.duckdb.storage.database import DuckDBDatabase, DuckDBOptions
from tests.laws.kills.watched_files import HEADERS_OFFSET, SETTLED_SECONDS, WatchedFiles

BLOCKS_OFFSET = 12_288


@pytest.fixture
def files(tmp_path: Path) -> WatchedFiles:
    """A read side that was flushed once, and watched ever since."""
    (tmp_path / "identity").mkdir()
    (tmp_path / "identity" / "manifest.json").write_text('{"runs": [[1, {}]]}\nchecksum\n')
    (tmp_path / "identity" / "0000000001.run").write_text("entries")
    with closing(DuckDBDatabase.open(tmp_path / "store.duckdb", DuckDBOptions())) as database:
        database.cursor().execute("CREATE TABLE rows AS SELECT range AS number FROM range(100_000)")
        database.checkpoint()
    return WatchedFiles(tmp_path)


def write(files: WatchedFiles, offset: int) -> None:
    """Change one byte of the store."""
    with files.store.open("r+b") as file:
        byte = os.pread(file.fileno(), 1, offset)
        os.pwrite(file.fileno(), bytes([byte[0] ^ 1]), offset)


def settled(files: WatchedFiles) -> bool:
    """Whether nothing is half written, once the store had the time to settle."""
    files.are_half_written()
    time.sleep(2 * SETTLED_SECONDS)
    return not files.are_half_written()


def test_nothing_is_half_written_at_first(files: WatchedFiles) -> None:
    assert not files.are_half_written()


def test_a_store_is_half_written_from_its_first_block_to_its_header(files: WatchedFiles) -> None:
    write(files, BLOCKS_OFFSET)
    assert [files.are_half_written(), files.are_half_written()] == [True, True]
    write(files, HEADERS_OFFSET)
    assert not files.are_half_written()
    assert settled(files)
    write(files, BLOCKS_OFFSET)
    assert files.are_half_written()


def test_a_store_that_is_truncated_after_its_header_is_whole(files: WatchedFiles) -> None:
    write(files, HEADERS_OFFSET)
    assert settled(files)
    with files.store.open("r+b") as file:
        file.truncate(files.store.stat().st_size - 4096)
    assert not files.are_half_written()
    assert settled(files)


def test_a_store_that_nobody_writes_any_more_is_what_the_next_one_begins_with(files: WatchedFiles) -> None:
    write(files, BLOCKS_OFFSET)
    assert files.are_half_written()
    files.settle()
    assert not files.are_half_written()


@pytest.mark.parametrize("name", ["manifest.json.tmp", "0000000002.run.tmp", "0000000002.run"])
def test_an_index_is_half_written_while_a_file_does_not_belong_to_it(files: WatchedFiles, name: str) -> None:
    file = files.store.parent / "identity" / name
    file.write_text("new")
    assert files.are_half_written()
    files.settle()
    assert not files.are_half_written(), "it is a remnant"


def test_whole_checkpoints_leave_nothing_half_written(files: WatchedFiles) -> None:
    """As DuckDB makes them: larger, smaller, and with nothing to write."""
    statements = (
        "INSERT INTO rows SELECT hash(range) % 100_000 FROM range(50_000)",
        "DROP TABLE rows",
        "CREATE TABLE rows (number BIGINT)",
        "SELECT 1",
    )
    with closing(DuckDBDatabase.open(files.store, DuckDBOptions())) as database, files.watched():
        for statement in statements:
            database.cursor().execute(statement)
            database.checkpoint()
            assert settled(files), statement


def test_a_store_is_half_written_while_duckdb_writes_rows_that_are_not_committed(files: WatchedFiles) -> None:
    with closing(duckdb.connect(str(files.store))) as store, files.watched():
        store.execute("BEGIN")
        store.execute("INSERT INTO rows SELECT hash(range) >> 1 FROM range(1_000_000)")
        assert files.are_half_written()
        store.execute("ROLLBACK")
