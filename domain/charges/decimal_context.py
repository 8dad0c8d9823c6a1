"""The decimal context of charges: so precise that no amount is rounded before it is rounded to its currency."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, DivisionByZero, InvalidOperation, Overflow
from typing import Final

#: Exact for units with up to 38 digits on each side of the point: times a price they have at most 111 digits, and
#: sums of a hundred ranges, or of any number of events that a machine can hold, have fewer than twice as many.
EXACT: Final = Context(prec=200, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero, Overflow])
