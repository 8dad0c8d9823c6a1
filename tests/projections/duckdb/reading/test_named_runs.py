"""Runs are read by name, each with all its events, and what they did by position."""

from __future__ import annotations

from datetime import UTC, datetime

import duckdb
import pytest

from projections.duckdb.reading.named_runs import RunTable, run_steps, step_of
from projections.queries.repricing import RunStep

MARCH = datetime(2026, 3, 1)  # noqa: DTZ001 - as DuckDB has it
RUNS = RunTable("runs", ("events",))


@pytest.fixture
def cursor() -> duckdb.DuckDBPyConnection:
    cursor = duckdb.connect()
    cursor.execute(
        """CREATE TABLE runs (scope_key INTEGER, name VARCHAR, kind VARCHAR, position BIGINT, recorded_at TIMESTAMP,
        actor VARCHAR, reason VARCHAR, events BIGINT)"""
    )
    told = [
        (1, "b", "opened", 4, 0),
        (1, "a", "opened", 5, 0),
        (1, "b", "committed", 6, 7),
        (2, "a", "opened", 7, 0),
        (2, "a", "cancelled", 8, 0),
        (1, "b", "reverted", 9, 6),
        (1, "c", "opened", 10, 0),
    ]
    for scope, name, step, position, events in told:
        values = [scope, name, f"run.{step}", position, MARCH, "key-1", f"why {position}", events]
        cursor.execute("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
    return cursor


def test_a_page_has_whole_runs_of_one_scope_by_name(cursor: duckdb.DuckDBPyConnection) -> None:
    pages = [list(RUNS.page(cursor, 1, after, 2)) for after in (None, "b", "c")]
    assert [[{step: row[2] for step, row in run.items()} for run in page] for page in pages] == [
        [{"opened": 5}, {"opened": 4, "committed": 6, "reverted": 9}],
        [{"opened": 10}],
        [],
    ]
    assert list(RUNS.page(cursor, None, None, 2)) == []


def test_a_run_is_found_by_its_name_in_its_scope_alone(cursor: duckdb.DuckDBPyConnection) -> None:
    [run] = RUNS.run(cursor, 1, "b")
    assert (run["committed"][0], RUNS.own(run["committed"])) == ("b", (7,))
    assert step_of(run["committed"]) == (6, datetime(2026, 3, 1, tzinfo=UTC), "key-1", "why 6")
    assert [list(RUNS.run(cursor, scope, "b")) for scope in (2, None)] == [[], []]


def test_only_commits_and_reverts_did_something_to_events(cursor: duckdb.DuckDBPyConnection) -> None:
    assert run_steps(cursor, (RUNS,), 1, range(11)) == {
        6: RunStep("b", "committed", "key-1", "why 6"),
        9: RunStep("b", "reverted", "key-1", "why 9"),
    }
    assert run_steps(cursor, (RUNS,), 2, range(11)) == run_steps(cursor, (RUNS,), 1, [4, 5]) == {}
