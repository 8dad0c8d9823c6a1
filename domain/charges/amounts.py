"""The amount that usage costs by a charge model: exact, in major units of the currency, and not yet rounded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Final, TypeVar

import msgspec

from domain.charges.decimal_context import EXACT
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

UNIT_AMOUNT_DECIMALS: Final = 18
_NOTHING: Final = Decimal(0)
_PERCENT: Final = Decimal("0.01")

R = TypeVar("R", PriceRange, RateRange)


class Used(msgspec.Struct, frozen=True):
    """What a charge is for: a number of units, and of the events that they come from.

    `values`: what each event added to the units, in the order of time; they add up to the units. Only the models of
    `needs_values` read them.
    """

    units: Decimal
    events: int
    values: Sequence[Decimal] | None = None


def amount_of(model: ChargeModel, used: Used) -> Decimal:
    """Return the exact amount of what was used. Units below 0 count as 0.

    `ValueError` for a model that `needs_values` where there are none.
    """
    with localcontext(EXACT):
        match model:
            case Standard():
                return _standard_amount(model, used)
            case Graduated():
                return _graduated_amount(model, used)
            case Package():
                return _package_amount(model, used)
            case Percentage():
                return _percentage_amount(model, used)
            case Volume():
                return _volume_amount(model, used)
            case GraduatedPercentage():
                return _graduated_percentage_amount(model, used)


def unit_amount_of(model: ChargeModel, used: Used) -> Decimal | None:
    """Return what one of the units costs on average, rounded half-up to 18 decimals; None without units."""
    if used.units <= 0:
        return None
    unit_amount = EXACT.divide(amount_of(model, used), used.units)
    return unit_amount.quantize(Decimal(1).scaleb(-UNIT_AMOUNT_DECIMALS), ROUND_HALF_UP, EXACT)


def needs_values(model: ChargeModel) -> bool:
    """Whether the amount depends on the values of single events, and not on the totals alone.

    So it is with a percentage that bounds what an event costs, that frees events of which a rate is charged, or that
    frees units and charges for each event outside of them.
    """
    if not isinstance(model, Percentage):
        return False
    return (
        _bounds_events(model)
        or bool(model.free_units_per_events and model.rate)
        or bool(model.free_units_per_total_aggregation and model.fixed_amount)
    )


def _standard_amount(model: Standard, used: Used) -> Decimal:
    """Units times the price.

    1,200 units at 0.05: 1,200 × 0.05 = 60.
    """
    return _units(used) * model.amount


def _graduated_amount(model: Graduated, used: Used) -> Decimal:
    """The flat amount of each range that the units reach, and the units in it times its price.

    Up to 10 units at 2 and a flat amount of 5, the rest at 1 and a flat amount of 3; 12 units:
    5 + 10 × 2 + 3 + 2 × 1 = 30. Without units: 5, the flat amount of the first range.
    """
    reached = _reached(model.ranges, _units(used))
    return sum((one.flat_amount + units * one.per_unit_amount for one, units in reached), _NOTHING)


def _package_amount(model: Package, used: Used) -> Decimal:
    """The price of each package that is begun, after the free units.

    100 free units, then 5 for each package of 100; 201 units: 101 units are left, 2 packages, 2 × 5 = 10.
    """
    full, rest = divmod(max(_units(used) - model.free_units, _NOTHING), model.package_size)
    return (full + 1 if rest else full) * model.amount


def _percentage_amount(model: Percentage, used: Used) -> Decimal:
    """The rate of the units that are charged, and the fixed amount for each event that is.

    1.2 % and 0.10 for each event, after 3 events or 500 units that are free; events of 200, 100, 100 and 50: three are
    free, the fourth costs 50 × 1.2 % + 0.10 = 0.70. Without units nothing is charged, whatever the events.
    """
    if used.units <= 0:
        return _NOTHING
    if not needs_values(model):
        units = used.units - (model.free_units_per_total_aggregation or 0)
        return _fee(model, units, used.events - (model.free_units_per_events or 0))
    if used.values is None:
        raise ValueError("the amount by this percentage model needs the values of the events")
    charged = _charged_values(model, used.values)
    if _bounds_events(model):
        return max(sum((_bounded(model, _fee_of_event(model, value)) for value in charged), _NOTHING), _NOTHING)
    values = list(charged)
    return _fee(model, sum(values, _NOTHING), len(values))


def _volume_amount(model: Volume, used: Used) -> Decimal:
    """The flat amount of the range that the total is in, and all units times the price of that range.

    Up to 10 units at 2, more at 1 and a flat amount of 3; 12 units: 3 + 12 × 1 = 15.
    """
    units = _units(used)
    *_, (one, _) = _reached(model.ranges, units)
    return one.flat_amount + units * one.per_unit_amount


def _graduated_percentage_amount(model: GraduatedPercentage, used: Used) -> Decimal:
    """The flat amount of each range that the units reach, and the rate of this range of the units in it.

    Up to 1,000 units 1 % and a flat amount of 200, then 2 % and a flat amount of 300; 1,500 units:
    200 + 1,000 × 1 % + 300 + 500 × 2 % = 520.
    """
    reached = _reached(model.ranges, _units(used))
    return sum((one.flat_amount + units * one.rate * _PERCENT for one, units in reached), _NOTHING)


def _units(used: Used) -> Decimal:
    return max(used.units, _NOTHING)


def _reached(ranges: Sequence[R], units: Decimal) -> Iterator[tuple[R, Decimal]]:
    """Yield the ranges that the units reach, and how many are in each. The first one is always reached.

    The units of a range are those above the end of the one before, up to and including its own end.
    """
    below = _NOTHING
    for one in ranges:
        if one.to_value is None or units <= one.to_value:
            yield one, units - below
            return
        yield one, one.to_value - below
        below = one.to_value


def _charged_values(model: Percentage, values: Sequence[Decimal]) -> Iterator[Decimal]:
    """Yield what is charged of each event that is not free, in the order of time.

    1. Events are free as long as free events are left and the free units are not used up.
    2. The event that uses up the free units is charged, for the part of it that is above them.
    3. All later events are charged whole.
    """
    units_free = model.free_units_per_total_aggregation or None
    events_free = model.free_units_per_events or (len(values) if units_free else 0)
    total = _NOTHING
    for index, value in enumerate(values):
        total += value
        if index >= events_free:
            yield value
        elif units_free is not None and total >= units_free:
            yield total - units_free
            events_free = 0


def _fee(model: Percentage, units: Decimal, events: int) -> Decimal:
    """What units and events cost, of which neither counts below 0."""
    return max(units, _NOTHING) * model.rate * _PERCENT + max(events, 0) * (model.fixed_amount or _NOTHING)


def _fee_of_event(model: Percentage, value: Decimal) -> Decimal:
    return value * model.rate * _PERCENT + (model.fixed_amount or _NOTHING)


def _bounds_events(model: Percentage) -> bool:
    return model.per_transaction_min_amount is not None or model.per_transaction_max_amount is not None


def _bounded(model: Percentage, fee: Decimal) -> Decimal:
    least, most = model.per_transaction_min_amount, model.per_transaction_max_amount
    fee = fee if least is None else max(fee, least)
    return fee if most is None else min(fee, most)
