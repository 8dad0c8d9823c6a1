"""Types of members: numbers read exactly, dates and times, enumerations."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, WithJsonSchema

Environment = Literal["prod", "test"]
BudgetDuration = Literal["daily", "weekly", "monthly", "yearly"]

#: No number that means anything here is longer.
_EXPONENT_MAX: Final = 300
_INSTANT: Final = {"type": "string", "format": "date-time"}


def number_of(value: Any) -> Decimal | None:
    """Read a JSON number, or a number in text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        return None
    try:
        number = Decimal(value)
    except (ArithmeticError, ValueError):
        return None
    return number if number.is_finite() and number.adjusted() <= _EXPONENT_MAX else None


def instant_of(value: Any) -> datetime | None:
    """Read ISO 8601 text, None for anything else. Without an offset it is UTC, and a date alone is its midnight."""
    if not isinstance(value, str) or not value[:1].isdigit():
        return None
    try:
        moment = datetime.fromisoformat(value.strip().upper())
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _number(value: Any) -> Decimal:
    number = number_of(value)
    if number is None:
        raise ValueError("must be a number")
    return number


def _instant(value: Any) -> datetime:
    moment = instant_of(value)
    if moment is None:
        raise ValueError("must be a date, or a date and time, in ISO 8601")
    return moment


def identifier_of(value: Any) -> Any:
    """Read an id: a JSON number is its text. Any other value is passed on."""
    return str(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else value


#: US dollars, or percent.
Number = Annotated[Decimal, BeforeValidator(_number), WithJsonSchema({"type": "number"})]
Instant = Annotated[datetime, BeforeValidator(_instant), WithJsonSchema(_INSTANT)]
Identifier = Annotated[
    str,
    BeforeValidator(identifier_of),
    WithJsonSchema({"anyOf": [{"type": "string", "minLength": 1, "maxLength": 1_000}, {"type": "number"}]}),
]
