"""What coupons take off the charges of a customer, period after period, and what is left of each."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from domain.coupons.applying import ApplyCoupon, TerminateAppliedCoupon
from domain.coupons.commands import CreateCoupon, DeleteCoupon
from domain.coupons.taking_off import Left
from domain.customers.commands import CreateCustomer, DeleteCustomer
from domain.meters.commands import CreateMeter
from domain.plans.commands import CreatePlan
from domain.scope import DEFAULT_SCOPE
from domain.subscriptions.commands import CreateSubscription, TerminateSubscription
from projections.views.charging.charges import CouponOff, SubscriptionCharges
from projections.views.charging.coupon_amounts import applied_after_bills, charges_after_coupons
from projections.views.charging.coupons import AppliedCoupon
from tests.projections.folded_log import BY_TEST, START, usage
from tests.projections.queries.store_under_test import DuckDBUnderTest

WHO = (DEFAULT_SCOPE, BY_TEST)
JUNE_10 = datetime(2026, 6, 10, tzinfo=UTC)
ONCE: dict[str, Any] = {"currency": "USD", "frequency": "once"}


def first_of(month: int, day: int = 1) -> datetime:
    return datetime(2026, month, day, tzinfo=UTC)


def charge(meter: str) -> dict[str, Any]:
    return {"code": meter, "meter": meter, "price": {"model": "standard", "amount": "1"}}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DuckDBUnderTest]:
    """A store with the plans `basic` (gb and seats) and `yen`; a unit costs 1. `acme` has `basic` from March on."""
    store = DuckDBUnderTest(tmp_path / "store")
    for code in ("gb", "seats"):
        fields = {"event_type": code, "aggregation": "sum", "value_property": "units"}
        store.commands.handle(CreateMeter(*WHO, code, fields))
    for code, currency in (("basic", "USD"), ("yen", "JPY")):
        priced: dict[str, Any] = {
            "interval": "monthly",
            "currency": currency,
            "charges": [charge("gb"), charge("seats")],
        }
        store.commands.handle(CreatePlan(*WHO, code, priced))
    store.commands.handle(CreateSubscription(*WHO, "sub", {"customer": "acme", "plan": "basic"}, effective_at=START))
    store.pass_time(days=100)  # so that events until June are taken
    yield store
    store.close()


def use(store: DuckDBUnderTest, *units: int | str, month: int, meter: str = "gb", subscription: str = "sub") -> None:
    """Use units of a meter on the second days of months, from `month` on."""
    sent = []
    for number, one in enumerate(units):
        event = usage(f"{meter} {subscription} {month + number}", at=first_of(month + number, 2))
        sent.append(event | {"type": meter, "data": {"units": one, "subscription": subscription}})
    store.deliver(sent)


def apply(store: DuckDBUnderTest, code: str, at: datetime = START, **fields: Any) -> None:
    """Define a coupon, and apply it."""
    store.commands.handle(CreateCoupon(*WHO, code, fields))
    store.commands.handle(ApplyCoupon(*WHO, "acme", code=code, effective_at=at))


def periods(store: DuckDBUnderTest, at: datetime, **asked: Any) -> dict[str, SubscriptionCharges]:
    store.fold()
    with store.reads.snapshot() as snapshot:
        found = charges_after_coupons(snapshot, DEFAULT_SCOPE, "acme", JUNE_10, at, 3600, **asked)
    assert found is not None
    return {one.subscription.subscription_id: one for one in found.subscriptions}


def off(store: DuckDBUnderTest, month: int, subscription: str = "sub") -> list[tuple[str, Any]]:
    """What each coupon takes off a month."""
    return [(one.coupon, one.amount) for one in periods(store, first_of(month))[subscription].coupons]


def applied(store: DuckDBUnderTest, now: datetime = JUNE_10, **asked: int) -> list[AppliedCoupon]:
    store.fold()
    with store.reads.snapshot() as snapshot:
        return applied_after_bills(snapshot, DEFAULT_SCOPE, "acme", now, **asked)


def left(store: DuckDBUnderTest, now: datetime = JUNE_10) -> list[tuple[Left, str, datetime | None]]:
    return [(one.left, one.status(now), one.ended_at) for one in applied(store, now)]


def test_without_coupons_nothing_is_taken_off(store: DuckDBUnderTest) -> None:
    use(store, 10, month=3)
    found = periods(store, START)["sub"]
    assert found.coupons == ()
    assert [found.off, found.amount_after_coupons] == [0, 10]


def test_an_amount_is_carried_over_periods_until_it_is_used_up(store: DuckDBUnderTest) -> None:
    use(store, 12, 5, 30, 9, month=3)
    apply(store, "twenty", amount="20", **ONCE)
    assert [off(store, month) for month in (3, 4, 5, 6)] == [[("twenty", 12)], [("twenty", 5)], [("twenty", 3)], []]
    (march,), found = periods(store, START)["sub"].coupons, periods(store, first_of(5))["sub"]
    assert march == CouponOff(1, "twenty", Decimal(12), (("gb", Decimal(12)),), Left(Decimal(8)))
    assert [found.amount, found.off, found.amount_after_coupons] == [30, 3, 27]
    assert left(store) == [(Left(Decimal(0), used_up=True), "terminated", first_of(6))]
    assert left(store, first_of(5)) == [(Left(Decimal(3)), "active", None)]


def test_an_open_period_uses_nothing_up_until_it_has_ended(store: DuckDBUnderTest) -> None:
    use(store, 4, month=6)
    apply(store, "five", amount="5", **ONCE)
    assert off(store, 6) == [("five", 4)]
    assert periods(store, first_of(6))["sub"].coupons[0].left == Left(Decimal(1))
    assert left(store) == [(Left(Decimal(5)), "active", None)]


def test_a_recurring_coupon_counts_the_periods_that_it_takes_something_off(store: DuckDBUnderTest) -> None:
    use(store, 10, 0, 10, 10, month=3)
    apply(store, "half", percentage="50", frequency="recurring", periods=2)
    assert [off(store, month) for month in (3, 4, 5, 6)] == [[("half", 5)], [], [("half", 5)], []]
    assert left(store, first_of(5)) == [(Left(periods=1), "active", None)]
    assert left(store) == [(Left(periods=0, used_up=True), "terminated", first_of(6))]


def test_a_limited_coupon_comes_first_and_takes_something_off_its_charges_alone(store: DuckDBUnderTest) -> None:
    use(store, 10, month=3)
    use(store, 6, month=3, meter="seats")
    apply(store, "tenth", percentage="10", frequency="forever")
    apply(store, "seats", amount="4", currency="USD", frequency="forever", meters=["seats"])
    apply(store, "yen", percentage="50", frequency="forever", plans=["yen"])
    seats, tenth = periods(store, START)["sub"].coupons
    assert (seats.coupon, seats.charges) == ("seats", (("seats", Decimal(4)),))
    assert (tenth.coupon, tenth.amount) == ("tenth", Decimal("1.20"))
    assert tenth.charges == (("gb", Decimal("1.00")), ("seats", Decimal("0.20")))


def test_periods_that_end_together_are_one_bill(store: DuckDBUnderTest) -> None:
    two = CreateSubscription(*WHO, "two", {"customer": "acme", "plan": "basic"}, effective_at=first_of(3, 20))
    store.commands.handle(two)
    use(store, 6, 30, month=3)
    use(store, 10, month=4, subscription="two")
    apply(store, "eight", amount="8", currency="USD", frequency="recurring", periods=2)
    assert off(store, 3) == [("eight", 6)]
    assert (off(store, 4), off(store, 4, "two")) == ([("eight", 6)], [("eight", 2)])
    assert off(store, 5) == []
    assert list(periods(store, first_of(4), subscription_id="two")["two"].coupons) == [
        CouponOff(1, "eight", Decimal(2), (("gb", Decimal(2)),), Left(periods=0, used_up=True))
    ]


def test_a_coupon_holds_at_the_last_instant_of_an_ended_period_or_not_at_all(store: DuckDBUnderTest) -> None:
    use(store, 10, 10, 10, month=3)
    apply(store, "late", first_of(4), amount="3", currency="USD", frequency="forever")
    store.commands.handle(TerminateAppliedCoupon(*WHO, "acme", 1, effective_at=first_of(5, 31)))
    assert [off(store, month) for month in (3, 4, 5)] == [[], [("late", 3)], []]


def test_a_deleted_coupon_takes_nothing_off_periods_that_end_later(store: DuckDBUnderTest) -> None:
    use(store, 10, 10, month=3)
    apply(store, "gone", percentage="10", frequency="forever")
    store.commands.handle(DeleteCoupon(*WHO, "gone", effective_at=first_of(4, 15)))
    assert [off(store, month) for month in (3, 4)] == [[("gone", 1)], []]


def test_the_period_that_ends_with_its_customer_or_subscription_has_its_coupons(store: DuckDBUnderTest) -> None:
    store.commands.handle(CreateCustomer(*WHO, "acme", {}, effective_at=START))
    use(store, 10, 10, month=3)
    apply(store, "tenth", percentage="10", frequency="forever")
    store.commands.handle(TerminateSubscription(*WHO, "sub", effective_at=first_of(4, 15)))
    assert off(store, 4) == [("tenth", 1)]
    store.commands.handle(DeleteCustomer(*WHO, "acme", effective_at=first_of(4, 10), seen_at=START))
    assert off(store, 4) == [("tenth", 1)]
    assert left(store) == [(Left(), "terminated", first_of(4, 10))]


def test_late_usage_moves_what_later_periods_have_left(store: DuckDBUnderTest) -> None:
    use(store, 10, month=4)
    apply(store, "twelve", amount="12", **ONCE)
    assert off(store, 4) == [("twelve", 10)]
    use(store, 7, month=3)
    assert (off(store, 3), off(store, 4)) == ([("twelve", 7)], [("twelve", 5)])


def test_an_amount_in_another_currency_takes_nothing_and_a_percentage_whole_minor_units(store: DuckDBUnderTest) -> None:
    store.commands.handle(TerminateSubscription(*WHO, "sub", effective_at=first_of(3, 2)))
    yen = CreateSubscription(*WHO, "yen", {"customer": "acme", "plan": "yen"}, effective_at=first_of(3, 2))
    store.commands.handle(yen)
    use(store, 250, month=3, subscription="yen")
    apply(store, "dollars", amount="5", **ONCE)
    apply(store, "percent", percentage="7.5", frequency="forever")
    (percent,) = periods(store, first_of(3, 5))["yen"].coupons
    assert (percent.coupon, percent.amount) == ("percent", Decimal(19))
    assert [one.left.amount for one in applied(store)] == [5, None]


def test_what_is_unknown_stays_unknown(store: DuckDBUnderTest) -> None:
    fields = {"interval": "monthly", "currency": "USD", "charges": [charge("gb"), charge("nothing")]}
    store.commands.handle(CreatePlan(*WHO, "odd", fields))
    store.commands.handle(TerminateSubscription(*WHO, "sub", effective_at=first_of(3, 2)))
    odd = CreateSubscription(*WHO, "odd", {"customer": "acme", "plan": "odd"}, effective_at=first_of(3, 2))
    store.commands.handle(odd)
    use(store, 10, month=3, subscription="odd")
    apply(store, "five", amount="5", **ONCE)
    found = periods(store, first_of(3, 5))["odd"]
    assert found.coupons == (CouponOff(1, "five", None, (("gb", None), ("nothing", None)), Left(used_up=None)),)
    assert (found.amount, found.off, found.amount_after_coupons) == (None, None, None)
    assert left(store) == [(Left(used_up=None), "active", None)]


@pytest.mark.parametrize("costs", [("4", None), (None,)])
@pytest.mark.parametrize("terms", [{"amount": "10", "currency": "USD"}, {"percentage": "10"}])
def test_an_amount_without_events_of_unknown_cost_is_not_taken_for_all(
    store: DuckDBUnderTest, costs: tuple[str | None, ...], terms: dict[str, Any]
) -> None:
    fields = {"interval": "monthly", "currency": "USD", "charges": [charge("cost_usd")]}
    store.commands.handle(CreatePlan(*WHO, "resale", fields))
    store.commands.handle(TerminateSubscription(*WHO, "sub", effective_at=START))
    resale = CreateSubscription(*WHO, "resale", {"customer": "acme", "plan": "resale"}, effective_at=START)
    store.commands.handle(resale)
    store.deliver(
        [
            usage(str(number), at=first_of(3, 2), cost_usd=cost, subscription="resale")
            for number, cost in enumerate(costs)
        ]
    )
    apply(store, "once", frequency="once", **terms)
    found = periods(store, START)["resale"]
    assert found.coupons == (CouponOff(1, "once", None, (("cost_usd", None),), Left(used_up=None)),)
    assert (found.off, found.amount_after_coupons) == (None, None)
    assert left(store) == [(Left(used_up=None), "active", None)]


def test_of_too_many_periods_nothing_is_known(store: DuckDBUnderTest) -> None:
    use(store, 10, 10, month=3)
    apply(store, "five", amount="5", **ONCE)
    apply(store, "tenth", percentage="10", frequency="forever", meters=["gb"])
    found = periods(store, first_of(4), periods_max=0)["sub"]
    assert [(one.coupon, one.amount) for one in found.coupons] == [("tenth", None), ("five", None)]
    assert [one.left.used_up for one in applied(store, periods_max=1)] == [None, False]


def test_a_period_of_the_future_has_no_usage_to_take_something_off(store: DuckDBUnderTest) -> None:
    use(store, 10, month=3)
    apply(store, "tenth", percentage="10", frequency="forever")
    assert off(store, 9) == []


def test_bills_that_can_use_nothing_up_are_not_made_again(store: DuckDBUnderTest) -> None:
    use(store, 10, 10, 10, 10, month=3)
    apply(store, "five", amount="5", **ONCE)
    apply(store, "tenth", percentage="10", frequency="forever")
    assert [off(store, month) for month in (3, 5, 6)] == [
        [("five", 5), ("tenth", Decimal("0.50"))],
        [("tenth", 1)],
        [("tenth", 1)],
    ]
