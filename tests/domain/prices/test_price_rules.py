"""Prices and discounts of tenants and customers: what is written, in which stream, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from consumers.commands.handler import CommandHandler
from domain.customers.commands import CreateCustomer, DeleteCustomer
from domain.errors import InvalidInput
from domain.event import LifecycleEvent, Provenance
from domain.log.event_codec import decode_lifecycle
from domain.prices.commands import SetDiscount, SetPrice
from domain.prices.events import DiscountSet, PriceSet
from domain.prices.own_price import OwnPrice
from domain.prices.schedule import UnitPrices
from domain.scope import DEFAULT_SCOPE, Scope
from tests.fakes.event_log import InMemoryEventLog
from tests.fakes.personal_keys import InMemoryPersonalKeys
from tests.fakes.randomness import CountedRandomness

NOW = datetime(2026, 6, 1, tzinfo=UTC)
WHO = Provenance("key_1")
ONE = OwnPrice(None, UnitPrices(Decimal(1), Decimal(2)))


@pytest.fixture
def log() -> InMemoryEventLog:
    return InMemoryEventLog()


@pytest.fixture
def commands(log: InMemoryEventLog) -> CommandHandler:
    return CommandHandler(log, InMemoryPersonalKeys(), lambda: NOW, CountedRandomness())


def price(customer: str | None = None, given: OwnPrice = ONE, scope: Scope = DEFAULT_SCOPE) -> SetPrice:
    return SetPrice(scope, WHO, "p/q", "m", given, customer_id=customer)


def discount(percentage: Any, customer: str | None = None, **about: Any) -> SetDiscount:
    return SetDiscount(DEFAULT_SCOPE, WHO, Decimal(percentage), customer_id=customer, **about)


def price_events(log: InMemoryEventLog) -> list[LifecycleEvent]:
    records = log.read(0, 100)
    events = [decode_lifecycle(record.topic, record.state) for record in records]
    return [event for event in events if isinstance(event, PriceSet | DiscountSet)]


def end_a_life(commands: CommandHandler, customer: str, at: datetime) -> None:
    commands.handle(CreateCustomer(DEFAULT_SCOPE, WHO, customer, effective_at=at - timedelta(days=9)))
    commands.handle(DeleteCustomer(DEFAULT_SCOPE, WHO, customer, effective_at=at))


def test_each_owner_and_model_has_a_stream_of_its_own(commands: CommandHandler, log: InMemoryEventLog) -> None:
    for command in (
        price(),
        price("a/b"),
        discount("5", provider="p/q", model="m"),
        discount("5", "a/b", provider="p/q", model="m"),
        discount("5", "a/b", model="m"),
        discount("5"),
        discount("5", "a/b"),
    ):
        commands.handle(command)
    assert [(event.stream, event.version) for event in price_events(log)] == [
        ("price/default/prod/3/p/q/m", 1),
        ("customer-price/default/prod/1/3/a/b/3/p/q/m", 1),
        ("price/default/prod/3/p/q/m", 2),
        ("customer-price/default/prod/1/3/a/b/3/p/q/m", 2),
        ("customer-price/default/prod/1/3/a/b/0//m", 1),
        ("discount/default/prod", 1),
        ("customer-discount/default/prod/1/a/b", 1),
    ]


def test_a_rule_that_holds_already_is_not_written_again(commands: CommandHandler) -> None:
    of_model = {"provider": "p/q", "model": "m"}
    given = (
        price("ann"),
        price("ann"),
        discount("5.0", "ann", **of_model),
        discount("5", "ann", **of_model),
        price("ann"),  # the discount has replaced it
        discount("5", "ann", **of_model, effective_from=NOW),
    )
    assert [commands.handle(command).position for command in given] == [1, None, 2, None, 3, 4]


def test_the_next_life_of_a_customer_has_none_of_the_rules_of_the_last(
    commands: CommandHandler, log: InMemoryEventLog
) -> None:
    commands.handle(price("ann"))
    end_a_life(commands, "ann", NOW - timedelta(hours=1))
    commands.handle(price("ann"))
    commands.handle(discount("5", "ann"))
    before, after, of_all = price_events(log)
    assert isinstance(before, PriceSet)
    assert isinstance(after, PriceSet)
    assert isinstance(of_all, DiscountSet)
    began = NOW - timedelta(hours=1)
    assert (before.stream, before.life_began_at) == ("customer-price/default/prod/1/3/ann/3/p/q/m", None)
    assert (after.stream, after.life_began_at) == ("customer-price/default/prod/2/3/ann/3/p/q/m", began)
    assert (of_all.stream, of_all.life_began_at) == ("customer-discount/default/prod/2/ann", began)


def test_a_customer_of_another_tenant_is_another_one(commands: CommandHandler, log: InMemoryEventLog) -> None:
    end_a_life(commands, "ann", NOW)
    commands.handle(price("ann", scope=Scope("other", "prod")))
    (event,) = price_events(log)
    assert event.stream == "customer-price/other/prod/1/3/ann/3/p/q/m"


@pytest.mark.parametrize(
    ("command", "field"),
    [
        (price(""), "customer_id"),
        (price(".."), "customer_id"),
        (discount("5", "a" * 1001), "customer_id"),
        (discount("5", provider="p"), "model"),
        (discount("5", provider="p", model=""), "model"),
        (discount("100.1"), "percentage"),
        (discount("-1", "ann"), "percentage"),
        (discount("1.0000001"), "percentage"),
        (discount("1", effective_from=datetime(2026, 1, 1)), "effective_from"),  # noqa: DTZ001
        (discount("1", effective_from=datetime(2200, 1, 1, tzinfo=UTC)), "effective_from"),
    ],
)
def test_an_invalid_rule_is_refused(commands: CommandHandler, command: SetPrice | SetDiscount, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        commands.handle(command)
    assert refused.value.field == field


def test_a_rule_from_before_the_present_life_is_refused(commands: CommandHandler, log: InMemoryEventLog) -> None:
    end_a_life(commands, "ann", NOW)
    earlier = NOW - timedelta(microseconds=1)
    for command in (
        price("ann", OwnPrice(earlier, ONE.prices)),
        discount("5", "ann", effective_from=earlier),
    ):
        with pytest.raises(InvalidInput) as refused:
            commands.handle(command)
        rule = "must not be before 2026-06-01T00:00:00.000000Z, when the previous life of the customer ended"
        assert (refused.value.field, refused.value.rule) == ("effective_from", rule)
    commands.handle(discount("5", "ann", effective_from=NOW))
    assert len(price_events(log)) == 1
