"""Runs that are known by a name, each read as its events: those of re-pricings, corrections by filter and backfills.

Their tables have one row for each event, with these columns and others of its kind.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Final

import duckdb
import msgspec

from domain.values.instants import aware
from projections.duckdb.reading.bound_query import Row
from projections.queries.repricing import RunStep

_SHARED: Final = ("name", "kind", "position", "recorded_at", "actor", "reason")
#: Steps of a run that change events, by the last word of their topic.
_STEPS: Final = ("committed", "reverted")


class RunTable(msgspec.Struct, frozen=True):
    """A table of events of runs, and its columns besides the shared ones."""

    name: str
    columns: tuple[str, ...]

    def page(
        self, cursor: duckdb.DuckDBPyConnection, scope_key: int | None, after: str | None, limit: int
    ) -> Iterator[Mapping[str, Row]]:
        """Yield a page of the runs of a scope, in ascending order of name; none of a scope without a key."""
        names = f"""SELECT DISTINCT name FROM {self.name} WHERE scope_key = $1 AND ($2::VARCHAR IS NULL OR name > $2)
            ORDER BY name LIMIT $3"""
        return self._runs(cursor, f"name IN ({names})", [scope_key, after, limit])

    def run(self, cursor: duckdb.DuckDBPyConnection, scope_key: int | None, name: str) -> Iterator[Mapping[str, Row]]:
        """Yield the run of this name in a scope, if there is one."""
        return self._runs(cursor, "name = $2", [scope_key, name])

    def _runs(
        self, cursor: duckdb.DuckDBPyConnection, named: str, values: Sequence[object]
    ) -> Iterator[Mapping[str, Row]]:
        """The events of each run by the last word of their topic, such as `opened`."""
        rows = cursor.execute(
            f"""SELECT {", ".join((*_SHARED, *self.columns))} FROM {self.name} WHERE scope_key = $1 AND {named}
            ORDER BY name, position""",
            values,
        ).fetchall()
        for _, of_run in groupby(rows, key=lambda row: row[0]):
            yield {row[1].rpartition(".")[2]: row for row in of_run}

    def own(self, row: Row) -> Row:
        """Return the values of an event besides the shared ones."""
        return row[len(_SHARED) :]


def step_of(row: Row) -> tuple[int, datetime, str, str | None]:
    """Return the position of an event, when it was recorded, by whom and why."""
    _, _, position, recorded_at, actor, reason, *_ = row
    return position, aware(recorded_at), actor, reason


def run_steps(
    cursor: duckdb.DuckDBPyConnection, tables: Sequence[RunTable], scope_key: int | None, positions: Sequence[int]
) -> dict[int, RunStep]:
    """Return what runs of these tables did at some of these log positions to events of a scope, by position."""
    found: dict[int, RunStep] = {}
    for table in tables:
        rows = cursor.execute(
            f"""SELECT position, name, split_part(kind, '.', 2) AS step, actor, reason FROM {table.name}
            WHERE scope_key = ? AND position IN (SELECT unnest(?::BIGINT[])) AND step IN {_STEPS}""",
            [scope_key, list(positions)],
        ).fetchall()
        found |= {position: RunStep(name, step, actor, reason) for position, name, step, actor, reason in rows}
    return found
