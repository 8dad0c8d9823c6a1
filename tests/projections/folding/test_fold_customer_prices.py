"""Prices of customers and discounts as they are folded: given later, or ended by deletions, in groups of any size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from domain.customers.commands import CreateCustomer, DeleteCustomer
from domain.prices.commands import SetDiscount, SetPrice
from domain.prices.own_price import OwnPrice
from domain.prices.price_list import UnitRate
from domain.prices.schedule import UnitPrices
from domain.scope import DEFAULT_SCOPE, Scope
from tests.projections.folded_log import BY_TEST, START, FoldedLog, usage

OTHER = Scope("other", "prod")
HOUR = timedelta(hours=1)


@pytest.fixture
def folded(tmp_path: Path) -> Iterator[FoldedLog]:
    log = FoldedLog(tmp_path / "read")
    yield log
    log.close()


def set_price(
    log: FoldedLog,
    dollars: str,
    customer: str | None = None,
    since: datetime | None = None,
    scope: Scope = DEFAULT_SCOPE,
) -> int:
    price = OwnPrice(since, UnitPrices(Decimal(dollars), Decimal(0)))
    position = log.commands.handle(SetPrice(scope, BY_TEST, "nowhere", "m-1", price, customer_id=customer)).position
    assert position is not None
    return position


def set_discount(log: FoldedLog, percentage: str, customer: str | None = None, **about: Any) -> int:
    command = SetDiscount(DEFAULT_SCOPE, BY_TEST, Decimal(percentage), customer_id=customer, **about)
    position = log.commands.handle(command).position
    assert position is not None
    return position


def delete(log: FoldedLog, customer: str, at: datetime | None = None) -> None:
    log.commands.handle(DeleteCustomer(DEFAULT_SCOPE, BY_TEST, customer, effective_at=at, seen_at=START))


def costs(folded: FoldedLog) -> dict[str, tuple[str | None, int | None, list[int] | None]]:
    """The cost of each event, and the positions of the price and the discounts that made it."""
    rows = folded.ask(
        "SELECT id, cost_usd, price_position, discount_positions FROM usage_rows WHERE closed_at IS NULL ORDER BY id"
    )
    return {row[0]: (None if row[1] is None else str(row[1].normalize()), row[2], row[3]) for row in rows}


def test_a_customers_price_given_later_prices_its_unknown_costs_and_nobody_elses(folded: FoldedLog) -> None:
    folded.deliver([usage("1"), usage("2", "bob"), usage("3", at=START - 2 * HOUR), usage("4", cost_usd="9")])
    folded.deliver([usage("5")], scope=OTHER)
    folded.fold()
    price = set_price(folded, "2", "acme", START - HOUR)
    folded.fold()
    assert costs(folded) == {
        "1": ("0.002", price, None),
        "2": (None, None, None),
        "3": (None, None, None),
        "4": ("9", None, None),
        "5": (None, None, None),
    }
    of_scope = set_price(folded, "8")
    folded.fold()
    unknown_before = {name: costs(folded)[name] for name in ("1", "2", "3")}
    assert unknown_before == {
        "1": ("0.002", price, None),
        "2": ("0.008", of_scope, None),
        "3": ("0.008", of_scope, None),
    }


def test_a_price_may_come_before_its_customer_which_it_does_not_make_known(folded: FoldedLog) -> None:
    price = set_price(folded, "2", "acme")
    folded.fold()
    assert folded.ask("SELECT count(*) FROM customers") == [(0,)]
    folded.deliver([usage("1"), usage("2", "bob")])
    folded.fold()
    assert costs(folded) == {"1": ("0.002", price, None), "2": (None, None, None)}


def test_discounts_of_customer_and_scope_multiply_and_touch_no_cost_that_the_producer_gave(folded: FoldedLog) -> None:
    price = set_price(folded, "10")
    of_customer = set_discount(folded, "50", "acme")
    folded.deliver([usage("1"), usage("2", "bob"), usage("3", cost_usd="9")])
    folded.fold()
    assert costs(folded) == {
        "1": ("0.005", price, [of_customer]),
        "2": ("0.01", price, None),
        "3": ("9", None, None),
    }


def test_a_price_given_later_is_taken_at_the_discounts_known_by_then(folded: FoldedLog) -> None:
    folded.deliver([usage("1")])
    discount = set_discount(folded, "25", "acme", provider="nowhere", model="m-1")
    price = set_price(folded, "4")
    folded.fold()
    assert costs(folded) == {"1": ("0.003", price, [discount])}


def test_a_discount_that_ends_an_own_price_prices_what_that_left_unknown(folded: FoldedLog) -> None:
    of_scope = set_price(folded, "4")
    requests_only = OwnPrice(None, rates={"requests": UnitRate(Decimal(1))})
    folded.commands.handle(SetPrice(DEFAULT_SCOPE, BY_TEST, "nowhere", "m-1", requests_only, customer_id="acme"))
    folded.deliver([usage("1")])
    folded.fold()
    assert costs(folded) == {"1": (None, None, None)}
    ended = set_discount(folded, "0", "acme", provider="nowhere", model="m-1")
    folded.fold()
    assert costs(folded) == {"1": ("0.004", of_scope, [ended])}


def lived(log: FoldedLog) -> None:
    """A customer with a price and a discount of its own, deleted, priced again and deleted in the past."""
    set_price(log, "8")
    log.commands.handle(CreateCustomer(DEFAULT_SCOPE, BY_TEST, "acme", effective_at=START - 9 * HOUR))
    set_price(log, "2", "acme")
    set_price(log, "3", "acme", START - HOUR)
    set_discount(log, "50", "bob")
    log.deliver([usage("1", at=START - 2 * HOUR), usage("2", at=START), usage("3", "bob")])
    delete(log, "nobody")
    delete(log, "acme", START - 2 * HOUR)
    log.deliver([usage("4", at=START - 3 * HOUR), usage("5", at=START - 2 * HOUR), usage("6", at=START)])
    set_price(log, "5", "acme")
    delete(log, "bob", START - HOUR)
    log.deliver([usage("7", at=START - 3 * HOUR), usage("8", at=START), usage("9", "bob", START - HOUR)])


def fold_by(records: int) -> Callable[[FoldedLog], None]:
    def fold(log: FoldedLog) -> None:
        while log.projector.step(until=log.projector.position + records):
            pass

    return fold


def fold_and_start_again(log: FoldedLog) -> None:
    """Fold with a state that is loaded anew before each record."""
    while log.projector.step(until=log.projector.position + 1):
        log.projector._roll_back()


GROUPINGS = {"one record": fold_by(1), "two records": fold_by(2), "all that fit": fold_by(1_000)}


@pytest.mark.parametrize("fold", [*GROUPINGS.values(), fold_and_start_again], ids=[*GROUPINGS, "a new state each time"])
def test_a_deletion_ends_a_customers_prices_for_what_comes_after_it_however_records_are_grouped(
    folded: FoldedLog, fold: Callable[[FoldedLog], None]
) -> None:
    lived(folded)
    fold(folded)
    found = {name: cost for name, (cost, _, _) in costs(folded).items()}
    assert found == {
        "1": "0.002",  # the customer's price of then
        "2": "0.003",  # the one of an hour before
        "3": "0.004",  # the scope's price, at the discount of the customer
        "4": "0.002",  # late, in the life that has ended since
        "5": "0.008",  # the next life has no price of its own yet
        "6": "0.008",
        "7": "0.002",
        "8": "0.005",  # the price of the next life, from its beginning on
        "9": "0.008",  # the discount ended then
    }


def test_a_deletion_of_a_customer_without_prices_is_folded_together_with_usage(folded: FoldedLog) -> None:
    set_price(folded, "2", "acme")
    folded.fold()
    folded.deliver([usage("1", "bob")])
    delete(folded, "bob")
    folded.deliver([usage("2", "bob")])
    assert folded.projector.step() == 3
    delete(folded, "acme")
    folded.deliver([usage("3")])
    assert [folded.projector.step(), folded.projector.step()] == [1, 1]
