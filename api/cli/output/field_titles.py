"""Titles and kinds of the members of one object, derived from their names, such as `budget.period_limit_usd`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Final

from api.cli.output.columns import Column, Kind, Row
from api.cli.output.text import shown

_INSTANTS: Final = frozenset({"start", "end", "anchor", "at"})
#: Integers that name a place and are no counts.
_PLACES: Final = frozenset({"position", "head", "life", "partition", "offset", "pid"})
#: Objects whose members are named by the user, and are shown as they are: how many levels of them.
_NAMED_BY_USER: Final = {"model_limits": 1, "group_by": 1, "charge": 1, "filter": 1} | dict.fromkeys(
    ("metadata", "properties", "extensions"), 100
)
_UNITS: Final = {"usd": " (USD)", "ms": " (ms)", "bytes": " (bytes)"}


def field_columns(document: Row) -> list[Column]:
    """Return a column for each member, with nested objects taken apart."""
    return [
        Column(shown(_title(words)), partial(_value, value), Kind.TEXT if named_by_user else _kind(words[-1], value))
        for words, value, named_by_user in _members(document, ())
    ]


def _value(value: Any, _: Row) -> Any:
    return value


def _members(
    document: Mapping[str, Any], before: tuple[str, ...], levels_of_user: int = 0
) -> Iterator[tuple[tuple[str, ...], Any, bool]]:
    """Yield the words of each member's name, from the outermost object on, its value, and whether a user named it."""
    for name, value in document.items():
        words = (*before, name) if levels_of_user else (*before, *name.split("_"))
        if isinstance(value, Mapping) and value:
            below = levels_of_user - 1 if levels_of_user else _NAMED_BY_USER.get(name, 0)
            yield from _members(value, words, below)
        else:
            yield words, value, levels_of_user > 0


def _title(words: tuple[str, ...]) -> str:
    """Return a title: created_at is Created, budget and period_limit_usd are Budget period limit (USD)."""
    unit = _UNITS.get(words[-1], "")
    if unit or (words[-1] in ("at", "seconds") and len(words) > 1):
        words = words[:-1]
    text = " ".join(word for word, before in zip(words, ("", *words), strict=False) if word != before)
    return text[:1].upper() + text[1:] + unit


def _kind(last_word: str, value: Any) -> Kind:
    if last_word == "usd":
        return Kind.MONEY
    if isinstance(value, str) and last_word == "time":
        return Kind.MOMENT
    if isinstance(value, str) and last_word in _INSTANTS:
        return Kind.INSTANT
    if isinstance(value, list):
        return Kind.LIST
    if isinstance(value, bool) or not isinstance(value, int | float):
        return Kind.TEXT
    if last_word == "seconds":
        return Kind.DURATION
    return Kind.TEXT if last_word in _PLACES else Kind.COUNT
