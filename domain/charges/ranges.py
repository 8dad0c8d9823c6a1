"""Ranges of units, each with a price or a rate of its own, and the rules for their bounds.

Bounds may be written in two ways, which mean the same: where one range ends the next one begins (0 to 10, 10 to 20),
or, in whole numbers, one above it (0 to 10, 11 to 20). Either way the units of a range are those above the end of the
range before, up to and including its own end. So 10 units are in the first range, and 10.5 units reach the second one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final, TypeVar

import msgspec

from domain.charges.members import Members, array_of, nonnegative
from domain.errors import InvalidInput
from domain.values.money import MONEY, decimals_of, money_text

RANGES_MAX: Final = 100


class PriceRange(msgspec.Struct, frozen=True):
    """Units at a price for each, and a flat amount for all of them. `to_value` None: without an end."""

    from_value: Decimal
    to_value: Decimal | None
    per_unit_amount: Decimal
    flat_amount: Decimal = Decimal(0)


class RateRange(msgspec.Struct, frozen=True):
    """Units of which a percentage is charged, and a flat amount for all of them. `to_value` None: without an end."""

    from_value: Decimal
    to_value: Decimal | None
    rate: Decimal
    flat_amount: Decimal = Decimal(0)


R = TypeVar("R", PriceRange, RateRange)


def price_ranges(members: Members) -> tuple[PriceRange, ...]:
    """Read the member `ranges`, of ranges with a price."""
    return _ranges(members, _price_range)


def rate_ranges(members: Members) -> tuple[RateRange, ...]:
    """Read the member `ranges`, of ranges with a rate."""
    return _ranges(members, _rate_range)


def _ranges(members: Members, range_of: Callable[[Members], R]) -> tuple[R, ...]:
    given: Sequence[Any] = members.required("ranges", array_of(RANGES_MAX))
    paths = [Members(f"{members.path('ranges')}.{index}", one) for index, one in enumerate(given)]
    ranges = tuple(range_of(one) for one in paths)
    _check_bounds(ranges, paths)
    return ranges


def _price_range(members: Members) -> PriceRange:
    members.check_names(PriceRange.__struct_fields__)
    return PriceRange(
        from_value=members.required("from_value", nonnegative),
        to_value=members.optional("to_value", nonnegative),
        per_unit_amount=members.required("per_unit_amount", nonnegative),
        flat_amount=members.optional("flat_amount", nonnegative) or Decimal(0),
    )


def _rate_range(members: Members) -> RateRange:
    members.check_names(RateRange.__struct_fields__)
    return RateRange(
        from_value=members.required("from_value", nonnegative),
        to_value=members.optional("to_value", nonnegative),
        rate=members.required("rate", nonnegative),
        flat_amount=members.optional("flat_amount", nonnegative) or Decimal(0),
    )


def _check_bounds(ranges: Sequence[PriceRange | RateRange], paths: Sequence[Members]) -> None:
    """Check each range after the one before it.

    1. The first one begins at 0. Where the second one begins tells in which of the two ways bounds are written.
    2. Each other one begins where that way has it.
    3. Each one ends above its beginning, except the last one, which has no end.
    """
    step = _step(ranges)
    begins = Decimal(0)
    for one, path in zip(ranges[:-1], paths, strict=False):
        _check_beginning(one, begins, step, path)
        begins = MONEY.add(_checked_end(one, step, path), step)
    _check_beginning(ranges[-1], begins, step, paths[-1])
    if ranges[-1].to_value is not None:
        raise InvalidInput(paths[-1].path("to_value"), "must be null in the last range, which has no end")


def _step(ranges: Sequence[PriceRange | RateRange]) -> Decimal:
    """How far above the end of a range the next one begins: 0, or 1 in whole numbers."""
    if len(ranges) == 1 or ranges[0].to_value is None or decimals_of(ranges[0].to_value):
        return Decimal(0)
    return Decimal(int(ranges[1].from_value == MONEY.add(ranges[0].to_value, Decimal(1))))


def _check_beginning(one: PriceRange | RateRange, begins: Decimal, step: Decimal, path: Members) -> None:
    if one.from_value == begins:
        return
    where = "one above the end of the range before" if step else "where the range before ends"
    rule = f"must be {money_text(begins)}, {where}" if begins else "must be 0 in the first range"
    raise InvalidInput(path.path("from_value"), rule)


def _checked_end(one: PriceRange | RateRange, step: Decimal, path: Members) -> Decimal:
    field = path.path("to_value")
    if one.to_value is None:
        raise InvalidInput(field, "is required: only the last range has no end")
    if one.to_value <= one.from_value:
        raise InvalidInput(field, "must be above from_value")
    if step and decimals_of(one.to_value):
        raise InvalidInput(field, "must be a whole number, since the ranges before are written in whole numbers")
    return one.to_value
