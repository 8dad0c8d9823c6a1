"""What charges measure by each aggregation: what recurs, what is weighed, what is rounded, and what is below 0."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from domain.meters.commands import CreateMeter
from domain.scope import DEFAULT_SCOPE
from domain.subscriptions.commands import TerminateSubscription, UpdateSubscription
from projections.views.charging.charge_amounts import ChargeAmount
from projections.views.usage_report import UsageReportQuestion, usage_report
from tests.projections.folded_log import START
from tests.projections.queries.store_under_test import DuckDBUnderTest
from tests.projections.views.charging.test_charges import (
    MARCH,
    PER_GB,
    WHO,
    charges,
    day,
    disk,
    plan,
    subscribe,
)

MAY = MARCH.end + timedelta(days=30)
LATER = MAY + timedelta(days=60)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DuckDBUnderTest]:
    store = DuckDBUnderTest(tmp_path / "store")
    store.pass_time(days=80)  # so that events of all of March and April are taken
    yield store
    store.close()


def measure(store: DuckDBUnderTest, aggregation: str, price: dict[str, Any] | None = None, **fields: Any) -> None:
    """Make a meter "gb" and a plan "basic" with one charge for it."""
    given = {"event_type": "disk", "aggregation": aggregation, "value_property": "gb", **fields}
    store.commands.handle(CreateMeter(*WHO, "gb", given))
    store.commands.handle(plan("basic", {**PER_GB, "price": price or {"model": "standard", "amount": "1"}}))


def charged(store: DuckDBUnderTest, at: Any = START) -> ChargeAmount:
    (one,) = charges(store, at, now=MAY + timedelta(days=1)).subscriptions
    (charge,) = one.charges
    return charge


def units(store: DuckDBUnderTest, *instants: Any) -> list[Decimal | None]:
    return [charged(store, at).units for at in instants]


def test_a_recurring_sum_counts_all_usage_since_the_subscription_started(store: DuckDBUnderTest) -> None:
    measure(store, "sum", recurring=True)
    subscribe(store, start=day(3))
    store.deliver([disk("early", 1000, day(2)), disk("1", 10, day(5)), disk("2", -3, MARCH.end), disk("3", 1, MAY)])

    assert units(store, day(5), MARCH.end, MAY) == [10, 7, 8]
    assert charged(store, MARCH.end).events == 2


def test_what_recurs_is_carried_over_a_change_of_plan_but_not_into_another_life(store: DuckDBUnderTest) -> None:
    measure(store, "unique_count", recurring=True, operation_property="operation")
    store.commands.handle(plan("large", PER_GB))
    subscribe(store)
    store.commands.handle(UpdateSubscription(*WHO, "sub", {"plan": "large"}, effective_at=day(11)))
    store.deliver(
        [
            disk("1", "ada", day(2)), disk("2", "bob", day(3)), disk("3", "bob", day(12), operation="remove"),
            disk("4", "cyd", MARCH.end), disk("named", "dan", day(4), subscription="sub"),
        ]
    )  # fmt: skip

    assert units(store, day(2), day(11), MARCH.end) == [3, 2, 3]

    store.commands.handle(TerminateSubscription(*WHO, "sub", effective_at=MARCH.end + timedelta(days=1)))
    store.now = MAY
    subscribe(store, start=MARCH.end + timedelta(days=2))
    assert units(store, MARCH.end, MARCH.end + timedelta(days=2)) == [3, 0]


def test_what_recurs_leaves_out_what_other_subscriptions_may_have_used(store: DuckDBUnderTest) -> None:
    measure(store, "sum", recurring=True)
    subscribe(store)
    subscribe(store, "other", day(5), ends_at="2026-03-10T00:00:00Z")
    store.deliver([disk("1", 1, day(2)), disk("2", 10, day(6)), disk("3", 100, day(12)), disk("4", 1000, MARCH.end)])

    found = charges(store, MARCH.end, now=MAY, subscription="sub").subscriptions

    assert [one.charges[0].units for one in found] == [1101]


def test_a_weighted_sum_weighs_values_over_the_whole_period_and_shows_their_total(store: DuckDBUnderTest) -> None:
    measure(store, "weighted_sum", {"model": "standard", "amount": "31"})
    subscribe(store)
    store.deliver([disk("1", 10, START), disk("2", 10, day(22)), disk("3", -5, day(31)), disk("4", 1, MARCH.end)])

    march = charged(store)

    weighed = (Decimal(10 * 31 + 10 * 10 - 5) / 31).quantize(Decimal("1e-20"), "ROUND_CEILING")
    assert [march.units, march.total_units, march.amount] == [weighed, 15, 405]
    assert units(store, MARCH.end) == [1]


def test_a_recurring_weighted_sum_begins_a_period_with_what_ran_before(store: DuckDBUnderTest) -> None:
    measure(store, "weighted_sum", recurring=True)
    subscribe(store, start=day(2))
    store.deliver([disk("0", 7, START), disk("1", 10, day(5)), disk("2", 20, MARCH.end + timedelta(days=15))])

    april = charged(store, MARCH.end)

    assert [april.units, april.total_units] == [20, 30]


def test_a_period_that_a_change_of_plan_divides_is_weighed_whole_in_both_parts_together(
    store: DuckDBUnderTest,
) -> None:
    measure(store, "weighted_sum", recurring=True)
    store.commands.handle(plan("large", PER_GB))
    subscribe(store)
    store.commands.handle(
        UpdateSubscription(*WHO, "sub", {"plan": "large"}, effective_at=MARCH.end + timedelta(days=12))
    )
    store.deliver([disk("1", 10, day(5))])

    assert units(store, MARCH.end, MARCH.end + timedelta(days=12)) == [4, 6]


def test_units_are_rounded_before_they_are_priced(store: DuckDBUnderTest) -> None:
    measure(store, "sum", rounding={"function": "ceil", "precision": -1})
    store.commands.handle(plan("grouped", {**PER_GB, "group_by": ["region"]}))
    subscribe(store, plan="grouped")
    store.deliver([disk("1", "0.5", region="eu"), disk("2", 11, region="us"), disk("3", -25, region="us")])

    groups = [[one.group, one.units, one.amount] for one in charged(store).groups]

    assert groups == [[("eu",), 10, 1], [("us",), 0, 0]]


@pytest.mark.parametrize("aggregation", ["sum", "latest", "max", "weighted_sum"])
def test_units_below_0_cost_nothing_and_the_meter_itself_shows_them(store: DuckDBUnderTest, aggregation: str) -> None:
    measure(store, aggregation)
    subscribe(store)
    store.deliver([disk("1", -10)])

    found = charged(store)
    with store.reads.snapshot() as snapshot:
        asked = UsageReportQuestion("acme", MARCH.start, MARCH.end, meter="gb")
        report = usage_report(snapshot, DEFAULT_SCOPE, asked, LATER)

    assert [found.units, found.amount] == [0, 0]
    assert report is not None
    assert [row.value for row in report.rows] == [-10]


def test_an_expression_is_charged_and_reported_by_what_it_makes_of_each_event(store: DuckDBUnderTest) -> None:
    measure(store, "sum", value_property=None, expression="event.properties.gb * event.properties.hours")
    subscribe(store)
    store.deliver([disk("1", 10, hours="2.5"), disk("2", 4, hours=3), disk("3", 1000)])

    found = charged(store)
    with store.reads.snapshot() as snapshot:
        asked = UsageReportQuestion("acme", MARCH.start, MARCH.end, meter="gb")
        report = usage_report(snapshot, DEFAULT_SCOPE, asked, LATER)

    assert [found.units, found.events, found.amount] == [37, 2, 37]
    assert report is not None
    assert [row.value for row in report.rows] == [37]


def test_a_report_shows_rounded_values_and_weighs_each_window_by_itself(store: DuckDBUnderTest) -> None:
    measure(store, "weighted_sum", recurring=True, rounding={"function": "round", "precision": 1})
    store.deliver([disk("1", 10, START), disk("2", 9, day(2, 12))])
    store.fold()

    with store.reads.snapshot() as snapshot:
        asked = UsageReportQuestion("acme", MARCH.start, MARCH.end, window="day", meter="gb")
        daily = usage_report(snapshot, DEFAULT_SCOPE, asked, LATER)
        asked = UsageReportQuestion("acme", MARCH.start, MARCH.end, meter="gb")
        whole = usage_report(snapshot, DEFAULT_SCOPE, asked, LATER)

    assert daily is not None
    assert whole is not None
    assert [[row.window.start, row.value] for row in daily.rows] == [[START, 10], [day(2), Decimal("4.5")]]
    assert [row.value for row in whole.rows] == [Decimal("18.6")]
