"""Backfills, each put together from its events, with sums over the blocks that it loaded."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any, Final

import duckdb
import msgspec

from domain.backfills.backfill_range import BackfillRange
from domain.backfills.events import BACKFILL_CANCELLED, BACKFILL_COMMITTED, BACKFILL_OPENED, BACKFILL_REVERTED
from domain.values.instants import aware
from projections.duckdb.reading.bound_query import BoundQuery, Row
from projections.queries.backfills import BackfillChange, BackfillRecord, BackfillStep
from projections.queries.repricing import RunStep

_range: Final = msgspec.json.Decoder(BackfillRange)
#: What is selected of `backfills b`, and of the sums `s` over its blocks.
_COLUMNS: Final = """b.name, b.kind, b.position, b.recorded_at, b.actor, b.reason, b.range, b.mode, b.previewed_at,
    b.blocks, b.counted, b.duplicate, b.conflict, b.withdrawn, b.difference_usd, coalesce(s.blocks, 0),
    coalesce(s.events, 0)::BIGINT, coalesce(s.rejected, 0)::BIGINT"""


def backfills(
    cursor: duckdb.DuckDBPyConnection, scope_key: int | None, after: str | None, limit: int
) -> list[BackfillRecord]:
    """Return a page of the backfills of a scope, in ascending order of name; none of a scope without a key."""
    query = BoundQuery()
    behind = "" if after is None else f"AND name > {query.bind(after)}"
    names = f"SELECT DISTINCT name FROM backfills WHERE scope_key = {query.bind(scope_key)} {behind} ORDER BY name"
    return _read(cursor, query, scope_key, f"name IN ({names} LIMIT {query.bind(limit)})")


def backfill(cursor: duckdb.DuckDBPyConnection, scope_key: int | None, name: str) -> BackfillRecord | None:
    """Return the backfill of this name in a scope, if there is one."""
    query = BoundQuery()
    found = _read(cursor, query, scope_key, f"name = {query.bind(name)}")
    return found[0] if found else None


def backfill_steps(
    cursor: duckdb.DuckDBPyConnection, scope_key: int | None, positions: Sequence[int]
) -> dict[int, RunStep]:
    """Return what backfills of a scope did at some of these log positions to events, by position."""
    rows = cursor.execute(
        """SELECT position, name, kind, actor, reason FROM backfills
        WHERE scope_key = ? AND position IN (SELECT unnest(?::BIGINT[])) AND kind IN (?, ?)""",
        [scope_key, list(positions), BACKFILL_COMMITTED, BACKFILL_REVERTED],
    ).fetchall()
    return {
        position: RunStep(name, "reverted" if kind == BACKFILL_REVERTED else "committed", actor, reason)
        for position, name, kind, actor, reason in rows
    }


def _read(
    cursor: duckdb.DuckDBPyConnection, query: BoundQuery, scope_key: int | None, named: str
) -> list[BackfillRecord]:
    """The backfills of a scope that meet a condition on their name, by name."""
    scope = query.bind(scope_key)
    rows = query.rows(
        cursor,
        f"""SELECT {_COLUMNS} FROM (SELECT * FROM backfills WHERE scope_key = {scope} AND {named}) b
        LEFT JOIN (SELECT name, count(*) AS blocks, sum(events) AS events, sum(rejected) AS rejected
            FROM staged_blocks WHERE scope_key = {scope} AND {named} GROUP BY name) s ON s.name = b.name
        ORDER BY b.name, b.position""",
    )
    return [_backfill(list(of_backfill)) for _, of_backfill in groupby(rows, key=lambda row: row[0])]


def _backfill(rows: Sequence[Row]) -> BackfillRecord:
    by_kind = {row[1]: row for row in rows}
    opened, committed = by_kind[BACKFILL_OPENED], by_kind.get(BACKFILL_COMMITTED)
    name, *_, blocks, events, rejected = opened
    return BackfillRecord(
        name,
        _range.decode(opened[6]),
        opened[7],
        BackfillStep(*_step(opened)),
        blocks,
        events,
        rejected,
        None if committed is None else committed[8],
        None if committed is None else committed[9],
        _change(committed),
        _change(by_kind.get(BACKFILL_REVERTED)),
        BackfillStep(*_step(by_kind[BACKFILL_CANCELLED])) if BACKFILL_CANCELLED in by_kind else None,
    )


def _change(row: Row | None) -> BackfillChange | None:
    return None if row is None else BackfillChange(*_step(row), *row[10:15])


def _step(row: Row) -> tuple[Any, ...]:
    _, _, position, recorded_at, actor, reason, *_ = row
    return position, aware(recorded_at), actor, reason
