"""One turn of the engine: its real processes, a few bodies in flight, until it is quiet."""

from __future__ import annotations

import time
from pathlib import Path

import duckdb

from bench.bench_settings import engine_settings
from bench.chain import drive
from bench.peers.stream import Held, StoreResult, StoreRun, sent_in, timed
from bench.quiet import PutOff, bring_to_quiet, resume_jobs
from consumers.bootstrap import open_engine
from consumers.embedded.data_folder import DataFolder
from consumers.embedded.engine import EmbeddedEngine


def measure(run: StoreRun) -> StoreResult:
    """Measure in a new folder. Runs in a process of its own, already pinned."""
    sent, folder = sent_in(run), Path(run.folder)
    with open_engine(engine_settings(folder), serving=True) as engine:
        drive(engine, sent.warming, [])
        bring_to_quiet(engine)
        resume_jobs(engine)
        found: list[PutOff] = []
        counted, quiet = timed(
            sent, lambda measured: drive(engine, measured, []), lambda: _come_to_quiet(engine, found)
        )
    return StoreResult(counted, quiet, sent.distinct, _held(folder), found[0])


def _come_to_quiet(engine: EmbeddedEngine, found: list[PutOff]) -> float:
    found.append(bring_to_quiet(engine))
    return time.perf_counter()


def _held(folder: Path) -> Held:
    """The contents of a closed folder, and the bytes of all its files."""
    with duckdb.connect(str(DataFolder(folder).current_read_folder() / "store.duckdb"), read_only=True) as store:
        row = store.sql(
            """SELECT (SELECT count(*) FROM usage_rows WHERE closed_at IS NULL),
                (SELECT sum(input_tokens + output_tokens) FROM usage_rows WHERE closed_at IS NULL),
                (SELECT sum(events) FROM usage_days)"""
        ).fetchall()[0]
    files = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return Held(int(row[0]), int(row[1]), int(row[2]), files)
