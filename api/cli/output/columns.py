"""The columns of a table: title, value, kind, and which ones are left out first where the width does not suffice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

import msgspec

#: One row: an object as the API answers it.
Row = Mapping[str, Any]


class Kind(StrEnum):
    """How the values of a column are written."""

    TEXT = "text"
    PROSE = "prose"  # wrapped at spaces where the table is too wide
    LIST = "list"
    COUNT = "count"
    MONEY = "money"  # a decimal with at least two places
    NUMBER = "number"  # a decimal
    INSTANT = "instant"  # to the minute
    MOMENT = "moment"  # to the second
    DURATION = "duration"


#: Kinds whose values are aligned to the right and never broken over lines.
NUMBERS = frozenset({Kind.COUNT, Kind.MONEY, Kind.NUMBER, Kind.DURATION})
INSTANTS = frozenset({Kind.INSTANT, Kind.MOMENT})


class Column(msgspec.Struct, frozen=True):
    """A column of a table.

    `value` is a member of the row, with dots into nested objects, or a function of the row. `drop` is 0 for a column
    that is always shown; of the others those with the highest number are left out first. `unknown` is the member that
    counts events whose cost is missing in this column; `unknown_lowers` tells that it would lower the amount.
    """

    title: str
    value: str | Callable[[Row], Any]
    kind: Kind = Kind.TEXT
    drop: int = 0
    unknown: str | None = None
    unknown_lowers: bool = False

    def of(self, row: Row) -> Any:
        """Return the value of this column in a row; None if it is not set."""
        return member(row, self.value) if isinstance(self.value, str) else self.value(row)


def member(row: Row, path: str) -> Any:
    """Return a member of an object by its name, or by a dotted path; None if it is missing."""
    if path in row:
        return row[path]
    outer, dot, inner = path.partition(".")
    nested = row.get(outer)
    return member(nested, inner) if dot and isinstance(nested, Mapping) else None
