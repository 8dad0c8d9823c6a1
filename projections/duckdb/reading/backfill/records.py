"""Backfills, each put together from its events, with sums over the blocks that it loaded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import duckdb
import msgspec

from domain.backfills.backfill_range import BackfillRange
from projections.duckdb.reading.bound_query import Row
from projections.duckdb.reading.named_runs import RunTable, step_of
from projections.queries.backfills import BackfillChange, BackfillRecord, BackfillStep

BACKFILLS: Final = RunTable(
    "backfills",
    (
        *("counted", "duplicate", "conflict", "withdrawn", "difference_usd", "cost_unknown_events"),
        *("range", "mode", "previewed_at", "blocks"),
    ),
)
_range: Final = msgspec.json.Decoder(BackfillRange)


def backfills(
    cursor: duckdb.DuckDBPyConnection, scope_key: int | None, after: str | None, limit: int
) -> list[BackfillRecord]:
    """Return a page of the backfills of a scope, in ascending order of name; none of a scope without a key."""
    return _read(cursor, scope_key, BACKFILLS.page(cursor, scope_key, after, limit))


def backfill(cursor: duckdb.DuckDBPyConnection, scope_key: int | None, name: str) -> BackfillRecord | None:
    """Return the backfill of this name in a scope, if there is one."""
    found = _read(cursor, scope_key, BACKFILLS.run(cursor, scope_key, name))
    return found[0] if found else None


def _read(
    cursor: duckdb.DuckDBPyConnection, scope_key: int | None, found: Iterable[Mapping[str, Row]]
) -> list[BackfillRecord]:
    """The backfills with what each loaded: blocks, and events accepted and rejected."""
    of_name = {steps["opened"][0]: steps for steps in found}
    sums = cursor.execute(
        """SELECT name, count(*), sum(events)::BIGINT, sum(rejected)::BIGINT FROM staged_blocks
        WHERE scope_key = ? AND name IN (SELECT unnest(?::VARCHAR[])) GROUP BY name""",
        [scope_key, list(of_name)],
    ).fetchall()
    loaded = {name: (blocks, events, rejected) for name, blocks, events, rejected in sums}
    return [_backfill(name, steps, loaded.get(name, (0, 0, 0))) for name, steps in of_name.items()]


def _backfill(name: str, steps: Mapping[str, Row], loaded: tuple[int, int, int]) -> BackfillRecord:
    opened, committed, cancelled = steps["opened"], steps.get("committed"), steps.get("cancelled")
    *_, asked, mode, _, _ = BACKFILLS.own(opened)
    return BackfillRecord(
        name,
        _range.decode(asked),
        mode,
        BackfillStep(*step_of(opened)),
        *loaded,
        None if committed is None else committed[-2],
        None if committed is None else committed[-1],
        _change(committed),
        _change(steps.get("reverted")),
        None if cancelled is None else BackfillStep(*step_of(cancelled)),
    )


def _change(row: Row | None) -> BackfillChange | None:
    return None if row is None else BackfillChange(*step_of(row), *BACKFILLS.own(row)[:6])
