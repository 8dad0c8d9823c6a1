"""Values of logged payloads, which keep to no schema: exact numbers, and objects inside objects.

A value that is not what it should be is passed on as it is, for intake to reject.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

#: The digits that a number may have on either side of the decimal point; one with more is not converted.
EXPONENT_MAX: Final = 40
#: Decimal text, in the spellings of the common languages; others are no number.
_DECIMAL_TEXT: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,6})?")


def whole_number(value: Any) -> Any:
    """A number of tokens as an integer if it is a whole number, such as 50.0; any other value as it is."""
    if isinstance(value, Decimal) and can_be_written_out(value) and value == value.to_integral_value():
        return int(value)
    return value


def at_most(part: Any, whole: Any) -> Any:
    """Cap a part at its whole, as some providers report parts that exceed it."""
    return min(part, whole) if isinstance(part, int) and isinstance(whole, int) else part


def decimal_of(value: Any) -> Decimal | None:
    """The number that a value is, or that it says as text; None if there is none."""
    if isinstance(value, str):
        text = value.strip()
        return Decimal(text) if _DECIMAL_TEXT.fullmatch(text) else None
    return number_of(value)


def number_of(value: Any) -> Decimal | None:
    """The finite number that a value is; None if it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    exact = Decimal(str(value))
    return exact if exact.is_finite() else None


def can_be_written_out(exact: Decimal) -> bool:
    """Whether the number has few digits when written without an exponent: 1e1000000 has a million."""
    exponent = exact.as_tuple().exponent
    return isinstance(exponent, int) and abs(exponent) <= EXPONENT_MAX and exact.adjusted() <= EXPONENT_MAX


def object_in(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The object that is the member `name`; an empty one where that is no object."""
    member = value.get(name)
    return member if isinstance(member, Mapping) else {}
