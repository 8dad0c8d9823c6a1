"""Where each scope first used each series: log position and recorded time, kept in memory once it was read.

Events are counted in log order, so a first use that was read once never changes; only series that a scope had not used
by then have to be looked for again.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import duckdb
import msgspec

#: First uses kept, of all scopes together; when there are more, all are read again as they are asked for.
FIRST_USES_KNOWN_MAX: Final = 200_000

_READ: Final = """SELECT kind_key, min(counted_at), arg_min(recorded_at, counted_at) FROM usage_rows
    WHERE scope_key = ? GROUP BY kind_key"""
#: An amendment may be the first use of a series; its row says when the event was recorded. A run amends likewise.
_AMENDED: Final = """SELECT position, recorded_at FROM (SELECT scope_key, position, recorded_at FROM amendments
        UNION ALL SELECT scope_key, position, recorded_at FROM correction_runs)
    WHERE scope_key = ? AND position IN (SELECT unnest(?::BIGINT[]))"""


class FirstUse(msgspec.Struct, frozen=True):
    """The first counted event of a scope in a series: its log position, and when it was recorded (naive UTC)."""

    position: int
    recorded_at: datetime


#: By the key of the series.
UsesBySeries = Mapping[int, FirstUse]


class FirstUses:
    """The first uses of every scope, shared by all snapshots of a store.

    What was read for a scope is replaced as a whole. If two snapshots read it at once, the later result is kept; both
    are correct.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[int, UsesBySeries]] = {}  # by scope key, as of a log position

    def of_scope(
        self, cursor: duckdb.DuckDBPyConnection, scope_key: int, position: int, series_count: int
    ) -> UsesBySeries:
        """Return the first uses of all series that the scope has used by `position`, the cursor's.

        The store is asked unless nothing was folded since the last time, or the scope had used all `series_count`
        series that the store holds by then.
        """
        read_at, known = self._known.get(scope_key, (-1, {}))
        if read_at < position and len(known) < series_count:
            known = self._read(cursor, scope_key, position)
        return {key: use for key, use in known.items() if use.position <= position}

    def of_series(
        self,
        cursor: duckdb.DuckDBPyConnection,
        scope_key: int,
        kind_keys: set[int],
        position: int,
        series_count: int,
    ) -> UsesBySeries:
        """Return the first uses of those of these series that the scope has used by `position`, the cursor's.

        The store is asked only while none of them is known.
        """
        _, known = self._known.get(scope_key, (-1, {}))
        found = {key: known[key] for key in kind_keys if key in known and known[key].position <= position}
        if found:
            return found
        of_scope = self.of_scope(cursor, scope_key, position, series_count)
        return {key: of_scope[key] for key in kind_keys if key in of_scope}

    def _read(self, cursor: duckdb.DuckDBPyConnection, scope_key: int, position: int) -> UsesBySeries:
        rows = cursor.execute(_READ, [scope_key]).fetchall()
        amended = dict(cursor.execute(_AMENDED, [scope_key, [position for _, position, _ in rows]]).fetchall())
        known = {
            kind_key: FirstUse(counted_at, amended.get(counted_at, recorded_at))
            for kind_key, counted_at, recorded_at in rows
        }
        if sum(len(uses) for _, uses in self._known.values()) + len(known) > FIRST_USES_KNOWN_MAX:
            self._known = {}
        self._known[scope_key] = position, known
        return known
