"""The recent deltas between two positions are either complete or reported as unknown."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from projections.duckdb.memory.recent_days import RecentDays
from projections.folding.day_deltas import COST, EVENTS, VALUES, DayDeltas, by_customer

CUSTOMERS = 5
FAR = 5_000  # a key beyond the arrays that there are at first


def deltas_of(keys: list[int], mark: int) -> DayDeltas:
    """One delta for each of `keys`, marked with the number of its step."""
    customers = np.array(sorted(keys), dtype=np.int64)
    values = np.zeros((len(keys), VALUES), dtype=np.int64)
    values[:, EVENTS], values[:, COST] = 1, mark
    return by_customer(np.ones(len(keys), dtype=np.int64), customers, values)


def marks(found: Any) -> list[int]:
    return sorted(found[:, COST].tolist())


keys_of = st.lists(st.sampled_from([*range(1, CUSTOMERS + 1), FAR]), max_size=6)
actions = st.lists(
    st.one_of(
        st.tuples(st.just("added"), keys_of),
        st.tuples(st.just("added"), keys_of),
        st.tuples(st.just("skipped"), keys_of.filter(bool)),
        st.tuples(st.just("undone"), keys_of),
        st.tuples(st.just("compacted"), st.integers(0, 8)),
        st.tuples(st.just("too large"), st.just([])),
    ),
    max_size=14,
)


@given(actions, st.integers(2, 30), st.integers(0, 20))
@settings(max_examples=300)
def test_deltas_of_a_customer_are_complete_or_unknown(
    done: list[tuple[str, Any]], deltas_max: int, run_deltas_max: int
) -> None:
    days = RecentDays(deltas_max, run_deltas_max)
    added: list[tuple[int, int]] = []  # position, customer
    skipped: list[tuple[int, int]] = []
    position = 0
    for action, about in done:
        days.begin()
        if action == "compacted":
            days.mark_compacted(max(0, position - about))
        elif action == "undone":
            days.add(deltas_of(about, position + 1))
            days.publish(position + 1)
            days.restart(position)
        else:
            position += 1
            if action == "added":
                days.add(deltas_of(about, position))
                added += [(position, key) for key in about]
            elif action == "skipped":
                days.skip(np.array(about, dtype=np.int64))
                skipped += [(position, key) for key in about]
            else:
                days.add(None)
                skipped += [(position, key) for key in (*range(1, CUSTOMERS + 1), FAR)]
            days.publish(position)
        for key in (1, 2, FAR, 10 * FAR):
            for after in range(position + 1):
                for until in range(after, position + 1):
                    found = days.since(key, after, until)
                    if found is None:
                        continue
                    assert marks(found) == sorted(at for at, whose in added if whose == key and after < at <= until)
                    assert not [at for at, whose in skipped if whose == key and after < at <= until]


def test_deltas_are_known_until_there_are_too_many() -> None:
    days = RecentDays(deltas_max=3)
    for position in (1, 2, 3):
        days.begin()
        days.add(deltas_of([1], position))
        days.publish(position)
    since = days.since(1, 0, 3)
    assert since is not None
    assert marks(since) == [1, 2, 3]
    days.mark_compacted(2)
    assert days.since(1, 1, 3) is None
    since = days.since(1, 2, 3)
    assert since is not None
    assert marks(since) == [3]
    for position in (4, 5, 6):
        days.begin()
        days.add(deltas_of([1], position))
        days.publish(position)
    assert days.since(1, 5, 6) is None
    since = days.since(1, 6, 6)
    assert since is not None
    assert marks(since) == []


def test_a_correction_makes_the_deltas_of_its_customer_alone_unknown() -> None:
    days = RecentDays()
    days.begin()
    days.add(deltas_of([1, 2], 1))
    days.skip(np.array([2]))
    days.publish(1)
    since = days.since(1, 0, 1)
    assert since is not None
    assert marks(since) == [1]
    assert days.since(2, 0, 1) is None
    since = days.since(2, 1, 1)
    assert since is not None
    assert marks(since) == []


def test_a_delta_takes_no_more_memory_in_a_step_of_its_own_and_is_found_as_quickly() -> None:
    steps = 20_000
    days = RecentDays()
    tracemalloc.start()
    try:
        for position in range(1, steps + 1):
            days.begin()
            days.add(deltas_of([1 + position % CUSTOMERS], position))
            days.publish(position)
        taken, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        since = days.since(1, 0, steps)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken < steps * 130
    assert since is not None
    assert marks(since) == list(range(CUSTOMERS, steps + 1, CUSTOMERS))
    assert since.flags.owndata  # a copy: it keeps no forgotten run in memory
    assert most < taken + 5 * since.nbytes
