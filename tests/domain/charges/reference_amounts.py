"""Amounts counted one by one: each tenth of a unit, each package, each event. Slow, and plain to read."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from domain.charges.amounts import Used
from domain.charges.models import (
    ChargeModel,
    Graduated,
    GraduatedPercentage,
    Package,
    Percentage,
    Standard,
    Volume,
)
from domain.charges.ranges import PriceRange, RateRange


def reference_amount(model: ChargeModel, used: Used) -> Fraction:
    """The amount of usage whose units are a whole number of tenths, and whose values are told."""
    tenths = max(int(used.units * 10), 0)
    match model:
        case Standard():
            return sum((Fraction(model.amount) / 10 for _ in range(tenths)), Fraction(0))
        case Graduated():
            return _tier_by_tier(model.ranges, [Fraction(one.per_unit_amount) for one in model.ranges], tenths)
        case GraduatedPercentage():
            return _tier_by_tier(model.ranges, [Fraction(one.rate) / 100 for one in model.ranges], tenths)
        case Volume():
            one = model.ranges[_place(model.ranges, tenths)]
            return Fraction(one.flat_amount) + Fraction(tenths, 10) * Fraction(one.per_unit_amount)
        case Package():
            return _packages(model, Fraction(tenths, 10)) * Fraction(model.amount)
        case Percentage():
            return _events(model, used) if tenths else Fraction(0)


def _place(ranges: Sequence[PriceRange | RateRange], tenth: int) -> int:
    """Which range the last of so many tenths is in: the first one that does not end before it."""
    return next(
        place
        for place, one in enumerate(ranges)
        if one.to_value is None or Fraction(tenth, 10) <= Fraction(one.to_value)
    )


def _tier_by_tier(ranges: Sequence[PriceRange | RateRange], price: list[Fraction], tenths: int) -> Fraction:
    places = [_place(ranges, tenth) for tenth in range(1, tenths + 1)]
    flat = sum((Fraction(ranges[place].flat_amount) for place in {0, *places}), Fraction(0))
    return flat + sum((price[place] / 10 for place in places), Fraction(0))


def _packages(model: Package, units: Fraction) -> int:
    opened = 0
    left = units - Fraction(model.free_units)
    while left > 0:
        opened += 1
        left -= model.package_size
    return opened


def _events(model: Percentage, used: Used) -> Fraction:
    charged = _charged_events(model, [Fraction(value) for value in used.values or ()])
    fixed = Fraction(model.fixed_amount or 0)
    rate = Fraction(model.rate) / 100
    least, most = model.per_transaction_min_amount, model.per_transaction_max_amount
    if least is None and most is None:
        return max(sum(charged, Fraction(0)), Fraction(0)) * rate + fixed * len(charged)
    total = Fraction(0)
    for value in charged:
        fee = value * rate + fixed
        if least is not None and fee < least:
            fee = Fraction(least)
        if most is not None and fee > most:
            fee = Fraction(most)
        total += fee
    return max(total, Fraction(0))


def _charged_events(model: Percentage, values: list[Fraction]) -> list[Fraction]:
    """What is charged of each event from the first one on that is not free."""
    free_events, free_units = model.free_units_per_events, model.free_units_per_total_aggregation
    if not free_events and not free_units:
        return values
    totals = [sum(values[: place + 1], Fraction(0)) for place in range(len(values))]
    beyond = [place for place, total in enumerate(totals) if free_units and total >= free_units]
    if free_units and beyond and not (free_events and free_events <= beyond[0]):
        return [totals[beyond[0]] - Fraction(free_units), *values[beyond[0] + 1 :]]
    return values[free_events:] if free_events else []
