"""The rows that a correction run is about, as statements that the fold and snapshots share.

But for outcomes no other table is named: within a fold step, keys of that step are in none.
"""

from __future__ import annotations

from typing import Any

from domain.values.instants import naive
from projections.duckdb.storage.fold_reads.void_states import WITHDRAWN
from projections.duckdb.storage.missing_rows import ROWS_VIEW
from projections.row_filter import RowFilter

#: Of the versions of each event in a statement, the one that was opened last.
LAST_VERSION = """QUALIFY row_number() OVER (
    PARTITION BY locator ORDER BY counted_at DESC, closed_at DESC NULLS FIRST) = 1"""


class FilteredRows:
    """The statements about the rows of one filter. Text from outside is bound, never made part of SQL."""

    def __init__(self, asked: RowFilter, rows: str = ROWS_VIEW) -> None:
        """`rows`: the table or subquery in which they are found."""
        self._rows = rows
        self._bound: dict[str, Any] = {}
        self._condition = " AND ".join(self._conditions(asked))

    @property
    def values(self) -> dict[str, Any]:
        """The values bound by the statements."""
        return dict(self._bound)

    def current(self) -> str:
        """The SELECT of the versions in effect, with all columns."""
        return f"SELECT r.* FROM {self._rows} r WHERE {self._condition} AND r.closed_at IS NULL"

    def voided(self) -> str:
        """The SELECT of the last versions of voided events, with all columns. What a backfill withdrew is none of them.

        Only an event that has a closed version in the filter is looked at again for its last one.
        """
        closed = f"SELECT r.locator FROM {self._rows} r WHERE {self._condition} AND r.closed_at IS NOT NULL"
        last = f"SELECT * FROM {self._rows} WHERE locator IN ({closed}) {LAST_VERSION}"
        void = f"r.closed_at IS NOT NULL AND r.locator NOT IN ({WITHDRAWN})"
        return f"SELECT r.* FROM ({last}) r WHERE {self._condition} AND {void}"

    def _bind(self, value: Any) -> str:
        self._bound[name := f"f{len(self._bound)}"] = value
        return f"${name}"

    def _conditions(self, asked: RowFilter) -> list[str]:
        conditions = [f"r.scope_key = {self._bind(asked.scope_key)}"]
        conditions.append(f"r.counted_at <= {self._bind(asked.counted_up_to)}")
        if asked.kind_keys is not None:
            conditions.append(f"r.kind_key IN (SELECT unnest({self._bind(list(asked.kind_keys))}::INTEGER[]))")
        if asked.customer_keys is not None:
            keys = self._bind(list(asked.customer_keys))
            conditions.append(f"r.customer_key IN (SELECT unnest({keys}::BIGINT[]))")
        if asked.sources:
            conditions.append(f"r.source IN (SELECT unnest({self._bind(list(asked.sources))}::VARCHAR[]))")
        if asked.tags:
            conditions.append(f"coalesce(list_has_any(r.tags, {self._bind(list(asked.tags))}::VARCHAR[]), false)")
        for moment, condition in (
            (asked.start, "r.time >="),
            (asked.end, "r.time <"),
            (asked.recorded_from, "r.recorded_at >="),
            (asked.recorded_to, "r.recorded_at <"),
        ):
            if moment is not None:
                conditions.append(f"{condition} {self._bind(naive(moment))}")
        return conditions
