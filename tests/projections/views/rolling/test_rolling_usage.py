"""Usage of a window that ends at an instant: of one customer, and of a page of them by two queries for all."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from domain.customers.commands import CreateCustomer, DeleteCustomer, UpdateCustomer
from domain.scope import DEFAULT_SCOPE
from domain.values.periods import Interval
from projections.views.customers import customer_history
from projections.views.rolling.rolling_usage import (
    RollingUsage,
    rolling_usage,
    rolling_usage_of_page,
    window_ending,
)
from tests.projections.folded_log import BY_TEST, START, usage
from tests.projections.queries.store_under_test import DuckDBUnderTest

NOW = START + timedelta(days=10, hours=7)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DuckDBUnderTest]:
    store = DuckDBUnderTest(tmp_path / "store")
    yield store
    store.close()


@pytest.mark.parametrize(
    ("length", "window"),
    [
        (DAY, Interval(NOW - DAY, NOW)),
        (timedelta(microseconds=1), Interval(NOW - timedelta(microseconds=1), NOW)),
        (timedelta(days=999_999), Interval(datetime(1980, 1, 1, tzinfo=UTC), NOW)),
        (timedelta(), None),
    ],
)
def test_a_window_ends_now_and_begins_where_usage_can_be(length: timedelta, window: Interval | None) -> None:
    assert window_ending(NOW, length) == window


def test_no_instant_is_in_a_window_that_ends_before_usage_can_be() -> None:
    assert window_ending(datetime(1979, 12, 31, tzinfo=UTC), DAY) is None


def test_usage_is_cut_at_the_window_at_changes_of_markup_and_at_the_life(store: DuckDBUnderTest) -> None:
    handle = store.commands.handle
    handle(CreateCustomer(DEFAULT_SCOPE, BY_TEST, "plain"))
    handle(CreateCustomer(DEFAULT_SCOPE, BY_TEST, "marked", {"markup_percentage": "10"}))
    rise = NOW - 4 * DAY
    events = [
        usage(f"{name}-{number}", name, at, cost_usd=cost, parent_request="root" if number == 2 else None)
        for name in ("plain", "marked", "reborn")
        for number, (at, cost) in enumerate(
            [
                (NOW - 6 * DAY, "1"),
                (NOW - 5 * DAY, "2"),
                (rise - HOUR, "4"),
                (rise, "8"),
                (NOW - HOUR, "16"),
                (NOW, "32"),
            ]
        )
    ]
    store.pass_time(days=11)
    handle(UpdateCustomer(DEFAULT_SCOPE, BY_TEST, "marked", {"markup_percentage": "20"}, effective_at=rise))
    store.deliver(events)
    store.fold()
    handle(DeleteCustomer(DEFAULT_SCOPE, BY_TEST, "reborn", effective_at=rise, seen_at=NOW))
    store.fold()
    window = window_ending(NOW, 5 * DAY)
    with store.reads.snapshot() as snapshot:
        records = [snapshot.customer(DEFAULT_SCOPE, name) for name in ("plain", "marked", "reborn")]
        histories = [customer_history(record, NOW) for record in records if record is not None]
        each = [rolling_usage(snapshot, DEFAULT_SCOPE, one, window) for one in histories]
        page = rolling_usage_of_page(snapshot, DEFAULT_SCOPE, histories, window)
        nothing = rolling_usage_of_page(snapshot, DEFAULT_SCOPE, histories, None)
    marked = Decimal("1.1") * (2 + 4) + Decimal("1.2") * (8 + 16)
    assert each == page == [RollingUsage(Decimal(30), 3), RollingUsage(marked, 3), RollingUsage(Decimal(24), 2)]
    assert nothing == [RollingUsage()] * 3
