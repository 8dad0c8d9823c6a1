"""Money: exact decimal USD, stored to the picodollar (twelve decimals), never converted through a float."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_EVEN, Context, Decimal, DivisionByZero, InvalidOperation, Overflow
from typing import Final

from domain.errors import InvalidInput

#: Precise enough that no sum or product of two numbers of 38 digits is rounded.
MONEY: Final = Context(prec=76, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero, Overflow])

COST_DECIMALS: Final = 12
DIGITS_MAX: Final = 38
USD_LIMIT: Final = Decimal(10**15)
MARKUP_PERCENTAGE_MIN: Final = Decimal(-100)
MARKUP_PERCENTAGE_MAX: Final = Decimal(10_000)
MARKUP_DECIMALS_MAX: Final = 6
DISCOUNT_PERCENTAGE_MAX: Final = Decimal(100)
DISCOUNT_DECIMALS_MAX: Final = 6
PRICE_DECIMALS_MAX: Final = 18

#: Types of a given number. A float means its shortest decimal text, as a JSON writer would write it.
Number = str | int | float | Decimal

_TEXT_LENGTH_MAX: Final = 100
_PICODOLLAR: Final = Decimal(1).scaleb(-COST_DECIMALS)
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")


def usd(value: Number, field: str = "cost_usd") -> Decimal:
    """Parse an amount in USD, rounded half-even to twelve decimals.

    Raises `InvalidInput` naming `field` for a value that is not a number, is negative, is 10^15 or more, or is written
    with more than 38 digits.
    """
    return rounded_cost(_amount(value, field))


def unit_price(value: Number, field: str) -> Decimal:
    """Parse a unit price in USD: like `usd`, but with up to eighteen decimals and never rounded."""
    price = _amount(value, field)
    if decimals_of(price) > PRICE_DECIMALS_MAX:
        raise InvalidInput(field, f"must have at most {PRICE_DECIMALS_MAX} decimals")
    return price


def markup_percentage(value: Number, field: str = "markup_percentage") -> Decimal:
    """Parse a percentage on top of the raw cost: -100 (free) to 10,000, with at most six decimals."""
    return _percentage(value, field, MARKUP_PERCENTAGE_MIN, MARKUP_PERCENTAGE_MAX, MARKUP_DECIMALS_MAX)


def discount_percentage(value: Number, field: str = "percentage") -> Decimal:
    """Parse a percentage off a price: 0 (nothing off) to 100 (free), with at most six decimals."""
    percentage = _percentage(value, field, Decimal(0), DISCOUNT_PERCENTAGE_MAX, DISCOUNT_DECIMALS_MAX)
    return percentage.copy_abs()  # makes a negative zero positive


def _percentage(value: Number, field: str, least: Decimal, most: Decimal, decimals_max: int) -> Decimal:
    percentage = _decimal(value, field)
    if not least <= percentage <= most:
        raise InvalidInput(field, f"must be between {least} and {most}")
    if decimals_of(percentage) > decimals_max:
        raise InvalidInput(field, f"must have at most {decimals_max} decimals")
    return percentage


def rounded_cost(amount: Decimal) -> Decimal:
    """Return `amount` rounded half-even to twelve decimals, never a negative zero."""
    rounded = amount.quantize(_PICODOLLAR, context=MONEY)
    return rounded if rounded else rounded.copy_abs()


def marked_up(raw: Decimal, percentage: Decimal) -> Decimal:
    """Return raw x (1 + percentage / 100), exactly: with the decimals of both factors and two more."""
    factor = MONEY.add(percentage, Decimal(100)).scaleb(-2, MONEY)
    return MONEY.multiply(raw, factor)


def money_text(amount: Decimal) -> str:
    """Return plain decimal text without an exponent or trailing zeros: "0.0125", "0", "-3"."""
    if not amount:
        return "0"
    return format(amount.normalize(MONEY), "f")


def decimals_of(number: Decimal) -> int:
    """Return the number of decimals of a finite number, not counting trailing zeros."""
    return max(0, -int(number.normalize(MONEY).as_tuple().exponent))


def _amount(value: Number, field: str) -> Decimal:
    number = _decimal(value, field)
    if number < 0:
        raise InvalidInput(field, "must not be negative")
    if number >= USD_LIMIT:
        raise InvalidInput(field, "must be less than 10^15")
    return number.copy_abs()  # makes a negative zero positive; abs() would round to the thread's context


def _decimal(value: Number, field: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise InvalidInput(field, "must be a decimal number")
    if isinstance(value, int) and abs(value) >= 10**DIGITS_MAX:  # before str(), which refuses enormous integers
        raise InvalidInput(field, f"must have at most {DIGITS_MAX} digits")
    text = value if isinstance(value, str) else str(value)
    if len(text) > _TEXT_LENGTH_MAX:
        raise InvalidInput(field, f"must have at most {DIGITS_MAX} digits")
    if _NUMBER.fullmatch(text) is None:
        raise InvalidInput(field, "must be a decimal number, such as 0.0125")
    mantissa = re.split("[eE]", text)[0]
    if sum(character.isdigit() for character in mantissa) > DIGITS_MAX:
        raise InvalidInput(field, f"must have at most {DIGITS_MAX} digits")
    return Decimal(text)
