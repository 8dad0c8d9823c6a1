"""Verification finds day sums of units that are not those of the rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from projections.duckdb.verification.comparison import inner_differences
from projections.duckdb.verification.held_store import DuckDBHeldStore
from projections.read_side.verification import DayDifference
from tests.projections.folded_log import START, FoldedLog, usage


@pytest.fixture
def folded(tmp_path: Path) -> Iterator[FoldedLog]:
    log = FoldedLog(tmp_path / "read")
    log.deliver([usage("1", web_searches=2), usage("2", "beta", web_searches=3), usage("3")])
    log.fold()
    yield log
    log.close()


def found(folded: FoldedLog) -> tuple[list[DayDifference], set[str]]:
    """What one day and what the whole store differs in."""
    [(catalog,)] = folded.ask("SELECT current_database()")
    differences = inner_differences(folded.cursor, catalog)
    return DuckDBHeldStore(folded.cursor).day_differences(START.date()), {one.view for one in differences}


def test_equal_sums_differ_in_nothing(folded: FoldedLog) -> None:
    assert found(folded) == ([], set())


def test_a_delta_that_is_lost_is_found_with_its_customer(folded: FoldedLog) -> None:
    folded.cursor.execute("DELETE FROM unit_days WHERE quantity = 2")
    assert found(folded) == ([DayDifference("acme", 2, 2)], {"usage rows against unit days"})


def test_a_delta_that_no_row_has_made_is_found_with_its_customer(folded: FoldedLog) -> None:
    folded.cursor.execute("INSERT INTO unit_days SELECT * REPLACE ('own' AS unit) FROM unit_days WHERE quantity = 3")
    assert found(folded) == ([DayDifference("beta", 1, 1)], {"unit days against usage rows"})
