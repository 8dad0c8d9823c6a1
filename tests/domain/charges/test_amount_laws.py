"""Laws of amounts: what more usage can do to them, and what the way in which a model is written cannot."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.charges.amounts import Used, amount_of, needs_values, unit_amount_of
from domain.charges.models import ChargeModel, Graduated, GraduatedPercentage, Package, Percentage, Standard, Volume
from domain.charges.ranges import PriceRange, RateRange
from tests.domain.charges.generated_models import (
    added_values,
    graduated_percentages,
    graduateds,
    models,
    packages,
    percentages,
    prices,
    some_tenths,
    spaced,
    standards,
    touching,
    units,
    used_by,
    used_units,
    volumes,
    whole_ends,
)

#: Models of which more usage never costs less.
rising = standards | graduateds | packages | graduated_percentages


@given(rising, units, some_tenths)
def test_more_units_never_cost_less_by_models_that_rise(model: ChargeModel, count: Decimal, more: Decimal) -> None:
    assert amount_of(model, used_units(count)) <= amount_of(model, used_units(count + more))


@given(percentages, added_values, some_tenths)
def test_one_more_event_never_makes_a_percentage_less(model: Percentage, values: list[Decimal], more: Decimal) -> None:
    assert amount_of(model, used_by(values)) <= amount_of(model, used_by([*values, more]))


def test_more_units_may_cost_less_by_volume() -> None:
    model = Volume(
        (
            PriceRange(Decimal(0), Decimal(10), Decimal(2)),
            PriceRange(Decimal(10), None, Decimal(1)),
        )
    )
    assert [amount_of(model, used_units(Decimal(count))) for count in (10, 11)] == [20, 11]


@given(models, st.integers(-600, 0).map(lambda count: Decimal(count).scaleb(-1)))
def test_units_below_zero_count_as_zero(model: ChargeModel, count: Decimal) -> None:
    assert amount_of(model, used_units(count)) == amount_of(model, used_units(Decimal(0)))
    assert unit_amount_of(model, used_units(count)) is None


@given(models, units)
def test_an_amount_is_never_negative(model: ChargeModel, count: Decimal) -> None:
    assert amount_of(model, used_units(count)) >= 0


@given(whole_ends, st.data(), units)
def test_both_ways_of_writing_ranges_mean_the_same(ends: list[Decimal], data: st.DataObject, count: Decimal) -> None:
    priced = [(data.draw(prices), data.draw(prices)) for _ in range(len(ends) + 1)]
    used = used_units(count)
    one_way, other_way = (
        tuple(PriceRange(*bounds, *price) for bounds, price in zip(written(ends), priced, strict=True))
        for written in (touching, spaced)
    )
    assert amount_of(Graduated(one_way), used) == amount_of(Graduated(other_way), used)
    assert amount_of(Volume(one_way), used) == amount_of(Volume(other_way), used)
    one_rate, other_rate = (
        tuple(RateRange(*bounds, *price) for bounds, price in zip(written(ends), priced, strict=True))
        for written in (touching, spaced)
    )
    assert amount_of(GraduatedPercentage(one_rate), used) == amount_of(GraduatedPercentage(other_rate), used)


@given(graduateds, some_tenths, some_tenths)
def test_without_flat_amounts_a_graduated_amount_has_no_steps(model: Graduated, count: Decimal, more: Decimal) -> None:
    sloped = Graduated(tuple(msgspec.structs.replace(one, flat_amount=Decimal(0)) for one in model.ranges))
    step = Fraction(amount_of(sloped, used_units(count + more))) - Fraction(amount_of(sloped, used_units(count)))
    slopes = [Fraction(one.per_unit_amount) * Fraction(more) for one in sloped.ranges]
    assert min(slopes) <= step <= max(slopes)


@given(st.decimals(0, 10**14, places=18), units)
def test_one_range_without_a_flat_amount_is_a_standard_price(price: Decimal, count: Decimal) -> None:
    whole = (PriceRange(Decimal(0), None, price),)
    amounts = {amount_of(model, used_units(count)) for model in (Standard(price), Graduated(whole), Volume(whole))}
    assert len(amounts) == 1


@given(packages, units)
def test_packages_are_counted_up(model: Package, count: Decimal) -> None:
    packages_begun = math.ceil((Fraction(count) - Fraction(model.free_units)) / model.package_size)
    assert Fraction(amount_of(model, used_units(count))) == max(packages_begun, 0) * Fraction(model.amount)


@given(percentages, added_values.filter(any))
def test_bounds_hold_for_each_event_that_is_charged(model: Percentage, values: list[Decimal]) -> None:
    paying = msgspec.structs.replace(model, free_units_per_events=None, free_units_per_total_aggregation=None)
    amount = Fraction(amount_of(paying, used_by(values)))
    if model.per_transaction_min_amount is not None:
        assert amount >= len(values) * Fraction(model.per_transaction_min_amount)
    if model.per_transaction_max_amount is not None:
        assert amount <= len(values) * Fraction(model.per_transaction_max_amount)


@given(volumes, some_tenths)
def test_a_volume_is_charged_by_one_range_alone(model: Volume, count: Decimal) -> None:
    by_range = [Fraction(one.flat_amount) + Fraction(count) * Fraction(one.per_unit_amount) for one in model.ranges]
    assert Fraction(amount_of(model, used_units(count))) in by_range


@pytest.mark.parametrize(
    ("model", "needed"),
    [
        (Standard(Decimal(1)), False),
        (Percentage(Decimal(1)), False),
        (Percentage(Decimal(1), Decimal(1)), False),
        (Percentage(Decimal(1), None, 0, Decimal(0)), False),
        (Percentage(Decimal(1), None, None, Decimal(500)), False),
        (Percentage(Decimal(1), Decimal(0), None, Decimal(500)), False),
        (Percentage(Decimal(0), Decimal(1), 3), False),
        (Percentage(Decimal(1), None, 3), True),
        (Percentage(Decimal(1), Decimal(1), None, Decimal(500)), True),
        (Percentage(Decimal(0), Decimal(1), None, Decimal(500)), True),
        (Percentage(Decimal(1), per_transaction_min_amount=Decimal(0)), True),
        (Percentage(Decimal(1), per_transaction_max_amount=Decimal(5)), True),
    ],
)
def test_values_are_needed_where_it_matters_which_event_they_belong_to(model: ChargeModel, needed: bool) -> None:
    assert needs_values(model) is needed


def test_an_amount_that_needs_values_is_not_guessed_without_them() -> None:
    model = Percentage(Decimal(1), per_transaction_max_amount=Decimal(5))
    with pytest.raises(ValueError, match="needs the values of the events"):
        amount_of(model, Used(Decimal(100), 2))


def test_digits_are_kept_where_the_usual_precision_would_round() -> None:
    units, price = "12345678901234567890.123456789012345678", "123456789012345.000000000000000001"
    amount = amount_of(Standard(Decimal(price)), Used(Decimal(units), 1))
    assert Fraction(amount) == Fraction(units) * Fraction(price)
