"""Exact JSON numbers: decoded as the text in which they were written, because a float would round them.

A decoder made by `number_keeping_decoder` decodes every number with a point or an exponent to `msgspec.Raw`, and
integers to `int`. All spellings of one value have the same canonical text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

import msgspec
from msgspec import Raw

#: The most digits of a JSON integer that can be decoded; see `canonical_number`.
INTEGER_DIGITS_MAX: Final = 4_300
#: Canonical text writes a fraction with an exponent when its plain text would be longer than this.
PLAIN_FRACTION_LENGTH_MAX: Final = 40
#: Larger exponents are clamped to this, so that a number of a few bytes cannot be expanded into huge text.
EXPONENT_MAX: Final = 10**18
#: No price, count or setting has a power of ten beyond this, and as an integer such a number fills the memory.
USABLE_EXPONENT_MAX: Final = 1_000

_NUMBER: Final = re.compile(r"(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([+-]?)([0-9]+))?")
#: The first half of a surrogate pair, without room for the second, before the end of an array, object or string.
_ENDS_AFTER_SURROGATE: Final = re.compile(rb'\\u[dD][89abAB][0-9a-fA-F]{2}[^\\]{0,5}["\]}][ \t\r\n]*\Z')
_TAIL_BYTES: Final = 64


class WrittenDecimal(msgspec.Struct, frozen=True):
    """A decimal number: `digits` (no zeros at either end, empty for zero) times ten to the power of `exponent`."""

    negative: bool
    digits: str
    exponent: int
    digits_written: int

    @property
    def magnitude(self) -> int:
        """The number of digits before the point; the value is below ten to this power."""
        return len(self.digits) + self.exponent

    @property
    def plain_fraction_length(self) -> int:
        """The length of `plain()` for a number with a negative exponent, computed without building the text."""
        body = len(self.digits) + 1 if self.magnitude > 0 else len(self.digits) + 2 - self.magnitude
        return body + self.negative

    def plain(self) -> str:
        """Return decimal text without an exponent. Only for numbers whose magnitude was checked to be bounded."""
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
    """Parse a number of the JSON grammar; None for any other text."""
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
    """Return the text of a decoded JSON number (`int` or `Raw`); None for any other value."""
    if type(value) is int:
        return str(value)
    if isinstance(value, Raw):
        return bytes(value).decode()
    return None


def is_canonical(text: str) -> bool:
    """Whether the text of a JSON number with a point or an exponent is canonical already."""
    return text[-1] != "0" and "e" not in text and "E" not in text and len(text) <= PLAIN_FRACTION_LENGTH_MAX


def canonical_number(text: str) -> str:
    """Return the canonical text of a JSON number, which is the same for all spellings of a value.

    Whole numbers have no exponent up to the length that a JSON integer may have, since those are decoded to `int`.
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
    """Return the canonical text as a raw JSON number. Can be used as the `float_hook` of a decoder."""
    return Raw(canonical_number(text).encode())


def number_keeping_decoder(float_hook: Callable[[str], Any] = Raw) -> msgspec.json.Decoder[Any]:
    """Return a decoder that passes the text of every number with a point or an exponent to `float_hook`."""
    return msgspec.json.Decoder(float_hook=float_hook)


def _decimal(text: str) -> Decimal:
    return Decimal(text)


#: Decode any JSON value; numbers with a point or an exponent become exact `Decimal`. Raises `ValueError`,
#: `RecursionError` or `ArithmeticError` for invalid JSON.
exact_json: Final = number_keeping_decoder(_decimal).decode


class UnusableNumber:
    """Stands for a JSON number too large or too small to be computed with. It is no JSON value: every rule refuses it.

    So the field that has it is named with its own rule, and nothing ever expands `1e999999999` into digits.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "a number beyond all bounds"


_UNUSABLE: Final = UnusableNumber()


def _usable(text: str) -> Decimal | UnusableNumber:
    try:
        number = Decimal(text)
    except ArithmeticError:  # an exponent that no Decimal has
        return _UNUSABLE
    return number if abs(number.adjusted()) <= USABLE_EXPONENT_MAX else _UNUSABLE


#: Decode like `exact_json`, with an `UnusableNumber` in place of each number beyond all use.
usable_json: Final = number_keeping_decoder(_usable).decode


def not_json_reason(error: Exception, text: bytes) -> str:
    """Say why text is no JSON. The decoder takes a lone surrogate near the end of a text for a text that is cut off."""
    if _ENDS_AFTER_SURROGATE.search(text, max(len(text) - _TAIL_BYTES, 0)):
        return "JSON is malformed: invalid utf-16 surrogate pair"
    return str(error)


def plain_json(value: Any) -> Any:
    """Return a copy of a decoded JSON value with each `Decimal` as a float, for free-form JSON such as metadata."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict):
        return {key: plain_json(member) for key, member in value.items()}
    if isinstance(value, list):
        return [plain_json(member) for member in value]
    return value
