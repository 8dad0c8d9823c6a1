"""Rounding of the units that a meter aggregated."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import Final

import msgspec

from domain.values.money import MONEY

#: The functions by which units may be rounded; of two values equally near, `round` takes the one further from 0.
ROUNDINGS: Final = {"round": ROUND_HALF_UP, "ceil": ROUND_CEILING, "floor": ROUND_FLOOR}


class Rounding(msgspec.Struct, frozen=True):
    """How aggregated units are rounded: a function of `ROUNDINGS`, and to how many decimals; below 0: to tens."""

    function: str
    precision: int = 0

    def of(self, units: Decimal) -> Decimal:
        """Return the rounded units, without an exponent.

        With "round" and 1: 0.25 is 0.3. With "ceil" and -1: 11 is 20.
        """
        quantum = Decimal(1).scaleb(-self.precision)
        rounded = units.quantize(quantum, ROUNDINGS[self.function], MONEY)
        return rounded.quantize(Decimal(1), context=MONEY) if self.precision < 0 else rounded
