"""The index of facts finds them all, however many are added and whichever snapshot asks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import duckdb
import pytest

from projections.duckdb.memory.fact_positions import ADDED_MAX, FactPositions

ASKED: Final = ["budget-0", "budget-7", "often", "nothing"]
EACH: Final = ADDED_MAX // 2 + 10


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE facts (id VARCHAR, position BIGINT)")
        yield connection


def add(connection: duckdb.DuckDBPyConnection, first: int, count: int) -> None:
    """A fact at each position: of `often`, or of a budget that has one every now and then."""
    connection.execute(
        """INSERT INTO facts
        SELECT CASE WHEN n % 100 = 0 THEN 'often' ELSE 'budget-' || n % 4000 END, n FROM range(?, ?) r(n)""",
        [first, first + count],
    )


def scanned(cursor: duckdb.DuckDBPyConnection) -> list[Any]:
    found = cursor.execute(
        "SELECT position FROM facts WHERE list_contains(?, id) ORDER BY position", [ASKED]
    ).fetchall()
    return [position for (position,) in found]


def test_positions_are_those_of_all_facts_while_facts_are_added(connection: duckdb.DuckDBPyConnection) -> None:
    index = FactPositions()
    assert index.positions(connection, ASKED, 0) == []
    for number in range(5):
        add(connection, 1 + number * EACH, EACH)
        for _ in range(2):
            assert sorted(index.positions(connection, ASKED, (number + 1) * EACH)) == scanned(connection)
    assert index.positions(connection, [], 5 * EACH) == []


def test_an_older_snapshot_finds_all_that_it_holds(connection: duckdb.DuckDBPyConnection) -> None:
    index, older = FactPositions(), connection.cursor()
    add(connection, 1, EACH)
    older.execute("BEGIN TRANSACTION READ ONLY")
    before = scanned(older)
    add(connection, 1 + EACH, EACH)
    for cursor, position in ((older, EACH), (connection, 2 * EACH), (older, EACH)):
        found = set(index.positions(cursor, ASKED, position))
        assert found >= set(scanned(cursor))
    assert scanned(older) == before


def test_facts_past_the_position_of_a_snapshot_are_read_once(connection: duckdb.DuckDBPyConnection) -> None:
    index = FactPositions()
    add(connection, 1, EACH)
    assert [sorted(index.positions(connection, ASKED, 1)) for _ in range(3)] == [scanned(connection)] * 3
