"""A SELECT that is being put together: its text holds only names from this package, every value is bound."""

from __future__ import annotations

import re
from typing import Any, Final

import duckdb

_PLACEHOLDER: Final = re.compile(r"\$(v[0-9]+)")


class Query:
    """Values of one statement, bound by name. Texts that come from outside never become part of SQL."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}

    def bind(self, value: Any) -> str:
        """Keep `value` for execution; answers the placeholder that stands for it."""
        name = f"v{len(self._values)}"
        self._values[name] = value
        return f"${name}"

    def rows(self, cursor: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[Any, ...]]:
        """All rows of `sql`. Its placeholders came from `bind`; of what was bound it may leave some out."""
        used = {name: self._values[name] for name in _PLACEHOLDER.findall(sql)}
        return cursor.execute(sql, used).fetchall()
