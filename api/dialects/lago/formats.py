"""How values are written: instants, decimal numbers as text, and money in minor units of its currency."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import overload

from domain.charges.currencies import minor_digits, rounded
from domain.charges.decimal_context import EXACT


@overload
def shown_instant(instant: datetime) -> str: ...
@overload
def shown_instant(instant: datetime | None) -> str | None: ...
def shown_instant(instant: datetime | None) -> str | None:
    """Format an instant in UTC, cut off to whole seconds: 2022-04-29T08:59:51Z. None stays None."""
    return None if instant is None else _shown(instant, "seconds")


def precise_instant(instant: datetime) -> str:
    """Format an instant of an event, or of a subscription's start, with milliseconds: 2022-04-29T08:59:51.123Z."""
    return _shown(instant, "milliseconds")


def _shown(instant: datetime, timespec: str) -> str:
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=timespec) + "Z"


def decimal_text(number: Decimal | int) -> str:
    """Format a number as Lago does: never with an exponent, always with a fraction: "4.0", "0.32"."""
    if not number:
        return "0.0"
    whole, _, fraction = format(Decimal(number), "f").partition(".")
    return f"{whole}.{fraction.rstrip('0') or '0'}"


def cents(amount: Decimal, currency: str) -> int:
    """Return an amount in minor units of its currency, rounded half-up: 4.005 USD are 401, 12.5 JPY are 13."""
    return int(rounded(amount, currency).scaleb(minor_digits(currency), EXACT))


def amount_of_cents(amount_cents: int, currency: str) -> Decimal:
    """Return the amount that a whole number of minor units of a currency is."""
    return Decimal(amount_cents).scaleb(-minor_digits(currency), EXACT)
