"""Generations of several row groups, compacted by several threads, lose nothing before the next checkpoint."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from projections.duckdb.storage.generations import Generations
from projections.duckdb.writing.delta_inserts import insert_deltas
from tests.projections.folded_log import FoldedLog, usage

#: A row group of DuckDB has 122,880.
COPIES = 60_000


@pytest.fixture
def folded(tmp_path: Path) -> Iterator[FoldedLog]:
    log = FoldedLog(tmp_path / "read", threads=2)
    yield log
    log.close()


def deliver_many(folded: FoldedLog, number: int) -> None:
    """Three events, each with many copies of its row on other days."""
    folded.deliver([usage(f"{number}-{n}", customer=f"c-{n}") for n in range(3)])
    folded.fold()
    rows, days = (Generations(folded.cursor).open_name(kind) for kind in ("rows", "days"))
    folded.cursor.execute(
        f"INSERT INTO {rows} SELECT r.* REPLACE (r.time - to_hours(n::INTEGER) AS time, -r.locator - n AS locator)"
        f" FROM {rows} r, range(1, {COPIES}) t(n)"
    )
    folded.cursor.execute(f"DELETE FROM {days}")
    folded.cursor.execute(insert_deltas(days, rows))


def every_customer(folded: FoldedLog) -> list[tuple[Any, ...]]:
    """Events of each customer by rows and by days, in one query per customer, as a reader would ask."""
    return [
        folded.ask(
            f"SELECT (SELECT count(*) FROM usage_rows WHERE customer_key = {key}),"
            f" (SELECT sum(events) FROM usage_days WHERE customer_key = {key})"
        )[0]
        for (key,) in folded.ask("SELECT customer_key FROM customers ORDER BY customer_key")
    ]


def test_what_two_threads_have_merged_is_visible_beside_the_open_generation(folded: FoldedLog) -> None:
    deliver_many(folded, 1)
    folded.compact()
    assert every_customer(folded) == [(COPIES, COPIES)] * 3
    assert folded.ask("SELECT count(*) FROM usage_rows WHERE locator IS NOT NULL") == [(3 * COPIES,)]


def test_a_merge_of_merged_generations_loses_nothing(folded: FoldedLog) -> None:
    for number in (1, 2, 3):
        deliver_many(folded, number)
        folded.compact()
        assert every_customer(folded) == [(number * COPIES, number * COPIES)] * 3
    assert [one.state for one in Generations(folded.cursor).of("rows")].count("settled") <= 2
