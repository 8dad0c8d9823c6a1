"""What moved usage between two points is attributed to rows first, then to markups, then to bounds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest

from domain.corrections.commands import VoidUsage
from domain.customers.commands import CreateCustomer, DeleteCustomer, UpdateCustomer
from domain.errors import InvalidInput
from domain.scope import DEFAULT_SCOPE
from domain.values.periods import Interval
from projections.views.diff.difference import Difference, DifferenceQuestion, difference
from projections.views.measures import Measures
from tests.projections.folded_log import BY_TEST, START, usage
from tests.projections.queries.store_under_test import DuckDBUnderTest

NOW: Final = START + timedelta(days=40)
MARCH: Final = date(2026, 3, 1)
APRIL: Final = datetime(2026, 4, 1, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DuckDBUnderTest]:
    store = DuckDBUnderTest(tmp_path)
    store.now = NOW
    yield store
    store.close()


def explained(store: DuckDBUnderTest, since: int, limit: int = 100, **asked: Any) -> Difference:
    store.fold()
    with store.reads.snapshot() as snapshot:
        named: dict[str, Any] = {"customer_id": "acme", "period_of": MARCH, **asked}
        question = DifferenceQuestion(since, **named)
        found = difference(snapshot, DEFAULT_SCOPE, question, NOW, None, limit)
    assert found is not None
    return found


def update(store: DuckDBUnderTest, days: float, **fields: Any) -> int:
    """Say something of the customer from so many days after the start on; return the position."""
    at = START + timedelta(days=days)
    command = UpdateCustomer(DEFAULT_SCOPE, BY_TEST, "acme", fields, effective_at=at, seen_at=START)
    said = store.commands.handle(command).position
    assert said is not None
    return said


def moved(found: Difference) -> list[tuple[str, Measures]]:
    return [(one.kind, one.moved) for one in found.by_kind]


def one_request(cost: str, reported: str, times: int = 1) -> Measures:
    return Measures(times, 1000 * times, 0, 0, 100 * times, 0, Decimal(cost), Decimal(reported))


def test_a_late_event_counts_with_the_markup_known_before_and_the_markup_moves_the_rest(store: DuckDBUnderTest) -> None:
    since = store.deliver([usage("1", cost_usd="10")])
    store.deliver([usage("2", at=START - timedelta(hours=1), cost_usd="7"), usage("3", at=START, cost_usd="2")])
    first = update(store, 0, markup_percentage="10")
    second = update(store, 0, markup_percentage="25")
    update(store, 0, name="Acme")
    found = explained(store, since)
    assert moved(found) == [("late", one_request("2", "2")), ("markup", Measures(reported_cost_usd=Decimal("3.00")))]
    assert [(one.kind, one.at.position, one.moved.reported_cost_usd) for one in found.causes[1:]] == [
        ("markup", first, Decimal("1.20")),
        ("markup", second, Decimal("1.80")),
    ]
    assert (found.before.usage, found.after.usage) == (one_request("10", "10"), one_request("12", "15.00", times=2))


def test_bounds_that_moved_are_causes_of_their_own_each_after_the_other(store: DuckDBUnderTest) -> None:
    since = store.deliver(
        [
            usage("1", at=START - timedelta(hours=5), cost_usd="1"),
            usage("2", at=START + timedelta(days=9), cost_usd="2"),
            usage("3", at=START + timedelta(days=30, hours=20), cost_usd="4"),
        ]
    )
    zone = update(store, -60, time_zone="Asia/Kolkata")
    weekly = update(store, -60, usage_duration="1w")
    found = explained(store, since)
    india = timedelta(hours=5, minutes=30)
    assert found.before.span == Interval(START, APRIL)
    assert found.after.span == Interval(START - timedelta(days=6) - india, START + timedelta(days=1) - india)
    assert moved(found) == [("period", one_request("-5", "-5", times=-1))]
    assert [(one.at.position, one.moved) for one in found.causes] == [
        (zone, Measures(cost_usd=Decimal(-3), reported_cost_usd=Decimal(-3))),
        (weekly, one_request("-2", "-2", times=-1)),
    ]


def test_a_deletion_ends_the_period_that_it_falls_in(store: DuckDBUnderTest) -> None:
    store.commands.handle(
        CreateCustomer(DEFAULT_SCOPE, BY_TEST, "acme", {"markup_percentage": "50"}, effective_at=START)
    )
    since = store.deliver([usage("1", at=START + timedelta(days=1), cost_usd="2")])
    store.commands.handle(DeleteCustomer(DEFAULT_SCOPE, BY_TEST, "acme", effective_at=START + timedelta(days=12)))
    found = explained(store, since)
    assert found.after.span == Interval(START + timedelta(days=12), APRIL)
    assert moved(found) == [("period", one_request("-2", "-3.00", times=-1))]


def test_a_customer_that_was_not_known_had_no_usage_and_the_bounds_of_later(store: DuckDBUnderTest) -> None:
    since = store.deliver([usage("1", "beta", cost_usd="9")])
    fields = {"markup_percentage": "50", "time_zone": "Asia/Kolkata"}
    store.commands.handle(CreateCustomer(DEFAULT_SCOPE, BY_TEST, "acme", fields, effective_at=START))
    store.deliver([usage("2", at=START + timedelta(days=1), cost_usd="2")])
    found = explained(store, since)
    assert found.before.usage == Measures()
    assert found.before.span == found.after.span
    assert moved(found) == [("late", one_request("2", "2")), ("markup", Measures(reported_cost_usd=Decimal("1.00")))]


def test_over_all_customers_the_period_is_the_utc_month_and_pages_join_events_and_facts(store: DuckDBUnderTest) -> None:
    since = store.deliver([usage("1", cost_usd="1"), usage("2", "beta", cost_usd="2")])
    update(store, 0, markup_percentage="10")
    store.commands.handle(VoidUsage(DEFAULT_SCOPE, BY_TEST, "gateway", "2"))
    everything = explained(store, since, customer_id=None)
    assert everything.after.span == Interval(START, APRIL)
    assert [(one.kind, one.customer_id) for one in everything.causes] == [("markup", "acme"), ("voided", "beta")]
    page = explained(store, since, limit=1, customer_id=None)
    assert (page.causes, page.by_kind) == (everything.causes[:1], everything.by_kind)
    assert page.behind == everything.causes[0].at


def test_points_and_intervals_that_make_no_sense_are_refused(store: DuckDBUnderTest) -> None:
    since = store.deliver([usage("1", cost_usd="1")])
    with pytest.raises(InvalidInput, match="since: must not be later than as_of"):
        explained(store, since + 1)
    with pytest.raises(InvalidInput, match="to: must be after from"):
        explained(store, since, period_of=None, start=START, end=START)


def test_of_many_moves_of_the_bounds_the_last_ones_are_told_apart(store: DuckDBUnderTest) -> None:
    since = store.deliver([usage("1", at=START + timedelta(days=9), cost_usd="2")])
    for number in range(25):
        update(store, -60, usage_duration="1w" if number % 2 == 0 else "1mo")
    found = explained(store, since)
    assert len(found.causes) == 20
    assert sum(one.moved.requests for one in found.causes) == found.moved.requests == -1
