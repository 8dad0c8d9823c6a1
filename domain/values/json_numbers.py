"""JSON numbers as the text they were written in, because a float would already have bent them.

A decoder made by `number_keeping_decoder` leaves every number with a point or an exponent as
`msgspec.Raw`; integers become `int`. Two spellings of one value share one canonical text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

import msgspec
from msgspec import Raw

#: A JSON integer of more digits cannot be read at all; see `canonical_number` for why it matters here.
INTEGER_DIGITS_MAX: Final = 4_300
#: A fraction whose plain spelling is longer is spelled with an exponent in canonical text.
PLAIN_FRACTION_LENGTH_MAX: Final = 40
#: Exponents beyond this are taken as this: nobody can mean them, and nothing may be made to expand them.
EXPONENT_MAX: Final = 10**18

_NUMBER: Final = re.compile(r"(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([+-]?)([0-9]+))?")


class WrittenDecimal(msgspec.Struct, frozen=True):
    """A number as written: `digits` (no zeros at either end, empty for zero) times ten to the `exponent`."""

    negative: bool
    digits: str
    exponent: int
    digits_written: int

    @property
    def magnitude(self) -> int:
        """How many digits stand before the point; the value is below ten to this power."""
        return len(self.digits) + self.exponent

    @property
    def plain_fraction_length(self) -> int:
        """The length of `plain()` of a number with a negative exponent, without spelling it out."""
        body = len(self.digits) + 1 if self.magnitude > 0 else len(self.digits) + 2 - self.magnitude
        return body + self.negative

    def plain(self) -> str:
        """Decimal text without an exponent. Only for numbers whose magnitude has been bounded."""
        if not self.digits:
            return "0"
        if self.exponent >= 0:
            text = self.digits + "0" * self.exponent
        elif self.magnitude > 0:
            text = f"{self.digits[: self.magnitude]}.{self.digits[self.magnitude :]}"
        else:
            text = f"0.{'0' * -self.magnitude}{self.digits}"
        return f"-{text}" if self.negative else text


def written_decimal(text: str) -> WrittenDecimal | None:
    """The number that `text` spells by the JSON grammar, or None when it spells none."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    minus, whole, fraction, exponent_sign, exponent_digits = match.groups(default="")
    exponent_digits = exponent_digits.lstrip("0")
    exponent = EXPONENT_MAX if len(exponent_digits) > 18 else int(exponent_digits or "0")
    written = whole + fraction
    significant = written.lstrip("0")
    digits = significant.rstrip("0")
    if not digits:
        return WrittenDecimal(False, "", 0, len(written))
    shift = len(significant) - len(digits) - len(fraction)
    return WrittenDecimal(minus == "-", digits, (-exponent if exponent_sign == "-" else exponent) + shift, len(written))


def number_text(value: object) -> str | None:
    """The text of a decoded JSON number (`int` or `Raw`); None when the value is no number."""
    if type(value) is int:
        return str(value)
    if isinstance(value, Raw):
        return bytes(value).decode()
    return None


def is_canonical(text: str) -> bool:
    """Whether the text of a JSON number with a point or an exponent is its own canonical spelling."""
    return text[-1] != "0" and "e" not in text and "E" not in text and len(text) <= PLAIN_FRACTION_LENGTH_MAX


def canonical_number(text: str) -> str:
    """The one spelling that all JSON spellings of this value share.

    Whole numbers are plain up to the length that a JSON integer may have, since those arrive as `int`.
    """
    number = written_decimal(text)
    if number is None:
        raise ValueError("not a JSON number")
    if number.exponent >= 0 and number.magnitude <= INTEGER_DIGITS_MAX:
        return number.plain()
    if number.exponent < 0 and number.plain_fraction_length <= PLAIN_FRACTION_LENGTH_MAX:
        return number.plain()
    return f"{'-' if number.negative else ''}{number.digits}e{number.exponent}"


def canonical_raw(text: str) -> Raw:
    """`canonical_number`, ready to be written into JSON as a number. Fits as a decoder's `float_hook`."""
    return Raw(canonical_number(text).encode())


def number_keeping_decoder(float_hook: Callable[[str], Any] = Raw) -> msgspec.json.Decoder[Any]:
    """A decoder that hands the text of every number with a point or an exponent to `float_hook`."""
    return msgspec.json.Decoder(float_hook=float_hook)


def _decimal(text: str) -> Decimal:
    return Decimal(text)


#: Reads any JSON value, numbers with a point or an exponent as exact `Decimal`. Raises `ValueError`, `RecursionError`
#: or `ArithmeticError` for what is none.
exact_json: Final = number_keeping_decoder(_decimal).decode


def plain_json(value: Any) -> Any:
    """`value` with Decimals as JSON numbers, for what is kept as free JSON."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict):
        return {key: plain_json(member) for key, member in value.items()}
    if isinstance(value, list):
        return [plain_json(member) for member in value]
    return value
