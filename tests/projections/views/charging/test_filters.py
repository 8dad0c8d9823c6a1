"""Filters of charges: each event is in one of them, and each is priced and rounded by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from domain.meters.commands import CreateMeter
from projections.duckdb.reading.meters import filter_numbers, values
from projections.views.charging.charge_amounts import ChargeAmount, FilterAmount
from tests.projections.folded_log import usage
from tests.projections.queries.store_under_test import DuckDBUnderTest
from tests.projections.views.charging.test_charges import PER_GB, PER_TOKEN, WHO, charges, day, disk, plan, subscribe

FLAT = {"model": "graduated", "ranges": [{"from_value": 0, "to_value": None, "per_unit_amount": 0, "flat_amount": 7}]}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DuckDBUnderTest]:
    store = DuckDBUnderTest(tmp_path / "store")
    store.pass_time(days=40)
    yield store
    store.close()


def charge_by(store: DuckDBUnderTest, *filters: Mapping[str, Any], aggregation: str = "sum", **fields: Any) -> None:
    """Make a meter "gb" and a plan "basic" with one charge for it, of 1 for each unit, or of `fields`."""
    given = {"event_type": "disk", "aggregation": aggregation, "value_property": "gb"}
    store.commands.handle(CreateMeter(*WHO, "gb", given))
    price = {"model": "standard", "amount": "1"}
    store.commands.handle(plan("basic", {**PER_GB, "price": price, "filters": list(filters), **fields}))
    subscribe(store)


def priced(amount: str, **values: list[str]) -> dict[str, Any]:
    return {"values": values, "price": {"model": "standard", "amount": amount}}


def charged(store: DuckDBUnderTest) -> ChargeAmount:
    (one,) = charges(store).subscriptions
    (charge,) = one.charges
    return charge


def shown(amounts: tuple[FilterAmount, ...]) -> list[list[Any]]:
    """Number, units, events and amount of each filter."""
    return [[one.number, one.units, one.events, one.amount] for one in amounts]


def test_an_event_is_in_the_filter_with_the_most_keys_of_several_the_first_and_else_in_none(
    store: DuckDBUnderTest,
) -> None:
    eu, eu_gold = priced("2", region=["eu", "us"]), priced("3", region=["eu"], tier=[])
    charge_by(store, eu, eu_gold, priced("5", region=["eu"], tier=["gold"]), priced("7", region=["jp"]))
    store.deliver(
        [
            disk("1", 1, region="eu"), disk("2", 10, region="us", tier="gold"),
            disk("3", 100, region="eu", tier="gold"), disk("4", 1000, region="EU"), disk("5", 10000),
        ]
    )  # fmt: skip

    found = charged(store)

    expected = [[0, 11, 2, 22], [1, 100, 1, 300], [2, 0, 0, 0], [3, 0, 0, 0], [None, 11000, 2, 11000]]
    assert shown(found.filters) == expected
    assert [found.units, found.events, found.amount] == [11111, 5, 11322]
    (group,) = found.groups
    assert [shown(group.filters), group.units, group.amount] == [expected, 11111, 11322]


def test_each_filter_is_rounded_once_by_itself_and_one_without_units_may_have_an_amount(
    store: DuckDBUnderTest,
) -> None:
    charge_by(store, priced("0.005", region=["eu"]), {"values": {"region": ["us"]}, "price": FLAT})
    store.deliver([disk("1", 1, region="eu"), disk("2", "0.005")])

    found = charged(store)

    cent = Decimal("0.01")
    assert [[one.exact_amount, one.amount] for one in found.filters] == [
        [Decimal("0.005"), cent],
        [7, 7],
        [Decimal("0.005"), cent],
    ]
    assert found.amount == Decimal("7.02")


def test_each_group_has_the_filters_of_its_events_and_the_charge_has_all(store: DuckDBUnderTest) -> None:
    flat = {"values": {"tier": ["gold"]}, "price": FLAT}
    charge_by(store, priced("2", region=["eu"]), flat, group_by=["region", "size"])
    store.deliver(
        [
            disk("1", 1, region="eu", tier="gold"), disk("2", 10, region="eu", tier="gold"),
            disk("3", 100, region="us", tier="gold"), disk("4", 1000, region="us"),
            disk("5", 10000, region="us", size="s", tier="gold"),
        ]
    )  # fmt: skip

    found = charged(store)

    assert [[one.group, shown(one.filters), one.amount] for one in found.groups] == [
        [("eu", None), [[0, 11, 2, 22]], 22],
        [("us", None), [[1, 100, 1, 7], [None, 1000, 1, 1000]], 1007],
        [("us", "s"), [[1, 10000, 1, 7]], 7],
    ]
    assert shown(found.filters) == [[0, 11, 2, 22], [1, 10100, 2, 14], [None, 1000, 1, 1000]]
    assert found.amount == 1036


@pytest.mark.parametrize(
    ("aggregation", "of_filter", "of_none"),
    [("max", 4, 7), ("min", 1, 5), ("latest", 1, 5), ("unique_count", 2, 2), ("sum", 9, 12)],
)
def test_a_filter_aggregates_all_its_events_together(
    store: DuckDBUnderTest, aggregation: str, of_filter: int, of_none: int
) -> None:
    charge_by(store, priced("1", region=["eu", "us"]), aggregation=aggregation)
    store.deliver(
        [
            disk("1", 4, day(1), region="eu"), disk("2", 4, day(2), region="us"), disk("3", 1, day(3), region="eu"),
            disk("4", 7, day(4), region="jp"), disk("5", 5, day(5)),
        ]
    )  # fmt: skip

    assert [one.units for one in charged(store).filters] == [of_filter, of_none]


@pytest.mark.parametrize("meter", ["total_tokens", "requests", "web_searches"])
def test_what_is_built_in_is_split_by_filters_too(store: DuckDBUnderTest, meter: str) -> None:
    filters = [priced("1", region=["eu"]), priced("1", region=["eu"], model=["m-1"])]
    store.commands.handle(plan("basic", {**PER_TOKEN, "meter": meter, "group_by": ["region"], "filters": filters}))
    subscribe(store)
    extra: dict[str, Any] = {"web_searches": 2}
    store.deliver(
        [
            usage("1", region="eu", **extra), usage("2", region="eu", model="m-2", **extra),
            usage("3", region="eu", **extra), usage("4", region="us", **extra), usage("5", "other", region="eu"),
            usage("6", region="eu", subscription="other"),
        ]
    )  # fmt: skip
    each = {"total_tokens": 1100, "requests": 1, "web_searches": 2}[meter]

    found = charged(store)

    assert [[one.group, [[of.number, of.units, of.events] for of in one.filters]] for one in found.groups] == [
        [("eu",), [[0, each, 1], [1, 2 * each, 2]]],
        [("us",), [[None, each, 1]]],
    ]


def test_events_of_unknown_cost_are_counted_in_each_filter(store: DuckDBUnderTest) -> None:
    bounded = {"model": "percentage", "rate": "10", "per_transaction_max_amount": "1"}
    for code, price in (("plain", {"model": "standard", "amount": "1"}), ("bounded", bounded)):
        money = {"code": "cost", "meter": "cost_usd", "price": price, "filters": [priced("1", region=["eu"])]}
        store.commands.handle(plan(code, money))
        subscribe(store, code, plan=code)
    sent = [("1", "eu", "5"), ("2", "eu", None), ("3", "us", "50"), ("4", "us", "60"), ("5", "us", None)]
    for code in ("plain", "bounded"):
        store.deliver(
            [usage(f"{code} {n}", region=region, subscription=code, cost_usd=cost) for n, region, cost in sent]
        )

    found = {one.subscription.subscription_id: one.charges[0] for one in charges(store).subscriptions}

    assert {code: [one.cost_unknown_events, shown(one.filters)] for code, one in found.items()} == {
        "plain": [2, [[0, 5, 2, 5], [None, 110, 3, 110]]],
        "bounded": [2, [[0, 5, 1, 5], [None, 110, 2, 2]]],
    }


def test_events_are_priced_one_by_one_within_a_filter(store: DuckDBUnderTest) -> None:
    free = {"model": "percentage", "rate": "10", "free_units_per_events": 1}
    charge_by(store, {"values": {"region": ["eu"]}, "price": free})
    store.deliver(
        [disk("1", 100, day(3), region="eu"), disk("2", 20, day(2), region="eu"), disk("3", 3, day(1), region="us")]
    )

    assert shown(charged(store).filters) == [[0, 120, 2, 10], [None, 3, 1, 3]]


def test_filters_and_groups_may_name_ten_and_five_paths_together(store: DuckDBUnderTest) -> None:
    keys = {f"k{number}": ["x"] for number in range(10)}
    grouped = [f"g{number}" for number in range(5)]
    tokens = {**PER_TOKEN, "group_by": grouped, "filters": [priced("1", **keys)]}
    charge_by(store, priced("1", **keys), group_by=grouped)
    store.commands.handle(plan("built in", tokens))
    subscribe(store, "tokens", plan="built in")
    data: dict[str, Any] = {**dict.fromkeys(keys, "x"), **dict.fromkeys(grouped, "y")}
    store.deliver([disk("1", 3, subscription="sub", **data), usage("2", subscription="tokens", **data)])

    found = {one.subscription.subscription_id: one.charges[0] for one in charges(store).subscriptions}

    assert {name: [[one.number, one.units] for one in charge.filters] for name, charge in found.items()} == {
        "sub": [[0, 3], [None, 0]],
        "tokens": [[0, 1100], [None, 0]],
    }


def test_too_many_combinations_of_values_are_a_reason_why_a_charge_is_unknown(
    store: DuckDBUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (filter_numbers, values):
        monkeypatch.setattr(module, "COMBINATIONS_MAX", 1)
    charge_by(store, priced("2", region=["eu"]))
    store.deliver([disk("1", 1, region="eu"), disk("2", 1, region="us")])

    found = charged(store)

    assert [found.amount, found.filters, found.groups] == [None, (), ()]
    assert found.unknown_because == "filters must not meet more than 1 combinations of values in events"


def test_a_charge_may_have_many_filters(store: DuckDBUnderTest) -> None:
    filters = [priced("2", make=[f"m{number % 150}"], region=[f"r{number // 150}"]) for number in range(1500)]
    charge_by(store, *filters)
    sent: list[tuple[str, int, dict[str, Any]]] = [
        ("1", 5, {"make": "m7", "region": "r3"}),
        ("2", 1, {"make": "m7"}),
        ("3", 2, {"make": "m149", "region": "r9"}),
    ]
    store.deliver([disk(event_id, gb, **data) for event_id, gb, data in sent])

    found = charged(store)

    used = [[one.number, one.units, one.amount] for one in found.filters if one.events]
    assert used == [[457, 5, 10], [1499, 2, 4], [None, 1, 1]]
    assert [len(found.filters), found.amount] == [1501, 15]
