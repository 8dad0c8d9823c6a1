"""Any fold store keeps further versions of an event, also of another customer, and its sums follow them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pyarrow as pa
import pytest

from projections.folding.fold_store import FoldStore
from projections.folding.lifecycle_writes import NewAmendment
from projections.folding.staged_tables import USAGE_ROWS
from tests.fakes.in_memory_amendments import Row, rows_of
from tests.projections.folding.fold_store_contents import Contents
from tests.projections.folding.fold_store_under_test import IMPLEMENTATIONS, FoldStoreUnderTest
from tests.projections.folding.fold_store_writes import (
    START,
    add,
    day_of,
    event,
    recorded_at,
    shown,
    step,
    unit_days_of,
    units,
)

FIRST = event(1, 0, **units(searches="2"))
MOVED = FIRST | {"customer_key": 2, "kind_key": 2, "counted_at": 2, "time": START + timedelta(days=40)}
MOVED |= {"input_tokens": 7, "cost_usd": Decimal("0.500000000000"), **units(pages="3")}


@pytest.fixture(params=IMPLEMENTATIONS)
def under_test(request: pytest.FixtureRequest) -> Iterator[FoldStoreUnderTest]:
    opened = IMPLEMENTATIONS[request.param]()
    with step(opened.store, 1):
        add(opened.store, FIRST)
    yield opened
    opened.close()


def replace(store: FoldStore, row: Row, version: Row) -> None:
    store.close_row(row["customer_key"], row["locator"], version["counted_at"])
    store.add_version(pa.Table.from_pylist([version], USAGE_ROWS))


def usage_of(contents: Contents) -> tuple[list[Row], list[Row], list[Row]]:
    return contents["usage rows"], contents["usage days"], contents["unit days"]


def by_text(*rows: Row) -> list[Row]:
    return sorted(rows, key=lambda row: repr(sorted(row.items())))


def test_the_sums_of_both_customers_follow_an_event_from_one_to_the_other(under_test: FoldStoreUnderTest) -> None:
    with step(under_test.store, 2):
        replace(under_test.store, FIRST, MOVED)
    rows, days, unit_days = usage_of(under_test.contents())
    assert rows == by_text(shown(FIRST, closed_at=2), shown(MOVED))
    assert days == [day_of(MOVED, cost="0.5")]
    assert unit_days == unit_days_of(MOVED, pages="3")


def test_a_version_of_a_voided_event_is_in_no_sum_until_it_is_restored(under_test: FoldStoreUnderTest) -> None:
    store, while_voided = under_test.store, MOVED | {"counted_at": 3, "closed_at": 3}
    with step(store, 2):
        store.close_row(1, FIRST["locator"], 2)
    with step(store, 3):
        replace(store, FIRST, while_voided)
    assert usage_of(under_test.contents())[1:] == ([], [])
    with step(store, 4):
        assert store.reopen_row(2, FIRST["locator"], 4) == 2
    restored = MOVED | {"counted_at": 4}
    rows, days, unit_days = usage_of(under_test.contents())
    assert rows == by_text(shown(FIRST, closed_at=2), shown(while_voided), shown(restored))
    assert days == [day_of(MOVED, cost="0.5")]
    assert unit_days == unit_days_of(MOVED, pages="3")


def test_the_last_version_is_the_one_that_was_opened_last(under_test: FoldStoreUnderTest) -> None:
    store = under_test.store

    def last(customer_key: int) -> list[tuple[int, int | None]]:
        found = rows_of(store.last_version(customer_key, FIRST["locator"]))
        return [(row["counted_at"], row["closed_at"]) for row in found]

    with step(store, 2):
        assert last(1) == [(1, None)]
        store.close_row(1, FIRST["locator"], 2)
        assert last(1) == [(1, 2)]
    with step(store, 3):
        replace(store, FIRST, FIRST | {"counted_at": 3, "closed_at": 3})
        assert last(1) == [(3, 3)]


def test_the_state_that_is_loaded_knows_what_was_amended(under_test: FoldStoreUnderTest) -> None:
    with step(under_test.store, 2):
        replace(under_test.store, FIRST, MOVED)
        under_test.store.add_amendment(
            NewAmendment(1, FIRST["locator"], 2, 2, 1, MOVED["time"], 2**64 - 1, "[]", recorded_at(2))
        )
    state = under_test.store.load_state()
    assert (state.amended.customer_key(FIRST["locator"]), state.amended.customer_key(1)) == (2, None)
