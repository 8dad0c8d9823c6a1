"""Re-pricing runs, each put together from its events."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any, Final

import duckdb
import msgspec

from domain.correction_runs.events import CORRECTION_RUN_REVERTED
from domain.repricings.events import REPRICING_COMMITTED, REPRICING_OPENED, REPRICING_REVERTED
from domain.repricings.repricing_range import RepricingRange
from domain.values.instants import aware
from projections.duckdb.reading.bound_query import BoundQuery, Row
from projections.queries.repricing import RepricingChange, RepricingRecord, RunStep

_range: Final = msgspec.json.Decoder(RepricingRange)
_COLUMNS: Final = "name, kind, position, recorded_at, actor, reason, events, difference_usd, range, previewed_at"


def repricings(
    cursor: duckdb.DuckDBPyConnection, scope_key: int | None, after: str | None, limit: int
) -> list[RepricingRecord]:
    """Return a page of the runs of a scope, in ascending order of name; none of a scope without a key."""
    query = BoundQuery()
    scope = query.bind(scope_key)
    behind = "" if after is None else f"AND name > {query.bind(after)}"
    names = f"SELECT DISTINCT name FROM repricings WHERE scope_key = {scope} {behind} ORDER BY name"
    return _runs(
        query.rows(
            cursor,
            f"""SELECT {_COLUMNS} FROM repricings WHERE scope_key = {scope}
            AND name IN ({names} LIMIT {query.bind(limit)}) ORDER BY name, position""",
        )
    )


def repricing(cursor: duckdb.DuckDBPyConnection, scope_key: int | None, name: str) -> RepricingRecord | None:
    """Return the run of this name in a scope, if there is one."""
    statement = f"SELECT {_COLUMNS} FROM repricings WHERE scope_key = ? AND name = ? ORDER BY position"
    found = _runs(cursor.execute(statement, [scope_key, name]).fetchall())
    return found[0] if found else None


def run_steps(cursor: duckdb.DuckDBPyConnection, scope_key: int | None, positions: Sequence[int]) -> dict[int, RunStep]:
    """Return what runs of a scope did at some of these log positions, by position; correction runs too."""
    rows = cursor.execute(
        """SELECT position, name, kind, actor, reason FROM (
            SELECT position, name, kind, actor, reason, scope_key FROM repricings
            UNION ALL SELECT position, name, kind, actor, reason, scope_key FROM correction_runs)
        WHERE scope_key = ? AND position IN (SELECT unnest(?::BIGINT[]))""",
        [scope_key, list(positions)],
    ).fetchall()
    reverted = (REPRICING_REVERTED, CORRECTION_RUN_REVERTED)
    return {
        position: RunStep(name, "reverted" if kind in reverted else "committed", actor, reason)
        for position, name, kind, actor, reason in rows
    }


def _runs(rows: Sequence[Row]) -> list[RepricingRecord]:
    return [_run(list(of_run)) for _, of_run in groupby(rows, key=lambda row: row[0])]


def _run(rows: Sequence[Row]) -> RepricingRecord:
    by_kind = {row[1]: row for row in rows}
    name, _, position, recorded_at, actor, reason, _, _, asked, _ = by_kind[REPRICING_OPENED]
    committed = by_kind.get(REPRICING_COMMITTED)
    return RepricingRecord(
        name,
        _range.decode(asked),
        aware(recorded_at),
        position,
        actor,
        reason,
        None if committed is None else committed[-1],
        _change(committed),
        _change(by_kind.get(REPRICING_REVERTED)),
    )


def _change(row: tuple[Any, ...] | None) -> RepricingChange | None:
    if row is None:
        return None
    _, _, position, recorded_at, actor, reason, events, difference, *_ = row
    return RepricingChange(position, aware(recorded_at), actor, reason, events, difference)
