"""Any read store lists customers by profile and usage as a plain computation over their records does."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, get_args

import pytest

from domain.corrections.commands import VoidUsage
from domain.customers.commands import CreateCustomer, DeleteCustomer, UpdateCustomer
from domain.scope import DEFAULT_SCOPE, Scope
from projections.queries.customer_list import (
    AnyCondition,
    Comparison,
    CustomerCondition,
    CustomerField,
    CustomerListQuestion,
    UsageTotals,
)
from tests.projections.folded_log import BY_TEST, START, usage
from tests.projections.queries.store_under_test import StoreUnderTest

NOW = START + timedelta(days=40)
OTHER = Scope("other", "test")


def hours(count: float) -> datetime:
    return START + timedelta(hours=count)


@pytest.fixture
def store(store_under_test: StoreUnderTest) -> StoreUnderTest:
    """ann: two days of usage, a markup in between. Bo: usage of an earlier life too. cy%: a profile alone. dee: usage
    alone, some of it voided. gone: deleted."""
    store = store_under_test
    handle = store.commands.handle
    store.deliver(
        [
            usage("1", "ann", hours(0), cost_usd="10", latency_ms=100, ttft_ms=10, input_tokens=5, output_tokens=1),
            usage("2", "Bo", hours(1), cost_usd="100"),
            usage("3", "dee", hours(2), cost_usd="7", input_tokens=1, output_tokens=1),
            usage("4", "dee", hours(50), cost_usd="50", input_tokens=1, output_tokens=1),
            usage("5", "gone", hours(3), cost_usd="1000"),
            usage("6", "ann", hours(0)) | {"type": "disk.sampled"},
        ]
    )
    store.deliver([usage("7", "elsewhere", hours(0), cost_usd="3")], scope=OTHER)
    profile: dict[str, Any] = {"name": "Ann", "markup_percentage": "50"}
    profile["metadata"] = {"plan": "pro", "seats": 12, "a/b~": {"c": 1}}
    handle(UpdateCustomer(DEFAULT_SCOPE, BY_TEST, "ann", effective_at=hours(4), seen_at=hours(0), changes=profile))
    handle(UpdateCustomer(DEFAULT_SCOPE, BY_TEST, "ann", effective_at=hours(5), changes={"metadata": {"plan": None}}))
    handle(CreateCustomer(DEFAULT_SCOPE, BY_TEST, "cy%", effective_at=hours(6), fields={
        "name": "Ännchen", "email": "cy@example.com", "metadata": {"plan": "Free_%"}}))  # fmt: skip
    store.pass_time(hours=30)
    handle(DeleteCustomer(DEFAULT_SCOPE, BY_TEST, "gone", seen_at=hours(3), effective_at=hours(20)))
    handle(DeleteCustomer(DEFAULT_SCOPE, BY_TEST, "Bo", seen_at=hours(1), effective_at=hours(20)))
    store.deliver(
        [
            usage("8", "ann", hours(25), cost_usd="4", latency_ms=300, input_tokens=5, output_tokens=1,
                  cached_input_tokens=2),
            usage("9", "Bo", hours(26), cost_usd="1", input_tokens=100, output_tokens=0),
        ]
    )  # fmt: skip
    handle(VoidUsage(DEFAULT_SCOPE, BY_TEST, "gateway", "4"))
    store.fold()
    return store


def listed(store: StoreUnderTest, *conditions: CustomerCondition | AnyCondition, order: CustomerField = "customer_id",
           descending: bool = False, offset: int = 0, limit: int = 9) -> list[str]:  # fmt: skip
    question = CustomerListQuestion(NOW, conditions, order, descending)
    with store.reads.snapshot() as snapshot:
        shown = [one.customer_id for one in snapshot.customer_list(DEFAULT_SCOPE, question, offset, limit)]
        count = snapshot.customer_count(DEFAULT_SCOPE, question)
        assert count == len(snapshot.customer_list(DEFAULT_SCOPE, question, 0, 1_000)) >= len(shown)
        return shown


def where(field: str, comparison: Comparison, *values: Any, negated: bool = False) -> CustomerCondition:
    return CustomerCondition(field, comparison, values, negated)


ORDERS: dict[CustomerField, Sequence[str]] = {
    "customer_id": ["Bo", "ann", "cy%", "dee"],
    "name": ["ann", "cy%", "Bo", "dee"],
    "email": ["cy%", "Bo", "ann", "dee"],
    "currency": ["Bo", "ann", "cy%", "dee"],
    "created_position": ["Bo", "ann", "dee", "cy%"],
    "first_seen_at": ["ann", "dee", "cy%", "Bo"],
    "last_seen_at": ["dee", "ann", "Bo", "cy%"],
    "active_days": ["cy%", "Bo", "dee", "ann"],
    "requests": ["cy%", "Bo", "dee", "ann"],
    "input_tokens": ["cy%", "dee", "ann", "Bo"],
    "output_tokens": ["Bo", "cy%", "dee", "ann"],
    "total_tokens": ["cy%", "dee", "ann", "Bo"],
    "reported_cost_usd": ["cy%", "Bo", "dee", "ann"],
    "average_latency": ["ann", "Bo", "cy%", "dee"],
    "average_ttft": ["ann", "Bo", "cy%", "dee"],
}
#: How many customers have no such value; they come last in both directions.
UNSET = {"name": 2, "email": 3, "currency": 4, "last_seen_at": 1, "average_latency": 3, "average_ttft": 3}
#: Values that several customers share, which are then in the order of their ids in both directions.
EQUAL: dict[str, tuple[str, ...]] = {
    "active_days": ("Bo", "dee"),
    "requests": ("Bo", "dee"),
    "output_tokens": ("Bo", "cy%"),
    "created_position": ("Bo", "ann", "dee"),
}


def test_a_list_is_in_order_both_ways_with_what_is_not_set_last(store: StoreUnderTest) -> None:
    for order in get_args(CustomerField):
        ascending = ORDERS[order]
        known = len(ascending) - UNSET.get(order, 0)
        descending = [*ascending[:known][::-1], *ascending[known:]]
        equal = EQUAL.get(order, ())
        for place, name in zip(sorted(descending.index(name) for name in equal), equal, strict=True):
            descending[place] = name
        assert listed(store, order=order) == ascending, order
        assert listed(store, order=order, descending=True) == descending, order
        pages = [listed(store, order=order, offset=offset, limit=2) for offset in (0, 2, 4)]
        assert pages == [ascending[:2], ascending[2:], []], order


CONDITIONS: list[tuple[CustomerCondition, list[str]]] = [
    (where("customer_id", "equal", "ann", "Bo"), ["Bo", "ann"]),
    (where("customer_id", "equal", "ann", negated=True), ["Bo", "cy%", "dee"]),
    (where("customer_id", "equal_ignoring_case", "BO"), ["Bo"]),
    (where("customer_id", "less", "b"), ["Bo", "ann"]),
    (where("customer_id", "contains", "%"), ["cy%"]),
    (where("customer_id", "starts_with", "_"), []),
    (where("name", "contains_ignoring_case", "änn"), ["cy%"]),
    (where("name", "contains", "nn"), ["ann", "cy%"]),
    (where("name", "contains", "nn", negated=True), ["Bo", "dee"]),
    (where("name", "ends_with", "chen"), ["cy%"]),
    (where("name", "is_null"), ["Bo", "dee"]),
    (where("name", "is_empty", negated=True), ["ann", "cy%"]),
    (where("email", "equal", "cy@example.com", negated=True), ["Bo", "ann", "dee"]),
    (where("metadata:plan", "equal", "Free_%"), ["cy%"]),
    (where("metadata:plan", "is_null"), ["Bo", "ann", "dee"]),
    (where("metadata:seats", "greater_or_equal", Decimal(9)), ["ann"]),
    (where("metadata:seats", "less", Decimal(9)), []),
    (where("metadata:seats", "equal", "12"), ["ann"]),
    (where("metadata:a/b~", "is_null", negated=True), ["ann"]),
    (where("metadata:'); --", "is_null", negated=True), []),
    (where("requests", "greater", Decimal(1)), ["ann"]),
    (where("requests", "equal", Decimal(0), Decimal(2)), ["ann", "cy%"]),
    (where("total_tokens", "less_or_equal", Decimal(2)), ["cy%", "dee"]),
    (where("reported_cost_usd", "equal", Decimal("16")), ["ann"]),
    (where("reported_cost_usd", "greater_or_equal", Decimal("7")), ["ann", "dee"]),
    (where("active_days", "equal", Decimal(2)), ["ann"]),
    (where("average_latency", "equal", Decimal("0.2")), ["ann"]),
    (where("average_ttft", "is_null"), ["Bo", "cy%", "dee"]),
    (where("first_seen_at", "less", hours(3)), ["ann", "dee"]),
    (where("last_seen_at", "greater_or_equal", hours(25)), ["Bo", "ann"]),
]


def test_a_list_has_who_fulfils_a_condition(store: StoreUnderTest) -> None:
    for condition, expected in CONDITIONS:
        assert listed(store, condition) == expected, condition


def test_all_conditions_have_to_hold(store: StoreUnderTest) -> None:
    conditions = (where("customer_id", "equal", "ann", "dee"), where("reported_cost_usd", "less", Decimal(10)))
    assert listed(store, *conditions) == ["dee"]


def test_totals_are_those_of_the_present_life(store: StoreUnderTest) -> None:
    with store.reads.snapshot() as snapshot:
        found = snapshot.usage_totals(DEFAULT_SCOPE, ["dee", "nobody", "Bo", "ann", "gone", "elsewhere"])
    assert found == [
        UsageTotals(1, 1, 1, 0, 1, hours(2), hours(2)),
        UsageTotals(),
        UsageTotals(1, 100, 0, 0, 1, hours(26), hours(26)),
        UsageTotals(2, 10, 2, 1, 2, hours(0), hours(25), 200_000.0, 10_000.0),
        UsageTotals(),
        UsageTotals(),
    ]


def test_requests_are_those_without_a_parent_from_days_and_from_rows(store_under_test: StoreUnderTest) -> None:
    store = store_under_test
    for name in ("of days", "of rows"):
        children = [usage(f"{name} {n}", name, hours(n), cached_input_tokens=1, parent_request="root") for n in (1, 2)]
        store.deliver([usage(f"{name} root", name, hours(0), cached_input_tokens=1), *children])
    store.deliver([usage("of three", "of three", hours(n)) | {"id": f"of three {n}"} for n in range(3)])
    store.commands.handle(
        UpdateCustomer(
            DEFAULT_SCOPE,
            BY_TEST,
            "of rows",
            effective_at=hours(4),
            seen_at=hours(0),
            changes={"markup_percentage": "5"},
        )
    )
    store.fold()
    assert listed(store, where("requests", "equal", Decimal(1))) == ["of days", "of rows"]
    assert listed(store, order="requests", descending=True) == ["of three", "of days", "of rows"]
    with store.reads.snapshot() as snapshot:
        found = snapshot.usage_totals(DEFAULT_SCOPE, ["of days", "of rows"])
    assert found == [UsageTotals(1, 3000, 300, 1, 1, hours(0), hours(2))] * 2


def test_one_of_several_conditions_is_enough(store: StoreUnderTest) -> None:
    named = AnyCondition((where("name", "contains_ignoring_case", "ANN"), where("customer_id", "equal", "dee")))
    assert listed(store, named) == ["ann", "dee"]
    assert listed(store, named, where("name", "is_null")) == ["dee"]
    assert listed(store, AnyCondition(())) == []


def test_what_only_a_dialect_knows_is_found_as_the_last_change_leaves_it(store: StoreUnderTest) -> None:
    def keep(customer: str, replaced: bool = False, **maps: Any) -> None:
        kept = frozenset(maps) if replaced else frozenset()
        store.commands.handle(
            UpdateCustomer(DEFAULT_SCOPE, BY_TEST, customer, seen_at=hours(26), changes=maps, replaced=kept)
        )

    keep("ann", personal_dialect_fields={"lago": {"city": "Paris", "a.b/c~": "x"}}, dialect_fields={"lago": {"n": 1}})
    keep("ann", personal_dialect_fields={"other": {"city": "Rome"}, "lago": {"country": "FR"}})
    keep("dee", personal_dialect_fields={"lago": {"city": "Rome"}})
    keep("dee", personal_dialect_fields={"lago": {"city": None}})
    keep("Bo", personal_dialect_fields={"lago": {"city": "Oslo"}})
    keep("Bo", personal_dialect_fields={"lago": {"country": "NO"}}, replaced=True)
    store.fold()
    city, plain = "personal_dialect_fields:lago/city", "dialect_fields:lago/city"
    assert listed(store, where(city, "equal", "Paris", "Rome", "Oslo")) == ["ann"]
    assert listed(store, where(city, "is_null")) == ["Bo", "cy%", "dee"]
    assert listed(store, where(plain, "is_null", negated=True)) == []
    assert listed(store, where("personal_dialect_fields:lago/a.b/c~", "equal", "x")) == ["ann"]
    assert listed(store, where("personal_dialect_fields:other/city", "equal", "Rome")) == ["ann"]
    assert listed(store, where("dialect_fields:lago/n", "equal", "1")) == ["ann"]


def test_customers_are_in_the_order_of_their_creation(store: StoreUnderTest) -> None:
    assert listed(store, order="created_position") == ["Bo", "ann", "dee", "cy%"]
    store.commands.handle(CreateCustomer(DEFAULT_SCOPE, BY_TEST, "Bo", fields={"currency": "EUR"}))
    store.commands.handle(DeleteCustomer(DEFAULT_SCOPE, BY_TEST, "cy%"))
    store.pass_time(hours=1)
    store.commands.handle(CreateCustomer(DEFAULT_SCOPE, BY_TEST, "cy%", fields={"currency": "USD"}))
    store.fold()
    assert listed(store, order="created_position", descending=True) == ["cy%", "Bo", "ann", "dee"]
    assert listed(store, where("currency", "equal", "EUR", "USD"), order="created_position") == ["Bo", "cy%"]


def test_without_its_own_customers_a_scope_lists_nobody(store: StoreUnderTest) -> None:
    question = CustomerListQuestion(NOW)
    with store.reads.snapshot() as snapshot:
        assert snapshot.customer_list(Scope("nobody", "prod"), question, 0, 9) == []
        assert snapshot.customer_count(Scope("nobody", "prod"), question) == 0
        assert [one.customer_id for one in snapshot.customer_list(OTHER, question, 0, 9)] == ["elsewhere"]
