"""Types of members: text that may be given as a number, whole numbers that may be given as text, codes.

Null and, where text cannot be meant, empty text are None. A value that breaks a rule has one of Lago's codes.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from api.dialects.lago.error_shapes import INVALID, MANDATORY
from api.dialects.lago.models.codes import COUNTRIES, CURRENCIES
from domain.errors import InvalidInput
from domain.values import field_rules
from domain.values.identifiers import id_problem

#: Characters of a text that is no name, at most.
TEXT_LENGTH_MAX: Final = 1_000
NAME_LENGTH_MAX: Final = 255
#: Zones that are named otherwise in Lago's list: west of Greenwich, as in `Etc/GMT+12`.
NATIVE_ZONES: Final = {"GMT+12": "Etc/GMT+12"}
_NUMBER_DIGITS_MAX: Final = 18


def broken(code: str) -> PydanticCustomError:
    """Make the error of a value that breaks a rule, with this code of Lago's."""
    return PydanticCustomError(code, "breaks a rule")


def text_of(value: Any) -> str | None:
    """Read text; a number or a truth value is its text."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | Decimal):
        return str(value)
    raise broken(INVALID)


def _checked_text(length_max: int) -> Callable[[Any], str | None]:
    def checked(value: Any) -> str | None:
        text = text_of(value)
        if text is not None and len(text) > length_max:
            raise broken("value_is_too_long")
        return text

    return checked


def _identifier(value: Any) -> str:
    text = text_of(value)
    if not text:
        raise broken(MANDATORY)
    if id_problem(text) is not None:
        raise broken(INVALID)
    return text


def whole_number(value: Any) -> int | None:
    """Read a whole number from 0 on, which may be given as text."""
    text = (text_of(value) or "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > _NUMBER_DIGITS_MAX or isinstance(value, bool):
        raise broken(INVALID)
    return int(text)


def truth(value: Any) -> bool | None:
    """Read a truth value, which may be given as text."""
    if value is None or isinstance(value, bool):
        return value
    given = (text_of(value) or "").strip().lower()
    if given in ("true", "1"):
        return True
    if given in ("false", "0"):
        return False
    raise broken(INVALID)


def one_of(*choices: str, code: str = INVALID) -> BeforeValidator:
    """Return the validator of a member that is one of these texts, or None."""

    def chosen(value: Any) -> str | None:
        text = text_of(value) or None
        if text is not None and text not in choices:
            raise broken(code)
        return text

    return BeforeValidator(chosen)


def _email(value: Any) -> str | None:
    given = "".join(one for one in text_of(value) or "" if unicodedata.category(one) not in ("Cf", "Cc")).strip()
    try:
        return field_rules.email("email", given) if given else None
    except InvalidInput:
        raise broken("invalid_email_format") from None


def _time_zone(value: Any) -> str | None:
    given = text_of(value)
    try:
        return field_rules.time_zone("timezone", NATIVE_ZONES.get(given, given)) if given else None
    except InvalidInput:
        raise broken(INVALID) from None


def _currency(value: Any) -> str | None:
    given = text_of(value) or None
    if given is not None and given not in CURRENCIES:
        raise broken(INVALID)
    return given


def _country(value: Any) -> str | None:
    given = (text_of(value) or "").upper() or None
    if given is not None and given not in COUNTRIES:
        raise broken(INVALID)
    return given


_TEXT: Final = {"anyOf": [{"type": "string"}, {"type": "null"}]}
_NUMBER: Final = {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "null"}]}

Identifier = Annotated[str, BeforeValidator(_identifier), WithJsonSchema({"type": "string", "minLength": 1})]
Text = Annotated[str | None, BeforeValidator(_checked_text(TEXT_LENGTH_MAX)), WithJsonSchema(_TEXT)]
Name = Annotated[str | None, BeforeValidator(_checked_text(NAME_LENGTH_MAX)), WithJsonSchema(_TEXT)]
WholeNumber = Annotated[int | None, BeforeValidator(whole_number), WithJsonSchema(_NUMBER)]
Truth = Annotated[bool | None, BeforeValidator(truth)]
Email = Annotated[str | None, BeforeValidator(_email), WithJsonSchema(_TEXT)]
TimeZone = Annotated[str | None, BeforeValidator(_time_zone), WithJsonSchema(_TEXT)]
Currency = Annotated[str | None, BeforeValidator(_currency), WithJsonSchema(_TEXT)]
Country = Annotated[str | None, BeforeValidator(_country), WithJsonSchema(_TEXT)]
