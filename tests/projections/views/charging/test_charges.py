"""Charges: units of the meter by group, priced and rounded once, with minimums, changes of plan and what is unknown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from domain.corrections.commands import VoidUsage
from domain.customers.commands import CreateCustomer, DeleteCustomer
from domain.errors import InvalidInput, NotFound
from domain.meters.commands import CreateMeter, DeleteMeter
from domain.plans.commands import CreatePlan, DeletePlan, UpdatePlan
from domain.scope import DEFAULT_SCOPE
from domain.subscriptions.commands import CreateSubscription, TerminateSubscription, UpdateSubscription
from domain.subscriptions.events import SubscriptionCreated
from domain.values.periods import Interval
from projections.duckdb.reading.meters import values
from projections.views.charging.charges import AtClosing, CustomerCharges, customer_charges
from projections.views.charging.subscriptions import SUBSCRIPTIONS_MAX
from tests.projections.folded_log import BY_TEST, START, usage
from tests.projections.queries.store_under_test import DuckDBUnderTest

MARCH = Interval(START, datetime(2026, 4, 1, tzinfo=UTC))
GRACE_SECONDS = 3600
WHO = (DEFAULT_SCOPE, BY_TEST)
APRIL_10 = datetime(2026, 4, 10, tzinfo=UTC)
PER_TOKEN = {"code": "tokens", "meter": "total_tokens", "price": {"model": "standard", "amount": "0.00001"}}
PER_GB = {"code": "storage", "meter": "gb", "price": {"model": "standard", "amount": "0.1"}}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DuckDBUnderTest]:
    store = DuckDBUnderTest(tmp_path / "store")
    store.commands.handle(plan("basic", PER_TOKEN))
    store.commands.handle(CreateMeter(*WHO, "gb", {"event_type": "disk", "aggregation": "sum", "value_property": "gb"}))
    store.pass_time(days=40)  # so that events of all of March are taken
    yield store
    store.close()


def plan(code: str, *charges: Mapping[str, Any], currency: str = "USD", interval: str = "monthly") -> CreatePlan:
    return CreatePlan(*WHO, code, {"interval": interval, "currency": currency, "charges": list(charges)})


def subscribe(
    store: DuckDBUnderTest, name: str = "sub", start: datetime = START, customer: str = "acme", **fields: Any
) -> None:
    given = {"customer": customer, "plan": "basic", **fields}
    store.commands.handle(CreateSubscription(*WHO, name, given, effective_at=start))


def day(number: int, hour: int = 0) -> datetime:
    return START + timedelta(days=number - 1, hours=hour)


def disk(event_id: str, gb: Any, at: datetime = START, **data: Any) -> dict[str, Any]:
    none: dict[str, Any] = {"provider": None, "model": None, "input_tokens": None, "output_tokens": None}
    return usage(event_id, at=at, **none, **{"gb": gb, **data}) | {"type": "disk"}


def charges(
    store: DuckDBUnderTest, at: datetime = START, now: datetime = APRIL_10, subscription: str | None = None
) -> CustomerCharges:
    store.fold()
    with store.reads.snapshot() as snapshot:
        found = customer_charges(snapshot, DEFAULT_SCOPE, "acme", now, at, GRACE_SECONDS, subscription)
    assert found is not None
    return found


def amounts(found: CustomerCharges) -> dict[str, Any]:
    """By subscription: its amount, and units and amount of each charge."""
    return {
        one.subscription.subscription_id: (
            one.amount,
            {charge.charge.code: (charge.units, charge.amount) for charge in one.charges},
        )
        for one in found.subscriptions
    }


def test_a_charge_prices_what_its_meter_measured_in_the_period(store: DuckDBUnderTest) -> None:
    store.deliver([usage("1"), usage("2", at=day(31, 23)), usage("3", at=MARCH.end), usage("4", "other")])
    subscribe(store)

    (found,) = charges(store).subscriptions

    assert (found.period, found.ended, found.term.plan) == (MARCH, True, "basic")
    (charge,) = found.charges
    (group,) = charge.groups
    assert [group.group, group.units, group.events] == [(), 2200, 2]
    assert (group.exact_amount, group.amount, charge.amount, found.amount) == (
        Decimal("0.022"),
        Decimal("0.02"),
        Decimal("0.02"),
        Decimal("0.02"),
    )


def test_each_group_is_priced_and_rounded_by_itself(store: DuckDBUnderTest) -> None:
    store.commands.handle(plan("by region", {**PER_GB, "group_by": ["region"]}))
    subscribe(store, plan="by region")
    store.deliver([disk("1", 0.25, region="eu"), disk("2", "0.25", region="us"), disk("3", 0.25)])

    (found,) = charges(store).subscriptions

    groups = [(one.group, one.units, one.exact_amount, one.amount) for one in found.charges[0].groups]
    exact, cents = Decimal("0.025"), Decimal("0.03")
    assert groups == [
        ((None,), Decimal("0.25"), exact, cents),
        (("eu",), Decimal("0.25"), exact, cents),
        (("us",), Decimal("0.25"), exact, cents),
    ]
    assert found.amount == Decimal("0.09")


def test_a_currency_without_a_minor_unit_is_rounded_to_whole_units(store: DuckDBUnderTest) -> None:
    store.commands.handle(plan("japan", {**PER_GB, "price": {"model": "standard", "amount": "1"}}, currency="JPY"))
    subscribe(store, plan="japan")
    store.deliver([disk("1", "2.5")])

    assert amounts(charges(store)) == {"sub": (3, {"storage": (Decimal("2.5"), 3)})}


def test_without_usage_a_charge_without_groups_shows_zero_and_one_with_groups_none(store: DuckDBUnderTest) -> None:
    store.commands.handle(plan("two", PER_GB, {**PER_GB, "code": "grouped", "group_by": ["region"]}))
    subscribe(store, plan="two")

    (found,) = charges(store).subscriptions

    assert [len(charge.groups) for charge in found.charges] == [1, 0]
    assert amounts(charges(store)) == {"sub": (0, {"storage": (0, 0), "grouped": (0, 0)})}


def test_events_belong_to_the_subscription_they_name_and_those_that_name_none_to_the_only_one(
    store: DuckDBUnderTest,
) -> None:
    store.commands.handle(plan("storage", PER_GB, PER_TOKEN))
    subscribe(store, "a", plan="storage")
    subscribe(store, "b", day(11), plan="storage")
    store.deliver(
        [
            disk("1", 1, day(5)),
            disk("2", 10, day(15)),
            disk("3", 100, day(15), subscription="a"),
            disk("4", 1000, day(15), subscription="b"),
            disk("5", 10000, day(5), subscription="b"),
            disk("6", 100000, day(15), subscription="c"),
            usage("7", at=day(5)),
            usage("8", at=day(15)),
            usage("9", at=day(15), subscription="b"),
        ]
    )

    assert amounts(charges(store, day(15))) == {
        "a": (Decimal("10.11"), {"storage": (101, Decimal("10.1")), "tokens": (1100, Decimal("0.01"))}),
        "b": (Decimal("100.01"), {"storage": (1000, 100), "tokens": (1100, Decimal("0.01"))}),
    }


def test_a_change_of_plan_ends_the_period_and_begins_another(store: DuckDBUnderTest) -> None:
    store.commands.handle(plan("double", {**PER_TOKEN, "price": {"model": "standard", "amount": "1"}}))
    subscribe(store)
    store.commands.handle(UpdateSubscription(*WHO, "sub", {"plan": "double"}, effective_at=day(11)))
    store.deliver([usage("1", at=day(10, 23)), usage("2", at=day(11))])

    before, after = (charges(store, at).subscriptions[0] for at in (day(10), day(11)))

    assert (before.period, before.term.plan, before.amount) == (Interval(START, day(11)), "basic", Decimal("0.01"))
    assert [after.period, after.term.plan, after.amount] == [Interval(day(11), MARCH.end), "double", 1100]


def test_a_minimum_is_due_once_the_period_has_ended_in_the_share_of_it(store: DuckDBUnderTest) -> None:
    store.commands.handle(plan("least", {**PER_TOKEN, "minimum_amount": "31"}))
    subscribe(store, start=day(22), plan="least")
    store.deliver([usage("1", at=day(25))])

    (open_now,) = charges(store, day(25), now=day(26)).subscriptions
    (ended,) = charges(store, day(25)).subscriptions

    assert (open_now.ended, open_now.amount) == (False, Decimal("0.01"))
    assert [ended.charges[0].added_to_minimum, ended.amount] == [Decimal("9.99"), 10]


def test_events_are_priced_one_by_one_in_the_order_of_their_times(store: DuckDBUnderTest) -> None:
    price = {"model": "percentage", "rate": "10", "fixed_amount": "0", "free_units_per_events": 1,
             "per_transaction_min_amount": "1", "per_transaction_max_amount": "5"}  # fmt: skip
    store.commands.handle(plan("payments", {**PER_GB, "price": price}))
    subscribe(store, plan="payments")
    store.deliver([disk("1", 100, day(3)), disk("2", 20, day(2)), disk("3", 1000, day(1))])

    assert amounts(charges(store)) == {"sub": (7, {"storage": (1120, 7)})}  # the first is free, then 2 and 5


def test_what_has_no_meter_is_unknown_and_so_is_the_sum(store: DuckDBUnderTest) -> None:
    store.commands.handle(plan("odd", PER_TOKEN, {**PER_GB, "meter": "nobody"}))
    subscribe(store, plan="odd")
    store.deliver([usage("1")])

    (found,) = charges(store).subscriptions

    assert amounts(charges(store)) == {"sub": (None, {"tokens": (1100, Decimal("0.01")), "storage": (None, None)})}
    assert [charge.unknown_because for charge in found.charges] == [None, "there is no meter 'nobody'"]


def test_events_of_unknown_cost_are_counted_beside_an_amount_of_money(store: DuckDBUnderTest) -> None:
    money = {"code": "cost", "meter": "cost_usd", "price": {"model": "standard", "amount": "1"}}
    store.commands.handle(plan("resale", money))
    subscribe(store, plan="resale")
    store.deliver([usage("1", cost_usd="1.25"), usage("2")])

    ((charge,),) = (one.charges for one in charges(store).subscriptions)

    assert (charge.units, charge.amount, charge.cost_unknown_events) == (Decimal("1.25"), Decimal("1.25"), 1)


def test_an_ended_period_keeps_the_price_that_it_had_unless_a_change_is_dated_back(store: DuckDBUnderTest) -> None:
    subscribe(store)
    store.deliver([usage("1"), usage("2", at=MARCH.end)])
    dearer = [{**PER_TOKEN, "price": {"model": "standard", "amount": "1"}}]
    store.commands.handle(UpdatePlan(*WHO, "basic", {"charges": dearer}, effective_at=MARCH.end + timedelta(days=1)))

    assert [amounts(charges(store, at))["sub"][0] for at in (START, MARCH.end)] == [Decimal("0.01"), 1100]

    store.commands.handle(UpdatePlan(*WHO, "basic", {"charges": dearer}, effective_at=day(20)))
    assert [amounts(charges(store, at))["sub"][0] for at in (START, MARCH.end)] == [1100, 1100]


def test_a_plan_and_a_meter_that_are_made_later_reach_back(store: DuckDBUnderTest) -> None:
    store.deliver([disk("1", 3)])
    store.pass_time(days=40)
    store.commands.handle(
        CreateMeter(*WHO, "late", {"event_type": "disk", "aggregation": "max", "value_property": "gb"})
    )
    store.commands.handle(plan("late", {**PER_GB, "meter": "late"}))
    subscribe(store, plan="late")

    assert amounts(charges(store)) == {"sub": (Decimal("0.3"), {"storage": (3, Decimal("0.3"))})}


def test_a_deleted_meter_or_plan_still_prices_what_ended_before(store: DuckDBUnderTest) -> None:
    store.commands.handle(msgspec.structs.replace(plan("disk", PER_GB), effective_at=START))
    subscribe(store, plan="disk")
    store.deliver([disk("1", 3), disk("2", 3, MARCH.end)])
    store.commands.handle(DeleteMeter(*WHO, "gb", effective_at=MARCH.end))
    store.commands.handle(DeletePlan(*WHO, "disk"))

    assert amounts(charges(store)) == {"sub": (Decimal("0.3"), {"storage": (3, Decimal("0.3"))})}
    (april,) = charges(store, MARCH.end).subscriptions
    assert (april.plan, april.charges, april.amount) == (None, (), None)


def test_late_and_voided_events_change_what_a_period_costs(store: DuckDBUnderTest) -> None:
    subscribe(store)
    store.deliver([usage("1"), usage("2")])
    store.commands.handle(VoidUsage(*WHO, "gateway", "1"))
    store.fold()
    before = charges(store)
    store.deliver([usage("3", input_tokens=98_900)])

    assert [amounts(one)["sub"][0] for one in (before, charges(store))] == [Decimal("0.01"), Decimal("1.00")]


def test_a_late_event_restates_what_was_known_at_closing(store: DuckDBUnderTest) -> None:
    store.now = START
    subscribe(store)
    store.deliver([usage("1")])
    store.now = MARCH.end + timedelta(minutes=59)
    store.deliver([usage("within the grace", at=day(20))])
    before = charges(store)
    store.now = APRIL_10
    store.deliver([usage("late", at=day(20))])

    (closed,), (restated,) = before.subscriptions, charges(store).subscriptions
    (open_now,) = charges(store, now=MARCH.end + timedelta(minutes=59)).subscriptions

    assert (closed.at_closing, closed.amount, closed.restated) == (
        AtClosing(MARCH, Decimal("0.02")),
        Decimal("0.02"),
        False,
    )
    assert (restated.at_closing, restated.amount, restated.restated) == (
        AtClosing(MARCH, Decimal("0.02")),
        Decimal("0.03"),
        True,
    )
    assert (open_now.at_closing, open_now.restated) == (None, False)


def test_bounds_that_a_later_fact_moved_are_restated_too(store: DuckDBUnderTest) -> None:
    store.now = START
    subscribe(store)
    store.now = APRIL_10
    store.commands.handle(UpdateSubscription(*WHO, "sub", {"ends_at": "2026-03-21T00:00:00Z"}, effective_at=START))
    subscribe(store, "told later")

    ended, told_later = charges(store).subscriptions

    assert (ended.period, ended.at_closing, ended.restated) == (
        Interval(START, day(21)),
        AtClosing(MARCH, Decimal("0.00")),
        True,
    )
    assert (told_later.at_closing, told_later.restated) == (AtClosing(None, None), True)


def test_the_deletion_of_a_customer_ends_its_subscriptions(store: DuckDBUnderTest) -> None:
    store.commands.handle(CreateCustomer(*WHO, "acme", {}, effective_at=START))
    subscribe(store)
    store.commands.handle(DeleteCustomer(*WHO, "acme", effective_at=day(11)))
    store.deliver([usage("1"), usage("2", at=day(12))])

    (found,) = charges(store).subscriptions

    assert (found.period, found.amount) == (Interval(START, day(11)), Decimal("0.01"))
    assert charges(store, day(12)).subscriptions == ()


def test_one_subscription_is_asked_for_alone_and_one_that_the_customer_never_had_is_not_found(
    store: DuckDBUnderTest,
) -> None:
    subscribe(store, "a")
    subscribe(store, "b")
    subscribe(store, "c", customer="other")
    store.commands.handle(TerminateSubscription(*WHO, "a", effective_at=day(1, 1)))

    assert [*amounts(charges(store, subscription="b"))] == ["b"]
    assert charges(store, day(2), subscription="a").subscriptions == ()
    with pytest.raises(NotFound, match="customer 'acme' has no subscription 'c'"):
        charges(store, subscription="c")


def test_a_charge_with_too_many_groups_is_unknown_and_hides_no_other(
    store: DuckDBUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(values, "GROUPS_MAX", 1)
    store.commands.handle(plan("grouped", PER_TOKEN, {**PER_GB, "group_by": ["region"]}))
    subscribe(store, plan="grouped")
    store.deliver([usage("1"), disk("2", 1, region="eu"), disk("3", 1, region="us")])

    (found,) = charges(store).subscriptions

    assert amounts(charges(store)) == {"sub": (None, {"tokens": (1100, Decimal("0.01")), "storage": (None, None)})}
    assert [one.unknown_because for one in found.charges] == [
        None,
        "group_by must not make more than 1 groups; use fewer names or a shorter range",
    ]


def test_a_customer_with_more_subscriptions_than_can_be_looked_at_is_refused(store: DuckDBUnderTest) -> None:
    for number in range(SUBSCRIPTIONS_MAX + 1):
        fields = {"customer": "acme", "plan": "basic"}
        scope = {"tenant": DEFAULT_SCOPE.tenant, "environment": DEFAULT_SCOPE.environment}
        store.append(SubscriptionCreated, f"s/{number}", **scope, subscription_id=str(number), fields=fields)

    with pytest.raises(InvalidInput, match="must not have had more than 1000 subscriptions"):
        charges(store)


def test_nothing_is_known_of_a_customer_without_usage_or_subscription(store: DuckDBUnderTest) -> None:
    store.fold()
    with store.reads.snapshot() as snapshot:
        assert customer_charges(snapshot, DEFAULT_SCOPE, "nobody", APRIL_10, START, GRACE_SECONDS) is None
