"""Ids chosen by callers: of customers, events and sources. They may contain anything, so every id is checked."""

from __future__ import annotations

import unicodedata
from typing import Final

from domain.errors import InvalidInput

ID_LENGTH_MAX: Final = 1_000
MODEL_LENGTH_MAX: Final = 256
#: Categories of characters that are no part of a line: controls, halves of others, separators of lines.
_NO_TEXT: Final = ("Cc", "Cs", "Zl", "Zp")


def checked_id(field: str, value: str) -> str:
    """Return `value` if it is allowed as an id; `InvalidInput` otherwise.

    An id has 1 to 1,000 characters, no NUL, no lone surrogate, and is not '.' or '..'.
    """
    problem = id_problem(value)
    if problem is not None:
        raise InvalidInput(field, problem, code="id_invalid")
    return value


def line_problem(text: str) -> str | None:
    """Return the rule that a text breaks which is to stand in a line; None for one without control characters."""
    if any(unicodedata.category(character) in _NO_TEXT for character in text):
        return "must be one line of text without control characters"
    return None


def id_problem(value: str) -> str | None:
    """Return the rule that an id breaks, in words for its author; None for an allowed id."""
    if not value:
        return "must not be empty"
    if len(value) > ID_LENGTH_MAX:
        return f"must be at most {ID_LENGTH_MAX} characters"
    if "\x00" in value:
        return "must not contain NUL"
    if value in (".", ".."):
        return "must not be '.' or '..'"
    try:
        value.encode()
    except UnicodeEncodeError:
        return "must be valid Unicode text, without lone surrogates"
    return None
