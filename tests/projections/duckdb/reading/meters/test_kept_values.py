"""What a subscription adds up to is kept: later events alone are read, and everything again after a correction."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from domain.scope import DEFAULT_SCOPE
from domain.usage.block_schema import REQUEST_TYPE
from projections.duckdb.reading.snapshot import DuckDBReads
from projections.duckdb.storage.generations import Generations
from projections.queries.meters import MeterQuestion, SubscriptionRows
from tests.projections.duckdb.memory.test_usage_from_memory import EVER, DrivenLog

FILTERS = ({"provider": ("nowhere",)}, {"parent_request": ("root",)})
COUNTED = MeterQuestion(
    (EVER,), REQUEST_TYPE, "count", None, "acme", subscription=SubscriptionRows("sub", (EVER,)), with_events=True
)
SUMMED = msgspec.structs.replace(COUNTED, aggregation="sum", value_property="input_tokens", filters=FILTERS)
GROUPED = msgspec.structs.replace(SUMMED, group_by=("property:parent_request",))
LARGEST = msgspec.structs.replace(SUMMED, aggregation="max")
SMALLEST = msgspec.structs.replace(GROUPED, aggregation="min")


LATEST = msgspec.structs.replace(SUMMED, aggregation="latest")


@pytest.mark.parametrize("question", [COUNTED, SUMMED, GROUPED, LARGEST, SMALLEST, LATEST])
def test_a_kept_answer_is_that_of_the_rows_whatever_was_written_since(tmp_path: Path, question: MeterQuestion) -> None:
    driven = DrivenLog(tmp_path / "read")

    def check() -> None:
        with driven.cached.snapshot() as kept, DuckDBReads(driven.database.cursor).snapshot() as fresh:
            expected = fresh.meter(DEFAULT_SCOPE, question)
            assert kept.meter(DEFAULT_SCOPE, question) == expected
            assert kept.meter(DEFAULT_SCOPE, question) == expected

    write_in_every_way(driven, check)
    driven.close()


def write_in_every_way(driven: DrivenLog, check: Callable[[], None]) -> None:
    """Call `check` before and after usage, usage of another customer, corrections and a compaction."""
    check()
    for number in range(4):
        driven.used(number, 0, number, "0.5")
        check()
    driven.used(4, 1, 0, "0.5")  # of another customer
    check()
    driven.corrected(2)
    check()
    driven.corrected(2)  # restored
    driven.used(5, 0, 0, None)
    check()
    driven.compact()
    driven.used(6, 0, 0, None)
    check()


def test_an_earlier_snapshot_answers_as_of_its_position(tmp_path: Path) -> None:
    driven = DrivenLog(tmp_path / "read")
    driven.used(1, 0, 0, "0.5")
    with driven.cached.snapshot() as before:
        before.point()
        driven.used(2, 0, 0, "0.5")
        with driven.cached.snapshot() as after:
            assert [one.value for one in after.meter(DEFAULT_SCOPE, COUNTED)] == [2]
        assert [one.value for one in before.meter(DEFAULT_SCOPE, COUNTED)] == [1]
        assert before.as_of(1).meter(DEFAULT_SCOPE, COUNTED) == []
    driven.close()


def test_later_events_are_read_without_the_earlier_ones(tmp_path: Path) -> None:
    driven = DrivenLog(tmp_path / "read")
    driven.used(1, 0, 0, "0.5")
    with driven.cached.snapshot() as snapshot:
        snapshot.meter(DEFAULT_SCOPE, COUNTED)
    rows = Generations(driven.cursor)
    rows.load()
    for name in rows.row_tables():
        driven.cursor.execute(f"DELETE FROM {name}")
    driven.used(2, 0, 0, "0.5")
    with driven.cached.snapshot() as snapshot:
        assert [one.value for one in snapshot.meter(DEFAULT_SCOPE, COUNTED)] == [2]
    driven.close()
