"""Any read store shows a scope the prices that it set, and the list prices of the models that its own usage met."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain.customers.commands import DeleteCustomer
from domain.prices.commands import SetDiscount, SetPrice
from domain.prices.events import PriceListed
from domain.prices.own_price import OwnPrice, checked_price_list
from domain.prices.schedule import UnitPrices
from domain.scope import DEFAULT_SCOPE, Scope
from domain.streams import listed_price_stream
from projections.pricing.rules import DiscountRule, LifeEnded, PriceRule, PricingRecord
from projections.queries.prices import PriceCursor, PriceRecord
from projections.queries.snapshot import Snapshot
from tests.projections.folded_log import BY_TEST, START, usage
from tests.projections.queries.store_under_test import DuckDBUnderTest

OTHER = Scope("other", "prod")
VERSION = OwnPrice(None, UnitPrices(Decimal(1), Decimal(2)))
PRICES = checked_price_list(VERSION)


def listed(store: DuckDBUnderTest, model: str, provider: str = "maker") -> int:
    """Record a list price, as the first usage of the model by any scope does."""
    stream = listed_price_stream(provider, model)
    return store.append(
        PriceListed, stream, provider=provider, model=model, prices=PRICES, library="l 1", matched=model
    )


def used(store: DuckDBUnderTest, event_id: str, model: str, scope: Scope, provider: str | None = "maker") -> int:
    return store.deliver([usage(event_id, provider=provider, model=model)], scope)


def known(store: DuckDBUnderTest, scope: Scope, **asked: Any) -> list[PriceRecord]:
    with store.reads.snapshot() as snapshot:
        return snapshot.prices(scope, asked.get("provider"), asked.get("model"), asked.get("after"), 100)


def models(prices: list[PriceRecord]) -> list[tuple[str, int]]:
    return [(price.model, price.position) for price in prices]


@pytest.fixture(name="store")
def _store(store_under_test: DuckDBUnderTest) -> DuckDBUnderTest:
    return store_under_test


def test_a_list_price_that_only_another_scope_met_is_not_shown(store: DuckDBUnderTest) -> None:
    price = listed(store, "ft:their-own")
    first = used(store, "1", "ft:their-own", OTHER)
    mine = used(store, "1", "m-1", DEFAULT_SCOPE)
    store.fold()
    assert mine > first
    assert known(store, DEFAULT_SCOPE) == []
    assert known(store, DEFAULT_SCOPE, model="ft:their-own") == []
    with store.reads.snapshot() as snapshot:
        assert snapshot.price_at(DEFAULT_SCOPE, price) is None
        assert snapshot.price_at(Scope("never", "prod"), price) is None
    assert models(known(store, OTHER)) == [("ft:their-own", first)]


def test_a_list_price_came_with_the_first_usage_of_the_scope_that_asks(store: DuckDBUnderTest) -> None:
    price = listed(store, "shared")
    theirs = used(store, "1", "shared", OTHER)
    store.fold()
    assert known(store, DEFAULT_SCOPE) == []
    store.pass_time(hours=3)
    mine = used(store, "1", "shared", DEFAULT_SCOPE)
    used(store, "2", "shared", DEFAULT_SCOPE)
    store.fold()
    (record,) = known(store, DEFAULT_SCOPE)
    assert record == PriceRecord(
        mine, None, "maker", "shared", PRICES, "l 1", START + timedelta(hours=3), BY_TEST.actor
    )
    with store.reads.snapshot() as snapshot:
        assert snapshot.price_at(DEFAULT_SCOPE, price) == record
    (of_other,) = known(store, OTHER)
    assert (of_other.position, of_other.recorded_at) == (theirs, START)


def test_a_price_listed_after_the_first_usage_keeps_its_place(store: DuckDBUnderTest) -> None:
    used(store, "1", "late", DEFAULT_SCOPE)
    store.pass_time(hours=1)
    price = listed(store, "late")
    store.fold()
    (record,) = known(store, DEFAULT_SCOPE)
    assert (record.position, record.recorded_at) == (price, START + timedelta(hours=1))


def test_an_event_without_a_provider_met_its_model(store: DuckDBUnderTest) -> None:
    listed(store, "bare", provider="")
    first = used(store, "1", "bare", DEFAULT_SCOPE, provider=None)
    store.fold()
    assert models(known(store, DEFAULT_SCOPE)) == [("bare", first)]


def test_prices_met_at_one_position_are_paged_by_place(store: DuckDBUnderTest) -> None:
    names = ["a", "b", "c"]
    for name in names:
        listed(store, name)
    events = [usage(name, provider="maker", model=name) for name in names]
    first = store.deliver(events)
    own = store.commands.handle(SetPrice(DEFAULT_SCOPE, BY_TEST, "maker", "b", VERSION)).position
    assert own is not None
    store.fold()
    every = [("a", first), ("b", first), ("c", first), ("b", own)]
    assert models(known(store, DEFAULT_SCOPE)) == every
    assert models(known(store, DEFAULT_SCOPE, after=PriceCursor(first, 2))) == every[2:]
    assert models(known(store, DEFAULT_SCOPE, after=PriceCursor(first + 1, 0))) == every[3:]
    assert models(known(store, DEFAULT_SCOPE, model="b")) == [every[1], every[3]]


def test_a_price_book_is_made_of_the_records_of_one_scope_and_of_all_list_prices(
    store: DuckDBUnderTest,
) -> None:
    listed_at = listed(store, "unused")
    of_scope = store.commands.handle(SetPrice(DEFAULT_SCOPE, BY_TEST, "maker", "b", VERSION)).position
    store.commands.handle(SetPrice(OTHER, BY_TEST, "maker", "b", VERSION, customer_id="ann"))
    store.commands.handle(SetDiscount(OTHER, BY_TEST, Decimal(5)))
    discount = store.commands.handle(SetDiscount(DEFAULT_SCOPE, BY_TEST, Decimal(5), START, customer_id="ann")).position
    store.deliver([usage("2", "ann"), usage("3", "bob")])
    for customer in ("bob", "ann"):
        deleted = DeleteCustomer(DEFAULT_SCOPE, BY_TEST, customer, effective_at=START, seen_at=START)
        store.commands.handle(deleted)
    store.fold()
    assert of_scope is not None
    assert discount is not None
    expected: list[PricingRecord] = [
        PriceRule(listed_at, "maker", "unused", PRICES),
        PriceRule(of_scope, "maker", "b", PRICES),
        DiscountRule(discount, Decimal(5), START, customer_id="ann"),
        LifeEnded(store.log.head_position(), "ann", START),
    ]
    with store.reads.snapshot() as snapshot:
        assert records(snapshot) == expected
        assert records(snapshot.as_of(of_scope)) == expected[:2]
        assert snapshot.scope_pricing(Scope("never", "prod")) is None


def records(snapshot: Snapshot) -> list[PricingRecord]:
    """What the price book of the default scope is made of."""
    pricing = snapshot.scope_pricing(DEFAULT_SCOPE)
    assert pricing is not None
    return [record for _, record in pricing.prices.records]


def test_first_uses_hold_after_a_compaction(store: DuckDBUnderTest) -> None:
    listed(store, "shared")
    used(store, "1", "shared", OTHER)
    mine = used(store, "1", "shared", DEFAULT_SCOPE)
    store.fold()
    store.compact()
    assert models(known(store, DEFAULT_SCOPE)) == [("shared", mine)]
