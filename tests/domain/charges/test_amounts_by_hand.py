"""Amounts that were worked by hand, at the edges of ranges, packages and free usage."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import pytest

from domain.charges.amounts import Used, amount_of, needs_values, unit_amount_of
from domain.charges.currencies import rounded
from domain.charges.models import charge_model
from tests.domain.charges.generated_models import used_by

STANDARD: Final = {"model": "standard", "amount": "0.05"}
RANGES: Final = [
    {"from_value": 0, "to_value": 10, "per_unit_amount": "2", "flat_amount": "5"},
    {"from_value": 11, "to_value": 20, "per_unit_amount": "1.5", "flat_amount": "3"},
    {"from_value": 21, "to_value": None, "per_unit_amount": "1", "flat_amount": "0"},
]
FRACTIONS: Final = [
    {"from_value": 0, "to_value": "0.5", "per_unit_amount": "0", "flat_amount": "0"},
    {"from_value": "0.5", "to_value": "2.25", "per_unit_amount": "4"},
    {"from_value": "2.25", "to_value": None, "per_unit_amount": "2", "flat_amount": "1"},
]
GRADUATED: Final = {"model": "graduated", "ranges": RANGES}
VOLUME: Final = {"model": "volume", "ranges": RANGES}
PACKAGE: Final = {"model": "package", "amount": "5", "package_size": 100, "free_units": "100"}
RATES: Final = {
    "model": "graduated_percentage",
    "ranges": [
        {"from_value": 0, "to_value": 1000, "rate": "1", "flat_amount": "200"},
        {"from_value": 1001, "to_value": 10000, "rate": "2", "flat_amount": "300"},
        {"from_value": 10001, "to_value": None, "rate": "0.5", "flat_amount": "0"},
    ],
}


@pytest.mark.parametrize(
    ("model", "units", "amount"),
    [
        (STANDARD, "0", "0"),
        (STANDARD, "1200", "60"),
        (STANDARD, "0.3", "0.015"),
        (STANDARD, "-7", "0"),
        ({"model": "standard", "amount": "0"}, "1000000", "0"),
        ({"model": "standard", "amount": "0.000000000000000001"}, "3", "0.000000000000000003"),
        # Graduated: 5 for the first ten and 2 for each, 3 for the next ten and 1.5 for each, then 1 for each.
        (GRADUATED, "0", "5"),
        (GRADUATED, "-1", "5"),
        (GRADUATED, "1", "7"),
        (GRADUATED, "10", "25"),
        (GRADUATED, "10.5", "28.75"),
        (GRADUATED, "11", "29.5"),
        (GRADUATED, "20", "43"),
        (GRADUATED, "20.25", "43.25"),
        (GRADUATED, "21", "44"),
        (GRADUATED, "1000", "1023"),
        ({"model": "graduated", "ranges": FRACTIONS}, "0.5", "0"),
        ({"model": "graduated", "ranges": FRACTIONS}, "0.75", "1"),
        ({"model": "graduated", "ranges": FRACTIONS}, "2.25", "7"),
        ({"model": "graduated", "ranges": FRACTIONS}, "3", "9.5"),
        # Volume: the same ranges, all units in one of them.
        (VOLUME, "0", "5"),
        (VOLUME, "10", "25"),
        (VOLUME, "10.5", "18.75"),
        (VOLUME, "11", "19.5"),
        (VOLUME, "20", "33"),
        (VOLUME, "20.25", "20.25"),
        (VOLUME, "21", "21"),
        ({"model": "volume", "ranges": FRACTIONS}, "0.5", "0"),
        ({"model": "volume", "ranges": FRACTIONS}, "0.75", "3"),
        ({"model": "volume", "ranges": FRACTIONS}, "3", "7"),
        # Packages of 100, after 100 free units.
        (PACKAGE, "0", "0"),
        (PACKAGE, "100", "0"),
        (PACKAGE, "100.001", "5"),
        (PACKAGE, "101", "5"),
        (PACKAGE, "200", "5"),
        (PACKAGE, "201", "10"),
        ({**PACKAGE, "free_units": None}, "0", "0"),
        ({**PACKAGE, "free_units": None}, "1", "5"),
        ({**PACKAGE, "package_size": 1, "free_units": "0.5"}, "1.75", "10"),
        # 1 % of the first thousand and 200, 2 % of the next nine thousand and 300, then 0.5 %.
        (RATES, "0", "200"),
        (RATES, "500", "205"),
        (RATES, "1000", "210"),
        (RATES, "1000.5", "510.01"),
        (RATES, "1001", "510.02"),
        (RATES, "10000", "690"),
        (RATES, "10001", "690.005"),
        ({"model": "percentage", "rate": "1.2"}, "50", "0.6"),
        ({"model": "percentage", "rate": "1.2"}, "-50", "0"),
        ({"model": "percentage", "rate": "0", "fixed_amount": "0.1"}, "50", "0.1"),
        ({"model": "percentage", "rate": "1.2", "fixed_amount": "0.1"}, "0", "0"),
        ({"model": "percentage", "rate": "1.2", "free_units_per_total_aggregation": "500"}, "500", "0"),
        ({"model": "percentage", "rate": "1.2", "free_units_per_total_aggregation": "500"}, "600", "1.2"),
    ],
)
def test_units_cost_what_was_worked_by_hand(model: dict[str, Any], units: str, amount: str) -> None:
    assert amount_of(charge_model("charge", model), Used(Decimal(units), 1)) == Decimal(amount)


PERCENTAGE: Final = {"model": "percentage", "rate": "1.2", "fixed_amount": "0.10"}
BOUNDED: Final = {"model": "percentage", "rate": "3", "per_transaction_min_amount": "1.75"}
CAPPED: Final = {**BOUNDED, "per_transaction_max_amount": "12"}


@pytest.mark.parametrize(
    ("members", "values", "amount"),
    [
        (PERCENTAGE, "200 100 100 50", "5.8"),
        (PERCENTAGE, "", "0"),
        # The first three are free; the rate is of the 50 that are left.
        ({**PERCENTAGE, "free_units_per_events": 3}, "200 100 100 50", "0.7"),
        ({**PERCENTAGE, "free_units_per_events": 3}, "200 100 100", "0"),
        ({**PERCENTAGE, "free_units_per_events": 9}, "200 100 100 50", "0"),
        # 350 are used up within the third: 50 of it and the fourth are charged.
        ({**PERCENTAGE, "free_units_per_total_aggregation": 350}, "200 100 100 50", "1.4"),
        # The third uses up 400 exactly: nothing of it is charged but its fixed amount.
        ({**PERCENTAGE, "free_units_per_total_aggregation": 400}, "200 100 100 50", "0.8"),
        ({**PERCENTAGE, "free_units_per_total_aggregation": 401}, "200 100 100 50", "0.688"),
        ({**PERCENTAGE, "free_units_per_total_aggregation": 500}, "200 100 100 50", "0"),
        # Whichever ends first: the three events ...
        (
            {**PERCENTAGE, "free_units_per_events": 3, "free_units_per_total_aggregation": 500},
            "200 100 100 50",
            "0.7",
        ),
        # ... or the 250 units, of which the second uses up the last.
        (
            {**PERCENTAGE, "free_units_per_events": 3, "free_units_per_total_aggregation": 250},
            "200 100 100 50",
            "2.7",
        ),
        ({**PERCENTAGE, "rate": 0, "free_units_per_events": 3}, "200 100 100 50", "0.1"),
        ({**PERCENTAGE, "rate": 0, "free_units_per_events": 3}, "200 100", "0"),
        # What an event takes back is taken off, down to nothing where the bounds leave less.
        (PERCENTAGE, "200 -100", "1.4"),
        ({**CAPPED, "per_transaction_min_amount": None}, "1000 -100", "9"),
        ({**CAPPED, "per_transaction_min_amount": None}, "1000 -900", "0"),
        # 0.3 and 3 and 300 by the rate: the first is raised to 1.75, the last lowered to 12.
        (BOUNDED, "10 100 10000", "304.75"),
        (CAPPED, "10 100 10000", "16.75"),
        ({**CAPPED, "fixed_amount": "2"}, "10 100 10000", "19.3"),
        ({**CAPPED, "free_units_per_events": 2}, "10 100 10000", "12"),
        ({**CAPPED, "free_units_per_total_aggregation": 30}, "10 100 10000", "14.4"),
        ({**CAPPED, "free_units_per_events": 3, "free_units_per_total_aggregation": 10000}, "10 100 10000", "3.3"),
        ({**CAPPED, "free_units_per_total_aggregation": 110}, "10 100 10000", "13.75"),
    ],
)
def test_events_cost_what_was_worked_by_hand(members: dict[str, Any], values: str, amount: str) -> None:
    model = charge_model("charge", members)
    used = used_by([Decimal(value) for value in values.split()])
    assert amount_of(model, used) == Decimal(amount)
    if not needs_values(model):
        assert amount_of(model, Used(used.units, used.events)) == Decimal(amount)


@pytest.mark.parametrize(
    ("model", "units", "currency", "amount"),
    [
        (STANDARD, "0.3", "USD", "0.02"),
        (STANDARD, "0.3", "JPY", "0"),
        (STANDARD, "1210", "JPY", "61"),
        (STANDARD, "1209", "JPY", "60"),
        (GRADUATED, "10.5", "JPY", "29"),
        (RATES, "10001", "USD", "690.01"),
        (RATES, "10001", "KWD", "690.005"),
    ],
)
def test_an_amount_is_rounded_once_to_its_currency(
    model: dict[str, Any], units: str, currency: str, amount: str
) -> None:
    exact = amount_of(charge_model("charge", model), Used(Decimal(units), 1))
    assert str(rounded(exact, currency)) == amount


@pytest.mark.parametrize(
    ("model", "units", "unit_amount"),
    [
        (STANDARD, "1200", "0.05"),
        (GRADUATED, "10", "2.5"),
        (GRADUATED, "21", "2.095238095238095238"),
        (PACKAGE, "100", "0"),
        ({"model": "package", "amount": "0.000000000000000001", "package_size": 2}, "2", "0.000000000000000001"),
        (PACKAGE, "0", None),
        (STANDARD, "-1", None),
    ],
)
def test_one_of_the_units_costs_the_average(model: dict[str, Any], units: str, unit_amount: str | None) -> None:
    expected = None if unit_amount is None else Decimal(unit_amount)
    assert unit_amount_of(charge_model("charge", model), Used(Decimal(units), 1)) == expected
