"""Any read store returns the same for many customers at once as for each one alone."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.budgets.commands import CreateBudget, UpdateBudget
from domain.customers.commands import BlockCustomer, CreateCustomer, DeleteCustomer, UnblockCustomer, UpdateCustomer
from domain.scope import DEFAULT_SCOPE, Scope
from projections.queries.customers import CustomerSpan, SpanCost, SpanUsage
from projections.queries.usage import Segment, UsageQuestion, UsageSums
from tests.projections.folded_log import BY_TEST, START, usage
from tests.projections.queries.store_under_test import StoreUnderTest

OTHER = Scope("other", "test")
HOURS = st.integers(-80, 80)
LATER = START + timedelta(days=1)


def ids(store: StoreUnderTest, offset: int, limit: int, search: str | None = None) -> list[str]:
    with store.reads.snapshot() as snapshot:
        return [record.customer_id for record in snapshot.customer_page(DEFAULT_SCOPE, LATER, offset, limit, search)]


def test_pages_by_number_leave_out_who_is_deleted(store_under_test: StoreUnderTest) -> None:
    store = store_under_test
    for name in ("a", "B", "c", "d", "e"):
        store.commands.handle(CreateCustomer(DEFAULT_SCOPE, BY_TEST, name))
    store.deliver([usage("1", "f"), usage("2", "c")])
    store.deliver([usage("3", "elsewhere")], scope=OTHER)
    store.pass_time(hours=1)
    for name in ("a", "c", "d"):
        store.commands.handle(DeleteCustomer(DEFAULT_SCOPE, BY_TEST, name))
    store.pass_time(hours=1)
    store.commands.handle(CreateCustomer(DEFAULT_SCOPE, BY_TEST, "d"))
    store.deliver([usage("4", "c", START + timedelta(hours=2))])
    store.fold()
    assert [ids(store, 0, 3), ids(store, 3, 3), ids(store, 6, 3)] == [["B", "c", "d"], ["e", "f"], []]


def test_a_search_looks_into_ids_and_present_names(store_under_test: StoreUnderTest) -> None:
    store = store_under_test
    store.commands.handle(CreateCustomer(DEFAULT_SCOPE, BY_TEST, "one", {"name": "Ähnlich & Söhne"}))
    store.commands.handle(CreateCustomer(DEFAULT_SCOPE, BY_TEST, "two", {"name": "Söhne"}))
    store.commands.handle(UpdateCustomer(DEFAULT_SCOPE, BY_TEST, "two", {"name": None}))
    store.commands.handle(CreateCustomer(DEFAULT_SCOPE, BY_TEST, "x%_", {"email": "one@example.com"}))
    store.fold()
    assert [ids(store, 0, 9, text) for text in ("söhne", "ONE", "%_", "nothing")] == [["one"], ["one"], ["x%_"], []]


def test_blocked_customers_are_listed_until_unblocked(store_under_test: StoreUnderTest) -> None:
    store = store_under_test
    for name in ("b", "a", "never"):
        store.commands.handle(CreateCustomer(DEFAULT_SCOPE, BY_TEST, name))
    for name in ("b", "a"):
        store.commands.handle(BlockCustomer(DEFAULT_SCOPE, BY_TEST, name))
    store.fold()
    store.commands.handle(UnblockCustomer(DEFAULT_SCOPE, BY_TEST, "b"))
    with store.reads.snapshot() as snapshot:
        assert [one.customer_id for one in snapshot.customers_blocked(DEFAULT_SCOPE, LATER, 9)] == ["a", "b"]
        assert [one.customer_id for one in snapshot.customers_blocked(DEFAULT_SCOPE, LATER, 1)] == ["a"]
    store.fold()
    with store.reads.snapshot() as snapshot:
        assert [one.customer_id for one in snapshot.customers_blocked(DEFAULT_SCOPE, LATER, 9)] == ["a"]


def test_budgets_come_in_the_order_in_which_they_were_made(store_under_test: StoreUnderTest) -> None:
    store = store_under_test
    for name in ("z", "m", "a"):
        store.commands.handle(CreateBudget(DEFAULT_SCOPE, BY_TEST, name))
    store.commands.handle(UpdateBudget(DEFAULT_SCOPE, BY_TEST, "z", {"name": "Z"}))
    store.commands.handle(CreateBudget(OTHER, BY_TEST, "elsewhere"))
    store.fold()
    with store.reads.snapshot() as snapshot:
        found = list(snapshot.all_facts(DEFAULT_SCOPE, "budget"))
        assert [name for name, _ in found] == ["z", "m", "a"]
        assert [fact.kind for fact in found[0][1]] == ["budget.created", "budget.updated"]
        assert snapshot.facts_named(DEFAULT_SCOPE, "budget", ["a", "nothing", "elsewhere"]) == {"a": found[-1][1]}
        assert snapshot.facts_named(DEFAULT_SCOPE, "budget", []) == {}
        assert list(snapshot.all_facts(Scope("nobody", "prod"), "budget")) == []


def test_all_budgets_come_with_all_their_facts(store_under_test: StoreUnderTest) -> None:
    store = store_under_test
    names = [f"budget-{number * 7919 % 1_000:03}" for number in range(700)]
    for name in names:
        store.commands.handle(CreateBudget(DEFAULT_SCOPE, BY_TEST, name))
    for name in names:
        store.commands.handle(UpdateBudget(DEFAULT_SCOPE, BY_TEST, name, {"name": name}))
    store.fold()
    with store.reads.snapshot() as snapshot:
        found = list(snapshot.all_facts(DEFAULT_SCOPE, "budget"))
        assert [name for name, _ in found] == names
        assert [facts[1].fields for _, facts in found] == [{"name": name} for name in names]
        assert snapshot.facts(DEFAULT_SCOPE, "budget", names[0]) == found[0][1], (
            "the snapshot can be asked something else afterwards"
        )


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    events=st.lists(st.tuples(st.sampled_from("abc"), HOURS, st.integers(0, 999)), min_size=1, max_size=12),
    spans=st.lists(st.tuples(st.sampled_from("abcd"), HOURS, st.integers(1, 100), st.booleans()), max_size=6),
    batch=st.uuids(),
)
def test_the_usage_of_many_spans_is_that_of_each(
    store_under_test: StoreUnderTest,
    events: list[tuple[str, int, int]],
    spans: list[tuple[str, int, int, bool]],
    batch: object,
) -> None:
    store = store_under_test
    store.deliver(
        [
            usage(
                f"{batch}-{number}",
                customer,
                START - timedelta(hours=hours + 90),
                cost_usd=str(Decimal(cost) / 1000) if cost % 5 else None,
                parent_request="root" if cost % 3 else None,
            )
            for number, (customer, hours, cost) in enumerate(events)
        ]
    )
    store.fold()

    def begin(hours: int, at_midnight: bool) -> datetime:
        instant = START - timedelta(hours=hours + 90)
        return instant.replace(hour=0, minute=0, second=0, microsecond=0) if at_midnight else instant

    asked = [
        CustomerSpan(
            customer, begin(hours, whole), begin(hours, whole) + timedelta(hours=24 * length if whole else length)
        )
        for customer, hours, length, whole in spans
    ]
    with store.reads.snapshot() as snapshot:
        each = [
            snapshot.usage(DEFAULT_SCOPE, UsageQuestion((Segment(span.start, span.end),), span.customer_id))
            for span in asked
        ]
        sums = [one[0].sums if one else UsageSums() for one in each]
        assert snapshot.costs_of(DEFAULT_SCOPE, asked) == [
            SpanCost(one.cost_usd, one.cost_unknown_events) for one in sums
        ]
        usage_of_spans = snapshot.usage_of_spans(DEFAULT_SCOPE, asked)
        assert usage_of_spans == [SpanUsage(one.cost_usd, one.root_requests, one.cost_unknown_events) for one in sums]
        assert snapshot.costs_of(OTHER, asked) == [SpanCost()] * len(asked)
        assert snapshot.usage_of_spans(OTHER, asked) == [SpanUsage()] * len(asked)
