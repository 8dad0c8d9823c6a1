"""Bound values of a statement whose SQL text is put together from names of this package alone."""

from __future__ import annotations

import re
from typing import Any, Final

import duckdb

#: A row as DuckDB returns it.
Row = tuple[Any, ...]

_PLACEHOLDER: Final = re.compile(r"\$(v[0-9]+)")


class BoundQuery:
    """The bound values of one statement. Text from outside is always bound, never made part of SQL."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}

    def bind(self, value: Any) -> str:
        """Bind `value` and return its placeholder."""
        name = f"v{len(self._values)}"
        self._values[name] = value
        return f"${name}"

    def rows(self, cursor: duckdb.DuckDBPyConnection, sql: str) -> list[Row]:
        """Execute `sql` and return all rows. Its placeholders come from `bind`; not all of them need to occur."""
        used = {name: self._values[name] for name in _PLACEHOLDER.findall(sql)}
        return cursor.execute(sql, used).fetchall()
