"""Speed of a rebuild from the first record of the log, compared with DuckDB summing the rows; and space on disk."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from bench.bench_settings import engine_settings
from bench.limits import group_by_seconds
from bench.processes import peak_bytes
from bench.quiet import bring_to_quiet
from consumers.bootstrap import open_engine, replay_closed
from consumers.embedded.data_folder import DataFolder
from consumers.engine import OperationResult, OperationStep


class RebuildRun(msgspec.Struct, frozen=True):
    """A measurement on a closed folder."""

    folder: str


class RebuildResult(msgspec.Struct, frozen=True):
    """Rates in events per second: until the numbers are there, and until everything is. Peak memory in bytes."""

    events: int
    numbers: float
    rebuild: float
    group_by: float
    peak_bytes: int


class Space(msgspec.Struct, frozen=True):
    """Bytes on disk for `events` received events.

    `other` are blocks of the read store outside the tables of usage: log records, customers, blocks that compaction
    has freed.
    """

    events: int
    log: int
    rows: int
    rollups: int
    other: int
    index: int

    @property
    def total(self) -> int:
        """The sum of all parts."""
        return self.log + self.rows + self.rollups + self.other + self.index


def rebuild(run: RebuildRun) -> RebuildResult:
    """Rebuild a closed folder. Runs in a process of its own, pinned to one core."""
    folder = Path(run.folder)
    started = time.perf_counter()
    numbers_seconds = 0.0
    last: OperationStep | OperationResult | None = None
    for last in replay_closed(engine_settings(folder)):
        if isinstance(last, OperationStep) and last.stage == "folding":
            numbers_seconds = time.perf_counter() - started
    seconds = time.perf_counter() - started
    if not isinstance(last, OperationResult):
        raise TypeError("a rebuild ends with its result")
    peak = peak_bytes(os.getpid())
    rows, adding_up = group_by_seconds(DataFolder(folder).current_read_folder() / "store.duckdb")
    return RebuildResult(last.events, last.events / numbers_seconds, last.events / seconds, rows / adding_up, peak)


def space(run: RebuildRun) -> Space:
    """Bring the engine of a closed folder to quiet, then measure its files."""
    folder = Path(run.folder)
    with open_engine(engine_settings(folder)) as engine:
        bring_to_quiet(engine)
        events = engine.read_side.received_events()
    read = DataFolder(folder).current_read_folder()
    store = read / "store.duckdb"
    rows, rollups = table_bytes(store)
    return Space(
        events=events,
        log=_file_bytes(DataFolder(folder).log),
        rows=rows,
        rollups=rollups,
        other=_file_bytes(store) - rows - rollups,
        index=sum(path.stat().st_size for path in (read / "identity").iterdir()),
    )


def table_bytes(path: Path) -> tuple[int, int]:
    """The bytes of blocks with usage rows, and of blocks with rollups, in a closed read store."""
    connection = duckdb.connect(str(path), read_only=True)
    block_bytes = int(connection.execute("SELECT block_size FROM pragma_database_size()").fetchall()[0][0])
    tables = connection.execute("SELECT kind, name FROM generations").fetchall()

    def blocks(table: str) -> set[Any]:
        found = connection.execute(
            "SELECT block_id, additional_block_ids FROM pragma_storage_info(?)", [table]
        ).fetchall()
        return {block for first, more in found for block in (first, *(more or ())) if block is not None and block >= 0}

    of_kind: dict[str, set[Any]] = {"rows": set(), "days": set()}
    for kind, name in tables:
        of_kind[kind] |= blocks(name)
    connection.close()
    return len(of_kind["rows"]) * block_bytes, len(of_kind["days"] - of_kind["rows"]) * block_bytes


def _file_bytes(path: Path) -> int:
    """The size of a database file and of the write-ahead log beside it."""
    return sum(file.stat().st_size for file in path.parent.glob(path.name + "*"))
