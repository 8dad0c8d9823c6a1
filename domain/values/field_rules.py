"""Rules for the values of fields: each takes a field's name and what a caller gave, and answers what to store.

Each raises `InvalidInput`, naming the field and the rule, for a value that breaks it. What is stored is
JSON: decimals as plain text, instants as RFC 3339 UTC text with microseconds.
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
COUNT_MAX: Final = 2**53 - 1  # what JSON numbers carry exactly everywhere
OBJECT_DEPTH_MAX: Final = 32
_CURRENCY = re.compile(r"[A-Za-z]{3}")
_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f.]+(\.[^@\s\x00-\x1f\x7f.]+)*")


def text(field: str, value: object) -> str:
    """1 to 255 characters of valid Unicode, without NUL."""
    return _text(field, value, TEXT_LENGTH_MAX)


def model_name(field: str, value: object) -> str:
    """1 to 256 characters, as model names of usage events."""
    return _text(field, value, MODEL_LENGTH_MAX)


def identifier(field: str, value: object) -> str:
    """An id, as `domain.values.identifiers` says."""
    if not isinstance(value, str):
        raise InvalidInput(field, "is text")
    return checked_id(field, value)


def email(field: str, value: object) -> str:
    """Something with one @ and no space; only sending a message could tell more."""
    address = _text(field, value, EMAIL_LENGTH_MAX)
    if _EMAIL.fullmatch(address) is None:
        raise InvalidInput(field, "is an email address, such as ada@example.com")
    return address


def currency(field: str, value: object) -> str:
    """Three letters (ISO 4217), upper-cased."""
    if not isinstance(value, str) or _CURRENCY.fullmatch(value) is None:
        raise InvalidInput(field, "is a currency of three letters, such as USD")
    return value.upper()


def time_zone(field: str, value: object) -> str:
    """The name of an IANA time zone."""
    return zone_named(text(field, value), field).key


def amount_usd(field: str, value: object) -> str:
    """USD, not negative, as plain decimal text with up to twelve decimals."""
    return money_text(usd(_number(field, value), field))


def markup(field: str, value: object) -> str:
    """A percentage of -100 or more, as plain decimal text."""
    return money_text(markup_percentage(_number(field, value), field))


def count(field: str, value: object) -> int:
    """A whole number from 0 to 2^53 - 1."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= COUNT_MAX:
        raise InvalidInput(field, f"is a whole number from 0 to {COUNT_MAX}")
    return value


def duration(field: str, value: object) -> str:
    """A duration such as 30d or monthly, kept as it was written."""
    written = text(field, value)
    parse_duration(written, field)
    return written


def one_of(*choices: str) -> Rule:
    """The rule that allows exactly `choices`."""
    rule = "is " + " or ".join(repr(choice) for choice in choices)

    def chosen(field: str, value: object) -> str:
        if not isinstance(value, str) or value not in choices:
            raise InvalidInput(field, rule)
        return value

    return chosen


def instant(field: str, value: object) -> str:
    """An instant from 1970 to 2200: RFC 3339 text with an offset, or an aware datetime; kept to the microsecond."""
    moment = parsed_instant(value) if isinstance(value, str) else value
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        raise InvalidInput(field, "is an instant with an offset, such as 2026-01-31T00:00:00Z")
    if not ANCHOR_MIN <= moment < ANCHOR_LIMIT:
        raise InvalidInput(field, f"is between {ANCHOR_MIN.year} and {ANCHOR_LIMIT.year}")
    return instant_text(moment)


def json_object(field: str, value: object, members_max: int, bytes_max: int) -> dict[str, Any]:
    """A JSON object of at most `members_max` members, `bytes_max` bytes as compact UTF-8 and 32 levels."""
    if not isinstance(value, Mapping):
        raise InvalidInput(field, "is a JSON object")
    if len(value) > members_max:
        raise InvalidInput(field, f"has at most {members_max} members")
    check_json(field, value)
    try:
        encoded = msgspec.json.encode(dict(value))
    except (TypeError, ValueError, msgspec.EncodeError) as error:
        raise InvalidInput(field, "holds JSON values only, in valid Unicode") from error
    if len(encoded) > bytes_max:
        raise InvalidInput(field, f"is at most {bytes_max} bytes long")
    return dict(value)


def check_json(field: str, value: object) -> None:
    """JSON values only, without NaN, at most 32 levels deep. Level by level: no nesting exhausts the stack."""
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
                case float() if not math.isfinite(one):
                    raise InvalidInput(field, "must not contain NaN or Infinity")
                case None | bool() | int() | float() | str():
                    pass
                case _:
                    raise InvalidInput(field, "holds JSON values only")
        if not deeper:
            return
        level = deeper
    raise InvalidInput(field, f"is nested at most {OBJECT_DEPTH_MAX} levels deep")


def _text(field: str, value: object, length_max: int) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= length_max:
        raise InvalidInput(field, f"is text of 1 to {length_max} characters")
    if "\x00" in value:
        raise InvalidInput(field, "must not contain NUL")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidInput(field, "must be valid Unicode text, without lone surrogates") from None
    return value


def _number(field: str, value: object) -> Any:
    if value is None:
        raise InvalidInput(field, "is a decimal number")
    return value
