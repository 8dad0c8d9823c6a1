"""Types of members: numbers read exactly, dates and times, enumerations."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, WithJsonSchema

Environment = Literal["prod", "test"]
BudgetDuration = Literal["daily", "weekly", "monthly", "yearly"]

_INSTANT: Final = {"type": "string", "format": "date-time"}


def _number(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("must be a number")
    return value


def _instant(value: Any) -> Any:
    """Read ISO 8601 text. Without an offset it is UTC, and a date alone is its midnight."""
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not value[:1].isdigit():
        raise ValueError("must be a date, or a date and time, in ISO 8601")
    try:
        moment = datetime.fromisoformat(value.strip().upper())
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("must be a date, or a date and time, in ISO 8601") from None


def _identifier(value: Any) -> Any:
    """Read an id. A whole JSON number is its text."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


#: US dollars, or percent.
Number = Annotated[Decimal, BeforeValidator(_number), WithJsonSchema({"type": "number"})]
Instant = Annotated[datetime, BeforeValidator(_instant), WithJsonSchema(_INSTANT)]
Identifier = Annotated[
    str,
    BeforeValidator(_identifier),
    WithJsonSchema({"anyOf": [{"type": "string", "minLength": 1, "maxLength": 1_000}, {"type": "integer"}]}),
]
