"""Any read store sums units without a member of their own, and only what holds at the position that is asked for."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from domain.corrections.commands import RestoreUsage, VoidUsage
from domain.customers.commands import CreateCustomer, UpdateCustomer
from domain.scope import DEFAULT_SCOPE
from projections.queries.usage import Segment, UsageQuestion
from tests.projections.folded_log import BY_TEST, START, usage
from tests.projections.queries.store_under_test import StoreUnderTest

DAY = Segment(START, START + timedelta(days=1))
EDGE = Segment(START - timedelta(hours=1), START + timedelta(hours=1))
Found = list[tuple[int, tuple[str | None, ...], dict[str, Decimal]]]


def units(store: StoreUnderTest, question: UsageQuestion, at: int | None = None) -> Found:
    """(segment, group, units) of each sum; `at`: asked of a snapshot as of this position."""
    with store.reads.snapshot() as snapshot:
        asked = snapshot if at is None else snapshot.as_of(at)
        return [(one.segment, one.group, dict(one.sums.units)) for one in asked.usage(DEFAULT_SCOPE, question)]


def asked(
    *segments: Segment, customer: str | None = None, by: tuple[str, ...] = (), as_of: int | None = None
) -> UsageQuestion:
    return UsageQuestion(segments, customer, by, as_of=as_of, with_units=True)


@pytest.mark.parametrize("segment", [DAY, EDGE])
@pytest.mark.parametrize("customer", [None, "acme"])
def test_units_are_summed_by_group_in_whole_days_and_in_parts_of_days(
    store_under_test: StoreUnderTest, segment: Segment, customer: str | None
) -> None:
    store = store_under_test
    sent = [
        usage("1", web_searches=2, units={"own": 0.5}, tags=["x", "y"]),
        usage("2", web_searches=3, model="m-2", tags=["x"]),
        usage("3", model="m-2"),
    ]
    store.deliver([*sent, usage("4", at=START - timedelta(days=3), web_searches=40)])
    store.fold()
    whole = {"web_searches": Decimal(5), "own": Decimal("0.5")}
    assert units(store, asked(segment, customer=customer)) == [(0, (), whole)]
    assert units(store, asked(segment, customer=customer, by=("model",))) == [
        (0, ("m-1",), {"web_searches": Decimal(2), "own": Decimal("0.5")}),
        (0, ("m-2",), {"web_searches": Decimal(3)}),
    ]
    assert units(store, asked(segment, customer=customer, by=("tag",))) == [
        (0, (None,), {}),
        (0, ("x",), whole),
        (0, ("y",), {"web_searches": Decimal(2), "own": Decimal("0.5")}),
    ]
    assert units(store, UsageQuestion((segment,), customer)) == [(0, (), {})]


def test_units_of_other_customers_and_windows_are_apart(store_under_test: StoreUnderTest) -> None:
    store = store_under_test
    earlier = START - timedelta(days=1, hours=1)
    store.deliver([usage("1", web_searches=2), usage("2", "beta", earlier, web_searches=1), usage("3", "gamma")])
    store.fold()
    both = (Segment(earlier, earlier + timedelta(hours=2)), DAY)
    assert units(store, asked(*both, by=("customer",))) == [
        (0, ("beta",), {"web_searches": Decimal(1)}),
        (1, ("acme",), {"web_searches": Decimal(2)}),
        (1, ("gamma",), {}),
    ]
    assert units(store, asked(*both, customer="beta")) == [(0, (), {"web_searches": Decimal(1)})]
    assert units(store, asked(*both, customer="gamma")) == [(1, (), {})]


def test_units_are_told_as_they_were_known_at_a_position_through_voids_and_restores(
    store_under_test: StoreUnderTest,
) -> None:
    store = store_under_test
    first = store.deliver([usage("1", web_searches=2), usage("2", web_searches=40)])
    voided = store.commands.handle(VoidUsage(DEFAULT_SCOPE, BY_TEST, "gateway", "1")).position
    restored = store.commands.handle(RestoreUsage(DEFAULT_SCOPE, BY_TEST, "gateway", "1")).position
    late = store.deliver([usage("3", web_searches=100)])
    last = store.commands.handle(VoidUsage(DEFAULT_SCOPE, BY_TEST, "gateway", "2")).position
    store.fold()
    expected = {first: 42, voided: 40, restored: 42, late: 142, last: 102}
    for position, total in expected.items():
        found = [(0, (), {"web_searches": Decimal(total)})]
        for segment in (DAY, EDGE):
            assert units(store, asked(segment, as_of=position)) == found
            assert units(store, asked(segment), at=position) == found
    assert units(store, asked(DAY)) == [(0, (), {"web_searches": Decimal(102)})]


def test_units_have_no_markup_and_are_in_one_of_the_sums_that_it_splits(store_under_test: StoreUnderTest) -> None:
    store = store_under_test
    noon = START + timedelta(hours=12)
    store.commands.handle(CreateCustomer(DEFAULT_SCOPE, BY_TEST, "acme", {"markup_percentage": "10"}))
    raised = UpdateCustomer(DEFAULT_SCOPE, BY_TEST, "acme", {"markup_percentage": "20"}, effective_at=noon)
    store.commands.handle(raised)
    store.deliver([usage("1", web_searches=2), usage("2", at=noon, web_searches=3)])
    store.fold()
    for customer in (None, "acme"):
        split = UsageQuestion((DAY,), customer, split_markup=True, with_units=True)
        assert units(store, split) == [(0, (), {"web_searches": Decimal(5)}), (0, (), {})]


def test_usage_that_comes_after_a_read_without_units_is_in_the_next(store_under_test: StoreUnderTest) -> None:
    store = store_under_test
    store.deliver([usage("1")])
    store.fold()
    assert units(store, asked(DAY, customer="acme")) == [(0, (), {})]
    store.deliver([usage("2", web_searches=7)])
    store.fold()
    assert units(store, asked(DAY, customer="acme")) == [(0, (), {"web_searches": Decimal(7)})]


def test_units_of_an_event_that_arrived_voided_are_summed_once_it_is_restored(store_under_test: StoreUnderTest) -> None:
    store = store_under_test
    store.commands.handle(VoidUsage(DEFAULT_SCOPE, BY_TEST, "gateway", "1"))
    store.deliver([usage("1", web_searches=2)])
    store.fold()
    assert units(store, asked(DAY, customer="acme")) == []
    store.commands.handle(RestoreUsage(DEFAULT_SCOPE, BY_TEST, "gateway", "1"))
    store.fold()
    for customer in (None, "acme"):
        assert units(store, asked(DAY, customer=customer)) == [(0, (), {"web_searches": Decimal(2)})]
