"""Validation rules for field values: each takes a field's name and a given value, and returns the value to store.

Each rule raises `InvalidInput`, naming the field, for a value that breaks it. Stored values are JSON: decimals as
plain text, instants as RFC 3339 UTC text with microseconds.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from domain.errors import InvalidInput
from domain.values.durations import parse_duration
from domain.values.identifiers import MODEL_LENGTH_MAX, checked_id
from domain.values.instants import instant_text, parsed_instant
from domain.values.money import markup_percentage, money_text, usd
from domain.values.periods import ANCHOR_LIMIT, ANCHOR_MIN, zone_named

Rule = Callable[[str, Any], Any]

TEXT_LENGTH_MAX: Final = 255
EMAIL_LENGTH_MAX: Final = 254
GROUP_LENGTH_MAX: Final = 1_000
#: The whole numbers that the log can store.
INTEGER_MIN: Final = -(2**63)
INTEGER_MAX: Final = 2**64 - 1
COUNT_MAX: Final = 2**53 - 1  # the largest integer that every JSON reader keeps exactly
OBJECT_DEPTH_MAX: Final = 32
_CURRENCY = re.compile(r"[A-Za-z]{3}")
_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f.]+(\.[^@\s\x00-\x1f\x7f.]+)*")


def text(field: str, value: object) -> str:
    """Text of 1 to 255 characters of valid Unicode, without NUL."""
    return _text(field, value, TEXT_LENGTH_MAX)


def model_name(field: str, value: object) -> str:
    """A model name of 1 to 256 characters, the same limit as in usage events."""
    return _text(field, value, MODEL_LENGTH_MAX)


def identifier(field: str, value: object) -> str:
    """An id; see `domain.values.identifiers`."""
    if not isinstance(value, str):
        raise InvalidInput(field, "must be text")
    return checked_id(field, value)


def group_identifier(field: str, value: object) -> str:
    """The name of a group of customers: text of 1 to 1,000 characters of valid Unicode, without NUL."""
    return _text(field, value, GROUP_LENGTH_MAX)


def email(field: str, value: object) -> str:
    """An email address: one @ and no spaces. Only sending a message could verify more."""
    address = _text(field, value, EMAIL_LENGTH_MAX)
    if _EMAIL.fullmatch(address) is None:
        raise InvalidInput(field, "must be an email address, such as ada@example.com")
    return address


def currency(field: str, value: object) -> str:
    """A currency code of three letters (ISO 4217), in upper case."""
    if not isinstance(value, str) or _CURRENCY.fullmatch(value) is None:
        raise InvalidInput(field, "must be a currency code of three letters, such as USD")
    return value.upper()


def time_zone(field: str, value: object) -> str:
    """The name of an IANA time zone."""
    return zone_named(text(field, value), field).key


def amount_usd(field: str, value: object) -> str:
    """A non-negative amount in USD, as plain decimal text with up to twelve decimals."""
    return money_text(usd(_number(field, value), field))


def markup(field: str, value: object) -> str:
    """A markup percentage of -100 to 10,000, as plain decimal text."""
    return money_text(markup_percentage(_number(field, value), field))


def count(field: str, value: object) -> int:
    """A whole number from 0 to 2^53 - 1."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= COUNT_MAX:
        raise InvalidInput(field, f"must be a whole number from 0 to {COUNT_MAX}")
    return value


def duration(field: str, value: object) -> str:
    """A duration such as 30d or monthly, stored as it was written."""
    written = text(field, value)
    parse_duration(written, field)
    return written


def one_of(*choices: str) -> Rule:
    """Return the rule that allows exactly `choices`."""
    rule = "must be " + " or ".join(repr(choice) for choice in choices)

    def chosen(field: str, value: object) -> str:
        if not isinstance(value, str) or value not in choices:
            raise InvalidInput(field, rule)
        return value

    return chosen


def instant(field: str, value: object) -> str:
    """An instant from 1970 to 2200, given as RFC 3339 text with an offset or as an aware datetime.

    Digits below the microsecond are cut off.
    """
    moment = parsed_instant(value) if isinstance(value, str) else value
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        raise InvalidInput(field, "must be an instant with an offset, such as 2026-01-31T00:00:00Z")
    if not ANCHOR_MIN <= moment < ANCHOR_LIMIT:
        raise InvalidInput(field, f"must be between {ANCHOR_MIN.year} and {ANCHOR_LIMIT.year}")
    return instant_text(moment)


def checked(rules: Mapping[str, Rule], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return given fields, each checked by its rule and in stored form; None stays, and means cleared.

    Raises `InvalidInput` for a field without a rule, and for the first value that breaks its rule.
    """
    stored: dict[str, Any] = {}
    for field, value in given.items():
        if field not in rules:
            raise InvalidInput(field, "is not a field that can be set here", code="unknown_field")
        stored[field] = None if value is None else rules[field](field, value)
    return stored


def json_object(field: str, value: object, members_max: int, bytes_max: int) -> dict[str, Any]:
    """A JSON object of at most `members_max` members, `bytes_max` bytes of compact UTF-8 JSON and 32 levels."""
    if not isinstance(value, Mapping):
        raise InvalidInput(field, "must be a JSON object")
    if len(value) > members_max:
        raise InvalidInput(field, f"must have at most {members_max} members")
    check_json(field, value)
    try:
        encoded = msgspec.json.encode(dict(value))
    except (TypeError, ValueError, msgspec.EncodeError) as error:
        raise InvalidInput(field, "must contain only JSON values, in valid Unicode") from error
    if len(encoded) > bytes_max:
        raise InvalidInput(field, f"must be at most {bytes_max} bytes of JSON")
    return dict(value)


def check_json(field: str, value: object, integer_range: tuple[int, int] | None = None) -> None:
    """Check that a value consists of JSON values only, has no NaN or infinity, and is at most 32 levels deep.

    With `integer_range`, all its whole numbers are in it, both bounds included.
    The check goes level by level and does not recurse, so that deep nesting cannot exhaust the stack.
    """
    level: list[object] = [value]
    for _ in range(OBJECT_DEPTH_MAX + 1):
        deeper: list[object] = []
        for one in level:
            match one:
                case Mapping():
                    deeper.extend(one.keys())
                    deeper.extend(one.values())
                case list():
                    deeper.extend(one)
                case int() if integer_range is not None and not integer_range[0] <= one <= integer_range[1]:
                    raise InvalidInput(field, "must not contain a whole number below -2^63 or of 2^64 or more")
                case float() if not math.isfinite(one):
                    raise InvalidInput(field, "must not contain NaN or Infinity")
                case None | bool() | int() | float() | str():
                    pass
                case _:
                    raise InvalidInput(field, "must contain only JSON values")
        if not deeper:
            return
        level = deeper
    raise InvalidInput(field, f"must be nested at most {OBJECT_DEPTH_MAX} levels deep")


def check_stored_json(field: str, value: object) -> None:
    """Check, as `check_json` does, a value that the log stores unencrypted: its whole numbers have at most 64 bits."""
    check_json(field, value, (INTEGER_MIN, INTEGER_MAX))


def _text(field: str, value: object, length_max: int) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= length_max:
        raise InvalidInput(field, f"must be text of 1 to {length_max} characters")
    if "\x00" in value:
        raise InvalidInput(field, "must not contain NUL")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidInput(field, "must be valid Unicode text, without lone surrogates") from None
    return value


def _number(field: str, value: object) -> Any:
    if value is None:
        raise InvalidInput(field, "must be a decimal number")
    return value
