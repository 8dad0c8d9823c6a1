"""Any read store returns the same customers, budgets, meters, API keys and prices."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from domain.api_keys.commands import IssueApiKey, RevokeApiKey
from domain.budgets.commands import CreateBudget
from domain.corrections.commands import VoidUsage
from domain.customers.commands import CreateCustomer, DeactivateCustomer, DeleteCustomer
from domain.customers.derived_id import derived_id
from domain.errors import InvalidInput
from domain.meters.commands import CreateMeter
from domain.prices.commands import SetPrice
from domain.prices.own_price import OwnPrice, checked_price_list
from domain.prices.schedule import UnitPrices
from domain.scope import DEFAULT_SCOPE, Scope
from projections.queries.facts import Fact
from projections.queries.prices import PriceCursor
from projections.queries.snapshot import PAGE_ROWS_MAX
from tests.projections.folded_log import BY_TEST, START, usage
from tests.projections.queries.store_under_test import StoreUnderTest

OTHER = Scope("other", "test")


def test_a_customer_is_known_by_its_facts_and_by_its_usage(store_under_test: StoreUnderTest) -> None:
    store = store_under_test
    first = store.deliver([usage("1", at=START - timedelta(hours=2)), usage("2", at=START - timedelta(hours=5))])
    store.commands.handle(CreateCustomer(DEFAULT_SCOPE, BY_TEST, "acme", {"name": "Acme", "markup_percentage": "5"}))
    store.fold()
    with store.reads.snapshot() as snapshot:
        record = snapshot.customer(DEFAULT_SCOPE, "acme")
        assert record is not None
        assert (record.first_position, record.first_event_at, record.last_event_at) == (
            first,
            START - timedelta(hours=5),
            START - timedelta(hours=2),
        )
        assert record.facts == (
            Fact(
                first + 1, START, START, "customer.created", {"markup_percentage": "5", "name": "Acme"}, "test",
                "native",
                None,
            ),
        )  # fmt: skip
        assert snapshot.customer(DEFAULT_SCOPE, "nobody") is None
        assert snapshot.customer(OTHER, "acme") is None


def test_the_first_event_ever_is_told_of_what_was_taken_away_too(store_under_test: StoreUnderTest) -> None:
    store = store_under_test
    store.commands.handle(CreateCustomer(DEFAULT_SCOPE, BY_TEST, "idle"))
    store.commands.handle(VoidUsage(DEFAULT_SCOPE, BY_TEST, "gateway", "0"))
    store.deliver([usage(str(number), at=START - timedelta(hours=9 - number)) for number in range(4)])
    before = store.deliver([usage("4", "beta", at=START - timedelta(hours=1))])
    store.commands.handle(VoidUsage(DEFAULT_SCOPE, BY_TEST, "gateway", "1"))
    store.fold()
    with store.reads.snapshot() as snapshot:
        found = {
            name: [one.first_event_ever(DEFAULT_SCOPE, name) for one in (snapshot, snapshot.as_of(before - 1))]
            for name in ("acme", "beta", "idle", "nobody")
        }
    first = START - timedelta(hours=8)  # event 0 never counted, as its void came before it
    assert found == {
        "acme": [first, first], "beta": [START - timedelta(hours=1), None], "idle": [None, None],
        "nobody": [None, None],
    }  # fmt: skip


def test_customers_come_in_pages_by_their_bytes(store_under_test: StoreUnderTest) -> None:
    store = store_under_test
    names = ["b", "Z", "é", "a/1", "a/2", "𝄞"]
    store.deliver([usage(str(number), name) for number, name in enumerate(names)])
    store.deliver([usage("x", "elsewhere")], scope=OTHER)
    store.fold()
    with store.reads.snapshot() as snapshot:
        first = [record.customer_id for record in snapshot.customers(DEFAULT_SCOPE, None, 4)]
        rest = [record.customer_id for record in snapshot.customers(DEFAULT_SCOPE, first[-1], 4)]
        prefixed = [record.customer_id for record in snapshot.customers(DEFAULT_SCOPE, None, 9, prefix="a/")]
    assert (first, rest, prefixed) == (["Z", "a/1", "a/2", "b"], ["é", "𝄞"], ["a/1", "a/2"])


def test_a_page_has_a_bound(store_under_test: StoreUnderTest) -> None:
    with store_under_test.reads.snapshot() as snapshot, pytest.raises(InvalidInput, match="limit"):
        snapshot.customers(DEFAULT_SCOPE, None, PAGE_ROWS_MAX + 1)


def test_customers_ever_deactivated_come_with_all_their_facts(store_under_test: StoreUnderTest) -> None:
    store = store_under_test
    for name in ("on", "off"):
        store.commands.handle(CreateCustomer(DEFAULT_SCOPE, BY_TEST, name))
    store.commands.handle(DeactivateCustomer(DEFAULT_SCOPE, BY_TEST, "off"))
    store.fold()
    with store.reads.snapshot() as snapshot:
        told = snapshot.customers_ever_deactivated(DEFAULT_SCOPE)
    assert [(record.customer_id, [fact.kind for fact in record.facts]) for record in told] == [
        ("off", ["customer.created", "customer.deactivated"])
    ]


def test_deletions_are_told_by_customer(store_under_test: StoreUnderTest) -> None:
    store = store_under_test
    first, second = START + timedelta(hours=1), START + timedelta(hours=2)
    store.pass_time(days=1)
    for at, names in ((first, ("twice", "once")), (second, ("twice",))):
        for name in names:
            store.commands.handle(CreateCustomer(DEFAULT_SCOPE, BY_TEST, name, effective_at=at - timedelta(minutes=1)))
            store.commands.handle(DeleteCustomer(DEFAULT_SCOPE, BY_TEST, name, effective_at=at))
    store.commands.handle(CreateCustomer(DEFAULT_SCOPE, BY_TEST, "never"))
    store.fold()
    with store.reads.snapshot() as snapshot:
        assert snapshot.customer_deletions(DEFAULT_SCOPE, ["once", "never", "unknown"]) == {"once": [first]}
        assert snapshot.customer_deletions(DEFAULT_SCOPE, None) == {"twice": [first, second], "once": [first]}
        assert snapshot.customer_deletions(Scope("other", "prod"), None) == {}


def test_a_snapshot_stays_at_its_position_while_the_fold_goes_on(store_under_test: StoreUnderTest) -> None:
    store = store_under_test
    store.deliver([usage("1", "early")])
    store.fold()
    with store.reads.snapshot() as before:
        position = before.point().position
        store.deliver([usage("2", "late")])
        store.fold()
        assert before.customer(DEFAULT_SCOPE, "late") is None
        assert before.point().position == position
    with store.reads.snapshot() as after:
        assert after.customer(DEFAULT_SCOPE, "late") is not None


def test_a_position_is_found_by_recorded_time(store_under_test: StoreUnderTest) -> None:
    store = store_under_test
    store.pass_time(hours=1)
    second = store.deliver([usage("1")])
    store.pass_time(hours=1)
    third = store.deliver([usage("2")])
    store.fold()
    with store.reads.snapshot() as snapshot:
        assert snapshot.position_at(START) == 0
        assert snapshot.position_at(START + timedelta(hours=1)) == second - 1
        assert snapshot.position_at(START + timedelta(hours=2)) == second
        assert snapshot.position_at(START + timedelta(days=9)) == third
        assert (snapshot.point().position, snapshot.point().recorded_at) == (third, START + timedelta(hours=2))


def test_budgets_and_meters_return_their_facts(store_under_test: StoreUnderTest) -> None:
    store = store_under_test
    for name in ("silver", "gold"):
        store.commands.handle(CreateBudget(DEFAULT_SCOPE, BY_TEST, name, {"period_limit_usd": "5"}))
    meter = {"event_type": "disk.sampled", "aggregation": "max", "value_property": "bytes"}
    store.commands.handle(CreateMeter(DEFAULT_SCOPE, BY_TEST, "disk", meter))
    store.fold()
    with store.reads.snapshot() as snapshot:
        assert snapshot.ids(DEFAULT_SCOPE, "budget", None, 9) == ["gold", "silver"]
        assert snapshot.ids(DEFAULT_SCOPE, "budget", "gold", 9) == ["silver"]
        assert [fact.fields["period_limit_usd"] for fact in snapshot.facts(DEFAULT_SCOPE, "budget", "gold")] == ["5"]
        assert snapshot.ids(DEFAULT_SCOPE, "meter", None, 9) == ["disk"]
        assert [fact.kind for fact in snapshot.facts(DEFAULT_SCOPE, "meter", "disk")] == ["meter.created"]
        assert snapshot.ids(OTHER, "meter", None, 9) == []


def test_keys_belong_to_a_scope_and_stay_when_revoked(store_under_test: StoreUnderTest) -> None:
    store = store_under_test
    key = store.commands.handle(IssueApiKey(DEFAULT_SCOPE, BY_TEST, ("read", "ingest"), name="gateway"))
    store.commands.handle(IssueApiKey(OTHER, BY_TEST, ("admin",)))
    store.pass_time(minutes=1)
    store.commands.handle(RevokeApiKey(DEFAULT_SCOPE, BY_TEST, key.state.key_id))
    store.fold()
    with store.reads.snapshot() as snapshot:
        (mine,) = snapshot.api_keys(DEFAULT_SCOPE)
        assert (mine.key_id, mine.scope, sorted(mine.scopes), mine.name) == (
            key.state.key_id,
            DEFAULT_SCOPE,
            ["ingest", "read"],
            "gateway",
        )
        assert (mine.issued_at, mine.revoked_at) == (START, START + timedelta(minutes=1))
        assert [one.scope for one in snapshot.all_api_keys()] == [DEFAULT_SCOPE, OTHER]
        assert snapshot.scopes() == [DEFAULT_SCOPE, OTHER]


def test_prices_of_a_scope_are_visible_to_it_alone(store_under_test: StoreUnderTest) -> None:
    store = store_under_test
    version = OwnPrice(START, UnitPrices(Decimal("2.5"), Decimal("10.000000000001")))
    store.commands.handle(SetPrice(DEFAULT_SCOPE, BY_TEST, "nowhere", "m-1", version))
    store.commands.handle(SetPrice(OTHER, BY_TEST, "nowhere", "m-2", version))
    store.fold()
    with store.reads.snapshot() as snapshot:
        (mine,) = snapshot.prices(DEFAULT_SCOPE, None, None, None, 9)
        assert (mine.scope, mine.provider, mine.model, mine.prices) == (
            DEFAULT_SCOPE,
            "nowhere",
            "m-1",
            checked_price_list(version),
        )
        assert snapshot.price_at(DEFAULT_SCOPE, mine.position) == mine
        assert snapshot.prices(DEFAULT_SCOPE, None, "m-2", None, 9) == []
        assert snapshot.prices(DEFAULT_SCOPE, "nowhere", "m-1", PriceCursor(mine.position, 1), 9) == []


def test_a_customer_is_found_by_its_derived_id_once_it_is_known(store_under_test: StoreUnderTest) -> None:
    store = store_under_test
    mine, others = derived_id(DEFAULT_SCOPE, "acme"), derived_id(OTHER, "acme")
    first = store.deliver([usage("1", "before")])
    store.fold()
    with store.reads.snapshot() as snapshot:
        assert snapshot.customer_of_derived_id(DEFAULT_SCOPE, mine) is None
        assert snapshot.customer_of_derived_id(OTHER, mine) is None
    store.deliver([usage("2", "acme")])
    store.fold()
    for _ in range(2):
        with store.reads.snapshot() as snapshot:
            assert snapshot.customer_of_derived_id(DEFAULT_SCOPE, mine) == "acme"
            assert snapshot.customer_of_derived_id(DEFAULT_SCOPE, others) is None
            assert snapshot.as_of(first).customer_of_derived_id(DEFAULT_SCOPE, mine) is None
            before = derived_id(DEFAULT_SCOPE, "before")
            assert snapshot.as_of(first).customer_of_derived_id(DEFAULT_SCOPE, before) == "before"
