"""Names given by others: customers, events, sources. Hostile until proven otherwise."""

from __future__ import annotations

from typing import Final

from domain.errors import InvalidInput

ID_LENGTH_MAX: Final = 1_000
MODEL_LENGTH_MAX: Final = 256


def checked_id(field: str, value: str) -> str:
    """`value` itself when it may be an id: 1 to 1,000 characters, no NUL, no lone surrogate, not '.' or '..'."""
    problem = id_problem(value)
    if problem is not None:
        raise InvalidInput(field, problem, code="id_invalid")
    return value


def id_problem(value: str) -> str | None:
    """What is wrong with an id, as a rule to show to its author; None when it may be used."""
    if not value:
        return "must not be empty"
    if len(value) > ID_LENGTH_MAX:
        return f"is at most {ID_LENGTH_MAX} characters"
    if "\x00" in value:
        return "must not contain NUL"
    if value in (".", ".."):
        return "must not be '.' or '..'"
    try:
        value.encode()
    except UnicodeEncodeError:
        return "must be valid Unicode text, without lone surrogates"
    return None
