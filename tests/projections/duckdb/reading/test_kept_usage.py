"""Sums of subscriptions are kept: later events alone are read, and everything again after a correction."""

from __future__ import annotations

from pathlib import Path

import pytest

from domain.scope import DEFAULT_SCOPE
from projections.duckdb.reading.snapshot import DuckDBReads
from projections.duckdb.storage.generations import Generations
from projections.queries.usage import UsageQuestion
from tests.projections.duckdb.memory.test_usage_from_memory import EVER, DrivenLog
from tests.projections.duckdb.reading.meters.test_kept_values import write_in_every_way

OF_SUBSCRIPTIONS = UsageQuestion((EVER,), "acme", ("subscription", "property:parent_request"), with_units=True)


def test_a_kept_answer_is_that_of_the_rows_whatever_was_written_since(tmp_path: Path) -> None:
    driven = DrivenLog(tmp_path / "read")

    def check() -> None:
        with driven.cached.snapshot() as kept, DuckDBReads(driven.database.cursor).snapshot() as fresh:
            expected = fresh.usage(DEFAULT_SCOPE, OF_SUBSCRIPTIONS)
            assert kept.usage(DEFAULT_SCOPE, OF_SUBSCRIPTIONS) == expected
            assert kept.usage(DEFAULT_SCOPE, OF_SUBSCRIPTIONS) == expected

    write_in_every_way(driven, check)
    driven.close()


@pytest.mark.parametrize("group_by", [("subscription",), ("property:parent_request", "subscription")])
def test_later_events_are_read_without_the_earlier_ones(tmp_path: Path, group_by: tuple[str, ...]) -> None:
    driven = DrivenLog(tmp_path / "read")
    question = UsageQuestion((EVER,), "acme", group_by)
    driven.used(1, 0, 0, "0.5")
    with driven.cached.snapshot() as snapshot:
        snapshot.usage(DEFAULT_SCOPE, question)
    rows = Generations(driven.cursor)
    rows.load()
    for name in rows.row_tables():
        driven.cursor.execute(f"DELETE FROM {name}")
    driven.used(2, 0, 0, "0.5")
    with driven.cached.snapshot() as snapshot:
        assert sum(one.sums.events for one in snapshot.usage(DEFAULT_SCOPE, question)) == 2
    driven.close()
