"""Rounding of aggregated units."""

from __future__ import annotations

from decimal import Decimal

import pytest

from domain.meters.rounding import Rounding


@pytest.mark.parametrize(
    ("function", "precision", "units", "rounded"),
    [
        ("round", 0, "2.5", "3"),
        ("round", 0, "-2.5", "-3"),
        ("round", 1, "0.25", "0.3"),
        ("round", 1, "0.2499", "0.2"),
        ("round", -1, "15", "20"),
        ("round", -3, "499", "0"),
        ("ceil", 0, "2.000000000001", "3"),
        ("ceil", 2, "0.001", "0.01"),
        ("ceil", -1, "11", "20"),
        ("ceil", 0, "-2.5", "-2"),
        ("floor", 0, "2.999", "2"),
        ("floor", -2, "199", "100"),
        ("floor", 0, "-2.5", "-3"),
        ("round", 3, "12", "12.000"),
    ],
)
def test_units_are_rounded_to_decimals_or_to_tens(function: str, precision: int, units: str, rounded: str) -> None:
    found = Rounding(function, precision).of(Decimal(units))

    assert (found, str(found)) == (Decimal(rounded), rounded)


def test_as_many_digits_as_units_may_have_are_rounded_exactly() -> None:
    units = Decimal("9" * 38 + "." + "9" * 20)

    assert Rounding("floor", 19).of(units) == Decimal("9" * 38 + "." + "9" * 19)
