"""A span is reported as counted, without a query, only if every event in it was counted."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from domain.usage.locators import locator_of
from projections.duckdb.memory.recent_refusals import REFUSED_OF_STEP_MAX, RecentRefusals
from projections.queries.events import RowSpan

ROWS = 6

refused_rows = st.sets(st.integers(0, ROWS - 1))
steps = st.lists(st.tuples(st.sampled_from(["folded", "folded", "undone", "opened again"]), refused_rows), max_size=8)


def fold(refusals: RecentRefusals, position: int, rows: set[int]) -> None:
    if rows:
        refusals.add(np.array([locator_of(position, row) for row in sorted(rows)]))
    refusals.publish(position)


@given(steps, st.integers(0, 12))
def test_a_span_is_reported_as_counted_only_if_nothing_in_it_was_refused(
    done: list[tuple[str, set[int]]], refused_max: int
) -> None:
    refusals = RecentRefusals(refused_max)
    refused: dict[int, set[int]] = {}
    for action, rows in done:
        position = len(refused) + 1
        fold(refusals, position, rows)
        if action == "undone":
            fold(refusals, position, rows)
        if action == "opened again":
            refusals.restart(position)
        refused[position] = rows
    for position, rows in refused.items():
        for start in range(ROWS):
            for end in range(start + 1, ROWS + 1):
                counted = refusals.all_counted([RowSpan(position, start, end)])
                assert not (counted and rows & set(range(start, end)))


def test_rows_beside_a_refused_one_are_known_to_be_counted() -> None:
    refusals = RecentRefusals()
    fold(refusals, 1, {2})
    fold(refusals, 2, set())
    known = [refusals.all_counted([RowSpan(1, row, row + 1)]) for row in range(4)]
    assert known == [True, True, False, True]
    assert refusals.all_counted([RowSpan(1, 3, 6), RowSpan(2, 0, 6)])
    assert not refusals.all_counted([RowSpan(2, 0, 6), RowSpan(1, 0, 6)])
    assert refusals.all_counted([])


def test_records_before_a_restart_and_steps_with_too_many_refusals_are_unknown() -> None:
    refusals = RecentRefusals()
    refusals.restart(3)
    fold(refusals, 4, set())
    assert all_counted(refusals, 3, 4) == [False, True]
    fold(refusals, 5, set(range(REFUSED_OF_STEP_MAX + 1)))
    fold(refusals, 6, set())
    assert all_counted(refusals, 4, 5, 6) == [False, False, True]


def all_counted(refusals: RecentRefusals, *positions: int) -> list[Any]:
    return [refusals.all_counted([RowSpan(position, 5_000, 5_001)]) for position in positions]
