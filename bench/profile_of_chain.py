"""A profile of the chain: microseconds of one core per event, stage by stage.

The bodies go through the engine's own code, but in one process and one after the other: each is appended and then
folded, with nothing beside it. So the stages add up, and include waiting for the disk.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from bench.bench_settings import engine_settings
from bench.events import NDJSON, bodies, event_lines, midnight
from bench.stored import Filling
from bench.tracing import Stopwatch
from consumers.bootstrap import open_engine
from consumers.intake.child import GARBAGE_OBJECTS_MIN
from consumers.intake.intake import IntakeRequest
from domain.scope import DEFAULT_SCOPE

WARMING_BODIES: Final = 2
WAIT_SECONDS_MAX: Final = 60.0

#: Stages in the order of the chain, with their functions. Time that functions of one stage spend in those of another
#: counts only for the other.
INTAKE_STAGES: Final[dict[str, tuple[str, ...]]] = {
    "split the body": ("domain.usage.request_bodies:items_of",),
    "decode": ("domain.usage.decoding.column_reader:ColumnReader._read_events",),
    "digest": ("domain.usage.decoding.column_reader:ColumnReader._digests",),
    "instants": ("domain.usage.decoding.vectorized_rules:instants_of",),
    "lists": ("domain.usage.decoding.column_reader:ColumnReader.read",),
    "decode odd rows": ("domain.usage.decoding.single_event:decode_event",),
    "validate": ("domain.usage.decoding.decoder:_arrays_of",),
    "identity hash": ("domain.usage.canonical_form:identity_hashes",),
    "columns": ("domain.usage.decoding.decoder:decode_items",),
    "compress": ("domain.log.blocks:encode_buffers",),
    "list prices": ("consumers.intake.appending:priced_pairs", "consumers.prices.listing:PriceListing.missing"),
    "append": ("domain.log.sqlite.event_log:SQLiteEventLog.append",),
}
FOLD_STAGES: Final[dict[str, tuple[str, ...]]] = {
    "read the log": ("domain.log.sqlite.event_log:SQLiteEventLog.read",),
    "hash chain": ("domain.log.chain:chain",),
    "decompress": ("domain.log.blocks:decode_typed", "domain.log.blocks:decode_free"),
    "lay out": (
        "projections.folding.usage_blocks:concatenate_blocks",
        "projections.folding.usage_blocks:received_rows",
    ),
    "identity look-up": ("projections.identity.index:IdentityIndex.lookup",),
    "resolve identities": ("projections.identity.resolution:resolve",),
    "row columns": ("projections.folding.usage_blocks:usage_rows",),
    "cost": ("projections.folding.usage_blocks:_costs",),
    "rows": ("projections.duckdb.writing.fold_store:DuckDBFoldStore.add_rows",),
    "rollups": ("projections.duckdb.writing.fold_store:DuckDBFoldStore._add_to_days",),
    "outcome rows": (
        "projections.folding.usage_blocks:outcome_rows",
        "projections.duckdb.writing.fold_store:DuckDBFoldStore.add_outcomes",
    ),
    "log records, keys, progress": (
        "projections.duckdb.writing.fold_store:DuckDBFoldStore.add_log_records",
        "projections.duckdb.writing.fold_store:DuckDBFoldStore.add_keys",
        "projections.duckdb.writing.fold_store:DuckDBFoldStore.advance",
    ),
    "commit": ("projections.duckdb.writing.fold_store:DuckDBFoldStore.commit",),
    "identity add": ("projections.identity.index:IdentityIndex.add",),
}
THE_REST: Final = "everything else"


class ProfileRun(msgspec.Struct, frozen=True):
    """One profile, of bodies of `events_per_body` events that are appended and folded one by one."""

    filling: Filling
    events: int
    events_per_body: int = 10_000


class StageShare(msgspec.Struct, frozen=True):
    """The time of one stage. `half` is intake or fold; microseconds are per event, `longest_ms` is one call."""

    half: str
    stage: str
    microseconds: float
    longest_ms: float


class Profile(msgspec.Struct, frozen=True):
    """A profile. `not_found` names the functions that the engine does not have (any more)."""

    events: int
    events_per_body: int
    microseconds: float
    stages: list[StageShare]
    not_found: list[str]


def profile(run: ProfileRun) -> Profile:
    """Measure on a filled folder. Runs in a process of its own, pinned to one core."""
    gc.set_threshold(GARBAGE_OBJECTS_MIN, 20, 50)  # as in the intake process
    stopwatch = Stopwatch()
    for stage, targets in (INTAKE_STAGES | FOLD_STAGES).items():
        stopwatch.hook(stage, *targets)
    lines = event_lines(run.events, run.filling.customers, run.filling.seed + 777, midnight(datetime.now(UTC)))
    body_list = list(bodies(lines, run.events_per_body))
    warming = event_lines(
        WARMING_BODIES * run.events_per_body, run.filling.customers, run.filling.seed + 778, midnight(datetime.now(UTC))
    )
    with open_engine(engine_settings(Path(run.filling.folder))) as engine:
        engine.fold.stop()
        projector = engine.read_side.projector

        def take(body: bytes) -> float:
            started = time.perf_counter()
            engine.intake.submit(IntakeRequest(DEFAULT_SCOPE, NDJSON, body)).result(WAIT_SECONDS_MAX)
            appended = time.perf_counter() - started
            while projector.step():
                pass
            return appended

        for body in bodies(warming, run.events_per_body):
            take(body)
        stopwatch.stages.clear()
        started = time.perf_counter()
        intake_seconds = sum(take(body) for body in body_list)
        seconds = time.perf_counter() - started
    return _profile(stopwatch, run, intake_seconds, seconds)


def _profile(stopwatch: Stopwatch, run: ProfileRun, intake_seconds: float, seconds: float) -> Profile:
    halves: list[tuple[str, list[str], float]] = [
        ("intake", list(INTAKE_STAGES), intake_seconds),
        ("fold", list(FOLD_STAGES), seconds - intake_seconds),
    ]
    per_event: Callable[[float], float] = lambda spent: spent / run.events * 1e6  # noqa: E731
    shares = []
    for half, names, whole in halves:
        known = 0.0
        for name in names:
            spent = stopwatch.stages.get(name)
            if spent is not None:
                known += spent.seconds
                shares.append(StageShare(half, name, per_event(spent.seconds), spent.longest * 1e3))
        shares.append(StageShare(half, THE_REST, per_event(whole - known), 0.0))
    return Profile(run.events, run.events_per_body, per_event(seconds), shares, stopwatch.not_found)
