"""Lists come in pages: `limit` rows and a `next_cursor` that is opaque to the caller."""

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

Row = TypeVar("Row")
Values = TypeVar("Values")


def cursor_text(kind: str, values: Any) -> str:
    """The cursor behind a row, for the list `kind`."""
    return urlsafe_b64encode(msgspec.json.encode([kind, values])).decode().rstrip("=")


def cursor_values(kind: str, cursor: str | None, shape: type[Values]) -> Values | None:
    """What `cursor_text` was given; `Problem` 422 for anything that it did not make for this list."""
    if cursor is None:
        return None
    try:
        raw = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        found, values = msgspec.json.decode(raw, type=tuple[str, msgspec.Raw])
        if found == kind:
            return msgspec.json.decode(values, type=shape)
    except (ValueError, binascii.Error, msgspec.MsgspecError):
        pass
    raise Problem.invalid("cursor", "is the next_cursor of an earlier page of this list")


def page(rows: Sequence[Row], limit: int, kind: str, values: Callable[[Row], Any]) -> tuple[Sequence[Row], str | None]:
    """The rows of one page and the cursor of the next; `rows` were read with `rows_to_read(limit)`."""
    more = len(rows) > limit or len(rows) == PAGE_ROWS_MAX
    shown = rows[:limit]
    return shown, cursor_text(kind, values(shown[-1])) if more else None


def rows_to_read(limit: int) -> int:
    """One more than shown tells whether there is a next page."""
    return min(limit + 1, PAGE_ROWS_MAX)
