"""Amounts are those of a reference that counts every tenth of a unit, every package and every event by itself."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from domain.charges.amounts import Used, amount_of, needs_values, unit_amount_of
from domain.charges.models import ChargeModel, Percentage
from tests.domain.charges.generated_models import event_values, models, percentages, units, used_by, used_units
from tests.domain.charges.reference_amounts import reference_amount


def as_asked(model: ChargeModel, used: Used) -> Used:
    """Usage as a caller tells it: with values where they are needed only."""
    return used if needs_values(model) else msgspec.structs.replace(used, values=None)


@given(models, units)
def test_an_amount_of_units_is_exact(model: ChargeModel, count: Decimal) -> None:
    used = used_units(count)
    assert Fraction(amount_of(model, as_asked(model, used))) == reference_amount(model, used)


@given(percentages, event_values)
def test_a_percentage_of_events_is_exact(model: Percentage, values: list[Decimal]) -> None:
    used = used_by(values)
    assert Fraction(amount_of(model, as_asked(model, used))) == reference_amount(model, used)


@given(models, event_values)
def test_values_that_are_not_needed_change_nothing(model: ChargeModel, values: list[Decimal]) -> None:
    used = used_by(values)
    assert amount_of(model, as_asked(model, used)) == amount_of(model, used)


@given(models, st.integers(1, 60).map(Decimal))
def test_the_amount_of_one_unit_is_the_average_to_eighteen_decimals(model: ChargeModel, count: Decimal) -> None:
    unit_amount = unit_amount_of(model, used_units(count))
    assert unit_amount is not None
    average = reference_amount(model, used_units(count)) / int(count)
    assert Fraction(unit_amount) == Fraction((average * 10**18 + Fraction(1, 2)).__floor__(), 10**18)
