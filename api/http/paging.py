"""Cursor pagination of lists: `limit` rows a page and an opaque `next_cursor`."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import msgspec

from api.http.problems import Problem
from projections.queries.snapshot import PAGE_ROWS_MAX

PAGE_ROWS_DEFAULT: Final = 100
CURSOR_LENGTH_MAX: Final = 8_192
#: The largest number in a cursor; the read store keeps numbers in 64 bits.
CURSOR_NUMBER_MAX: Final = 2**63 - 1

Row = TypeVar("Row")
Values = TypeVar("Values")


def cursor_text(kind: str, values: Any) -> str:
    """Encode the cursor that continues the list `kind` after the row with these values."""
    return urlsafe_b64encode(msgspec.json.encode([kind, values])).decode().rstrip("=")


def cursor_values(kind: str, cursor: str | None, shape: type[Values]) -> Values | None:
    """Decode a cursor of the list `kind` to the values that `cursor_text` encoded; `Problem` 422 for any other text."""
    if cursor is None:
        return None
    try:
        raw = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        found, values = msgspec.json.decode(raw, type=tuple[str, msgspec.Raw])
        if found == kind:
            return msgspec.json.decode(values, type=shape)
    except (ValueError, binascii.Error, msgspec.MsgspecError, RecursionError):
        pass
    raise _not_of_this_list()


def cursor_number(kind: str, cursor: str | None) -> int | None:
    """Decode a cursor of a list whose rows follow a number, as `cursor_values` does."""
    number = cursor_values(kind, cursor, int)
    if number is not None and not 0 <= number <= CURSOR_NUMBER_MAX:
        raise _not_of_this_list()
    return number


def _not_of_this_list() -> Problem:
    return Problem.invalid("cursor", "must be the next_cursor of an earlier page of this list")


def page(rows: Sequence[Row], limit: int, kind: str, values: Callable[[Row], Any]) -> tuple[Sequence[Row], str | None]:
    """Return the rows of one page and the cursor of the next page, None on the last one.

    `rows` are up to `rows_to_read(limit)` rows; `values` gives what a cursor needs to continue after a row.
    """
    more = len(rows) > limit or len(rows) == PAGE_ROWS_MAX
    shown = rows[:limit]
    return shown, cursor_text(kind, values(shown[-1])) if more else None


def rows_to_read(limit: int) -> int:
    """The rows to read for a page: one more than shown, which tells whether there is a next page."""
    return min(limit + 1, PAGE_ROWS_MAX)
