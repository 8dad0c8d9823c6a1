"""Any read store sums the same usage to the same numbers."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain.corrections.commands import RestoreUsage, VoidUsage
from domain.customers.commands import CreateCustomer, UpdateCustomer
from domain.errors import InvalidInput
from domain.scope import DEFAULT_SCOPE
from projections.queries.meters import Aggregation, MeterQuestion, SubscriptionRows
from projections.queries.usage import WINDOWS_MAX, Segment, UsageQuestion, UsageSum, UsageSums
from tests.projections.folded_log import BY_TEST, START, usage
from tests.projections.queries.store_under_test import StoreUnderTest

DAY = Segment(START, START + timedelta(days=1))
MIDDAY = Segment(START - timedelta(hours=12), START + timedelta(hours=12))


def disk(event_id: str, minute: int = 0, customer: str = "acme", **data: Any) -> dict[str, Any]:
    sampled = {"provider": None, "model": None, "input_tokens": None, "output_tokens": None}
    event = usage(event_id, customer, START + timedelta(minutes=minute), **(sampled | data))
    return event | {"type": "disk.sampled"}


@pytest.mark.parametrize("segment", [DAY, MIDDAY])
def test_sums_are_the_same_from_days_and_from_rows(store_under_test: StoreUnderTest, segment: Segment) -> None:
    store = store_under_test
    store.deliver(
        [usage("1", cost_usd="0.1"), usage("2", "beta", parent_request="1"), usage("3", model=None), disk("4", bytes=1)]
    )
    store.fold()
    with store.reads.snapshot() as snapshot:
        assert snapshot.usage(DEFAULT_SCOPE, UsageQuestion((segment,))) == [
            UsageSum(0, (), UsageSums(3, 3000, 0, 0, 300, 0, Decimal("0.1"), cost_unknown_events=1, root_requests=2))
        ]
        by_customer = snapshot.usage(DEFAULT_SCOPE, UsageQuestion((segment,), group_by=("model", "customer")))
        assert [(one.group, one.sums.events) for one in by_customer] == [
            ((None, "acme"), 1),
            (("m-1", "acme"), 1),
            (("m-1", "beta"), 1),
        ]
        every_type = UsageQuestion((segment,), group_by=("type",), event_types=("llm.request", "disk.sampled"))
        assert [(one.group, one.sums.events) for one in snapshot.usage(DEFAULT_SCOPE, every_type)] == [
            (("disk.sampled",), 1),
            (("llm.request",), 3),
        ]


def test_usage_is_told_as_it_was_known_at_a_position(store_under_test: StoreUnderTest) -> None:
    store = store_under_test
    first = store.deliver([usage("1"), usage("2")])
    voided = store.commands.handle(VoidUsage(DEFAULT_SCOPE, BY_TEST, "gateway", "1")).position
    late = store.deliver([usage("3", at=START + timedelta(hours=3))])
    store.fold()
    with store.reads.snapshot() as snapshot:
        known = {
            position: [one.sums.events for one in snapshot.usage(DEFAULT_SCOPE, UsageQuestion((DAY,), as_of=position))]
            for position in (first - 1, first, voided, late, None)
        }
    assert known == {first - 1: [], first: [2], voided: [1], late: [2], None: [2]}


def test_markup_splits_a_customer_at_its_own_changes_within_a_day(store_under_test: StoreUnderTest) -> None:
    store = store_under_test
    noon = START + timedelta(hours=12)
    store.commands.handle(CreateCustomer(DEFAULT_SCOPE, BY_TEST, "acme", {"markup_percentage": "10"}))
    raised = store.commands.handle(
        UpdateCustomer(DEFAULT_SCOPE, BY_TEST, "acme", {"markup_percentage": "20"}, effective_at=noon)
    ).position
    events = [usage("1", cost_usd="1"), usage("2", at=noon, cost_usd="2"), usage("3", "beta", noon, cost_usd="4")]
    store.deliver(events)
    store.fold()

    def marked(customer: str | None = None, as_of: int | None = None) -> list[tuple[int, int]]:
        question = UsageQuestion((DAY,), customer, as_of=as_of, split_markup=True)
        with store.reads.snapshot() as snapshot:
            return [
                (int(one.markup_percentage), int(one.sums.cost_usd)) for one in snapshot.usage(DEFAULT_SCOPE, question)
            ]

    assert marked() == [(0, 4), (10, 1), (20, 2)]
    assert marked("acme") == [(10, 1), (20, 2)]
    assert marked("beta") == [(0, 4)]
    assert marked("acme", as_of=raised) == []


def test_an_event_with_two_tags_counts_in_both_groups_and_one_without_in_none(store_under_test: StoreUnderTest) -> None:
    store = store_under_test
    store.deliver([usage("1", tags=["x", "y", "x"]), usage("2", tags=["x"]), usage("3"), usage("4", tags=[])])
    store.fold()
    with store.reads.snapshot() as snapshot:
        found = snapshot.usage(DEFAULT_SCOPE, UsageQuestion((DAY,), group_by=("tag",)))
    assert [(one.group, one.sums.events) for one in found] == [((None,), 2), (("x",), 2), (("y",), 1)]


@pytest.mark.parametrize("customer", [None, "acme"])
def test_sums_hold_only_what_has_these_properties(store_under_test: StoreUnderTest, customer: str | None) -> None:
    store = store_under_test
    sent = [usage("1", key="k", zone="x"), usage("2", key="k"), usage("3", key="other"), usage("4"), usage("5", "beta")]
    store.deliver(sent)
    store.fold()
    asked: dict[str, tuple[tuple[str, str], ...]]
    asked = {"none": (), "key": (("key", "k"),), "both": (("key", "k"), ("zone", "x")), "model": (("model", "m-1"),)}

    def requests(properties: tuple[tuple[str, str], ...]) -> int:
        with store.reads.snapshot() as snapshot:
            snapshot.customer(DEFAULT_SCOPE, "acme")
            question = UsageQuestion((DAY,), customer, split_markup=True, properties=properties)
            return sum(one.sums.events for one in snapshot.usage(DEFAULT_SCOPE, question))

    everybody = 4 if customer else 5
    assert {name: requests(properties) for name, properties in asked.items()} == {
        "none": everybody,
        "key": 2,
        "both": 1,
        "model": everybody,
    }


def test_too_many_windows_and_unknown_groups_are_refused(store_under_test: StoreUnderTest) -> None:
    second = timedelta(seconds=1)
    many = tuple(Segment(START + n * second, START + (n + 1) * second) for n in range(WINDOWS_MAX + 1))
    store_under_test.deliver([usage("1")])
    store_under_test.fold()
    with store_under_test.reads.snapshot() as snapshot:
        for question in (UsageQuestion(many), UsageQuestion((DAY,), group_by=("id",))):
            with pytest.raises(InvalidInput):
                snapshot.usage(DEFAULT_SCOPE, question)


@pytest.mark.parametrize(
    ("aggregation", "value"),
    [("count", 6), ("sum", Decimal("15.75")), ("max", 10), ("min", "0.25"), ("latest", "0.25"), ("unique_count", 5)],
)
def test_a_meter_aggregates_the_valid_values_of_its_type(
    store_under_test: StoreUnderTest, aggregation: Aggregation, value: str | int | Decimal
) -> None:
    store = store_under_test
    store.deliver(
        [
            disk("1", bytes=5), disk("2", 1, bytes="0.5"), disk("3", 2, bytes=10), disk("4", 3, bytes=0.25),
            disk("5", 4, bytes="many"), disk("6", 5), usage("7", bytes=99),
        ]
    )  # fmt: skip
    store.fold()
    question = MeterQuestion((DAY,), "disk.sampled", aggregation, "bytes")
    with store.reads.snapshot() as snapshot:
        (found,) = snapshot.meter(DEFAULT_SCOPE, question)
    assert found.value == Decimal(value)


def test_a_meter_groups_by_customer_and_property_in_each_segment(store_under_test: StoreUnderTest) -> None:
    store = store_under_test
    store.deliver([disk("1", bytes=1, rack={"row": "r1"}), disk("2", 61, bytes=2), disk("3", 62, "beta", bytes="?")])
    store.fold()
    hours = tuple(Segment(START + n * timedelta(hours=1), START + (n + 1) * timedelta(hours=1)) for n in range(40))
    question = MeterQuestion(hours, "disk.sampled", "max", "bytes", group_by=("customer", "property:rack.row"))
    with store.reads.snapshot() as snapshot:
        found = [(one.segment, one.group, one.value) for one in snapshot.meter(DEFAULT_SCOPE, question)]
    assert found == [(0, ("acme", "r1"), 1), (1, ("acme", None), 2), (1, ("beta", None), None)]


def test_meters_read_the_members_that_became_columns(store_under_test: StoreUnderTest) -> None:
    store = store_under_test
    store.deliver([usage("1", latency_ms=12.5, cost_usd="0.003"), usage("2")])
    store.fold()
    with store.reads.snapshot() as snapshot:
        found = {
            member: snapshot.meter(DEFAULT_SCOPE, MeterQuestion((DAY,), "llm.request", "sum", member))[0].value
            for member in ("latency_ms", "input_tokens", "total_tokens", "cost_usd", "status")
        }
    assert found == {
        "latency_ms": Decimal("12.5"), "input_tokens": 2000, "total_tokens": 2200, "cost_usd": Decimal("0.003"),
        "status": 0,
    }  # fmt: skip


def test_a_meter_of_a_subscription_reads_its_events_and_unnamed_ones_where_it_is_alone(
    store_under_test: StoreUnderTest,
) -> None:
    store = store_under_test
    store.deliver(
        [
            disk("1", 0, bytes=1), disk("2", 30, bytes=10), disk("3", 90, bytes=100),
            disk("4", 91, bytes=1000, subscription="s"), disk("5", 1, bytes=10000, subscription="t"),
            disk("6", 10, bytes="many"),
        ]
    )  # fmt: skip
    store.fold()
    alone = tuple(Segment(START + timedelta(minutes=n), START + timedelta(minutes=n + 20)) for n in (0, 20))
    asked = {
        None: None,
        "s": SubscriptionRows("s", alone),
        "never alone": SubscriptionRows("s"),
        "none": SubscriptionRows("u"),
    }
    with store.reads.snapshot() as snapshot:
        found = {
            name: [
                (one.value, one.events, one.values)
                for one in snapshot.meter(
                    DEFAULT_SCOPE,
                    MeterQuestion(
                        (DAY,),
                        "disk.sampled",
                        "sum",
                        "bytes",
                        "acme",
                        subscription=rows,
                        with_events=True,
                        with_values=True,
                    ),
                )
            ]
            for name, rows in asked.items()
        }
    assert found == {
        None: [(11111, 5, (1, 10000, 10, 100, 1000))],
        "s": [(1011, 3, (1, 10, 1000))],
        "never alone": [(1000, 1, (1000,))],
        "none": [],
    }


def test_a_meter_counts_events_where_each_is_one(store_under_test: StoreUnderTest) -> None:
    store = store_under_test
    store.deliver([disk("1", bytes=1), disk("2")])
    store.fold()
    with store.reads.snapshot() as snapshot:
        (counted,) = snapshot.meter(
            DEFAULT_SCOPE, MeterQuestion((DAY,), "disk.sampled", "count", None, with_events=True)
        )
        (valued,) = snapshot.meter(
            DEFAULT_SCOPE, MeterQuestion((DAY,), "disk.sampled", "max", "bytes", with_events=True)
        )
        (plain,) = snapshot.meter(DEFAULT_SCOPE, MeterQuestion((DAY,), "disk.sampled", "max", "bytes"))
    assert [[one.value, one.events, one.values] for one in (counted, valued, plain)] == [
        [2, 2, None],
        [1, 1, None],
        [1, None, None],
    ]


def test_root_requests_follow_voids_and_restorations(store_under_test: StoreUnderTest) -> None:
    store = store_under_test
    store.deliver([usage("root"), usage("child", parent_request="root"), usage("other child", parent_request="root")])
    found = []
    for correct, event_id in (
        (VoidUsage, "child"),
        (VoidUsage, "root"),
        (RestoreUsage, "child"),
        (RestoreUsage, "root"),
    ):
        store.commands.handle(correct(DEFAULT_SCOPE, BY_TEST, "gateway", event_id))
        store.fold()
        with store.reads.snapshot() as snapshot:
            (one,) = snapshot.usage(DEFAULT_SCOPE, UsageQuestion((DAY,)))
            found.append((one.sums.events, one.sums.root_requests))
    assert found == [(2, 1), (1, 0), (2, 0), (3, 1)]
