"""The cost of an event is computed from the prices known when it is folded; unknown is a state of its own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from domain.corrections.commands import RestoreUsage, VoidUsage
from domain.prices.commands import SetPrice
from domain.prices.own_price import OwnPrice
from domain.prices.schedule import PriceTier, UnitPrices
from domain.scope import DEFAULT_SCOPE, Scope
from tests.projections.folded_log import BY_TEST, START, FoldedLog, usage

OTHER = Scope("other", "prod")


@pytest.fixture
def folded(tmp_path: Path) -> Iterator[FoldedLog]:
    log = FoldedLog(tmp_path / "read")
    yield log
    log.close()


def price(dollars: str, days: float | None = None, tiers: tuple[PriceTier, ...] = ()) -> OwnPrice:
    since = None if days is None else START + timedelta(days=days)
    return OwnPrice(since, UnitPrices(Decimal(dollars), Decimal(0)), tiers)


def costs(folded: FoldedLog) -> list[tuple[str, Decimal | None, str]]:
    return [
        (row[0], None if row[1] is None else row[1].normalize(), row[2])
        for row in folded.ask("SELECT id, cost_usd, cost_origin FROM usage_rows WHERE closed_at IS NULL ORDER BY id")
    ]


def test_without_a_price_a_cost_is_unknown_and_not_zero(folded: FoldedLog) -> None:
    folded.deliver([usage("1"), usage("2", cost_usd="0.25"), usage("3", model=None)])
    folded.fold()
    assert costs(folded) == [("1", None, "unknown"), ("2", Decimal("0.25"), "producer"), ("3", None, "none")]
    assert folded.sums() == [("acme", 3, 3000, 300, Decimal("0.25"), 1)]


def test_a_price_given_later_fills_unknown_costs_from_its_date_on_and_leaves_known_ones(folded: FoldedLog) -> None:
    folded.deliver([usage("1", at=START - timedelta(days=3)), usage("2"), usage("3", cost_usd="9")])
    folded.deliver([usage("4")], scope=OTHER)
    folded.fold()
    folded.commands.handle(SetPrice(DEFAULT_SCOPE, BY_TEST, "nowhere", "m-1", price("2", days=-1)))
    folded.fold()
    assert costs(folded) == [
        ("1", None, "unknown"),
        ("2", Decimal("0.002"), "price"),
        ("3", Decimal(9), "producer"),
        ("4", None, "unknown"),
    ]
    folded.commands.handle(SetPrice(DEFAULT_SCOPE, BY_TEST, "nowhere", "m-1", price("8")))
    folded.fold()
    assert costs(folded)[:2] == [("1", Decimal("0.008"), "price"), ("2", Decimal("0.002"), "price")]


def test_the_price_of_an_event_is_the_one_of_its_time(folded: FoldedLog) -> None:
    folded.commands.handle(SetPrice(DEFAULT_SCOPE, BY_TEST, "nowhere", "m-1", price("1")))
    folded.commands.handle(SetPrice(DEFAULT_SCOPE, BY_TEST, "nowhere", "m-1", price("5", days=0)))
    folded.deliver([usage("1", at=START - timedelta(microseconds=1)), usage("2", at=START)])
    folded.fold()
    assert costs(folded) == [("1", Decimal("0.001"), "price"), ("2", Decimal("0.005"), "price")]


def test_a_tier_prices_all_tokens_of_a_request_that_reaches_it(folded: FoldedLog) -> None:
    tier = PriceTier(1000, UnitPrices(Decimal(10), Decimal(0)))
    folded.commands.handle(SetPrice(DEFAULT_SCOPE, BY_TEST, "nowhere", "m-1", price("1", tiers=(tier,))))
    folded.deliver([usage("1"), usage("2", input_tokens=1001)])
    folded.fold()
    assert costs(folded) == [("1", Decimal("0.001"), "price"), ("2", Decimal("0.01001"), "price")]


def test_a_voided_event_of_unknown_cost_is_priced_when_it_comes_back(folded: FoldedLog) -> None:
    folded.deliver([usage("1")])
    folded.fold()
    folded.commands.handle(VoidUsage(DEFAULT_SCOPE, BY_TEST, "gateway", "1"))
    folded.commands.handle(SetPrice(DEFAULT_SCOPE, BY_TEST, "nowhere", "m-1", price("3")))
    folded.commands.handle(RestoreUsage(DEFAULT_SCOPE, BY_TEST, "gateway", "1"))
    folded.fold()
    assert costs(folded) == [("1", Decimal("0.003"), "price")]
    assert folded.sums() == [("acme", 1, 1000, 100, Decimal("0.003"), 0)]


def test_as_known_before_a_price_the_cost_was_unknown(folded: FoldedLog) -> None:
    position = folded.deliver([usage("1")])
    folded.commands.handle(SetPrice(DEFAULT_SCOPE, BY_TEST, "nowhere", "m-1", price("3")))
    folded.fold()
    known_then = folded.ask(
        "SELECT cost_usd FROM usage_rows WHERE counted_at <= ? AND (closed_at IS NULL OR closed_at > ?)",
        position,
        position,
    )
    assert known_then == [(None,)]


def test_a_cost_too_large_to_be_added_up_stays_unknown_whenever_its_price_came(folded: FoldedLog) -> None:
    dear = OwnPrice(None, UnitPrices(Decimal(9 * 10**14), Decimal(0)))
    enormous = [usage(str(number), input_tokens=10**15) for number in range(200)]
    folded.deliver(enormous[:100])
    folded.fold()
    folded.commands.handle(SetPrice(DEFAULT_SCOPE, BY_TEST, "nowhere", "m-1", dear))
    folded.deliver([*enormous[100:], usage("last", input_tokens=1)])
    folded.fold()
    assert costs(folded)[-1] == ("last", Decimal(9 * 10**8), "price")
    assert {row[1:] for row in costs(folded)[:-1]} == {(None, "unknown")}
