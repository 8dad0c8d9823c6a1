"""A cursor that answers every query as the store would have answered it at an earlier log position.

Each statement gets common table expressions that stand in for the tables: of what has a log position, what is not later
than the position asked for. Usage rows are versioned, so those that were closed later are open again. The sums of days
are made of these rows. A query that is written later cannot forget to look at the position.
"""

from __future__ import annotations

import re
from typing import Any, Final

import duckdb

from projections.duckdb.storage.schema import root_requests

_BY_POSITION: Final = (
    *("facts", "corrections", "amendments", "prices", "discounts", "repricings", "log_records"),
    *("correction_runs", "corrected_events", "replacements", "backfills", "staged_blocks"),
)
_NAME: Final = re.compile(r"[a-z_]+")
#: What the queries that stand in for these tables are made of.
_NEEDED: Final = {"usage_days": ("usage_rows",), "unit_days": ("usage_rows",), "progress": ("log_records",)}
#: The condition on versions of rows that hold. The days of the others say that something was taken away.
_HELD: Final = "closed_at IS NULL"
_DAY_SUMS: Final = ("input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")


class CursorAsOf:
    """Wraps a cursor in a read transaction on a store that was folded to `position` or further.

    A cursor that is as of a later position already is replaced by the one that it wraps.
    """

    def __init__(self, cursor: duckdb.DuckDBPyConnection | CursorAsOf, position: int) -> None:
        self.wrapped: Final[duckdb.DuckDBPyConnection] = cursor.wrapped if isinstance(cursor, CursorAsOf) else cursor
        self._tables = _tables(int(position))

    def execute(self, sql: str, values: Any = ()) -> duckdb.DuckDBPyConnection:
        """Execute a SELECT statement, which may begin with WITH."""
        return self.wrapped.execute(self._as_of(sql), values)

    def sql(self, query: str, *, params: Any = None) -> duckdb.DuckDBPyRelation:
        """Return a SELECT statement, which may begin with WITH, as a relation."""
        return self.wrapped.sql(self._as_of(query), params=params)

    def _as_of(self, sql: str) -> str:
        """The statement with what stands in for the tables that it names."""
        statement = sql.lstrip()
        named = set(_NAME.findall(statement)) & self._tables.keys()
        named |= {needed for name in named for needed in _NEEDED.get(name, ())}
        known = ", ".join(f"{name} AS ({query})" for name, query in self._tables.items() if name in named)
        if not known:
            return statement
        if statement[:5].upper() == "WITH ":
            return f"WITH {known}, {statement[5:]}"
        return f"WITH {known} {statement}"


def _tables(position: int) -> dict[str, str]:
    known = {name: f"SELECT * FROM main.{name} WHERE position <= {position}" for name in _BY_POSITION}
    sums = ", ".join(f"coalesce(sum({name}) FILTER ({_HELD}), 0)::HUGEINT AS {name}" for name in _DAY_SUMS)
    return {
        **known,
        "progress": f"""SELECT * REPLACE ({position} AS position, 0 AS days_settled_to, (
            SELECT max(recorded_at) FROM log_records) AS recorded_at) FROM main.progress""",
        "customers": f"SELECT * FROM main.customers WHERE first_position <= {position}",
        "outcomes": f"""SELECT * REPLACE (CASE WHEN closed_at <= {position} THEN closed_at END AS closed_at)
            FROM main.outcomes WHERE decided_at <= {position}""",
        "usage_rows": f"""SELECT * REPLACE (CASE WHEN closed_at <= {position} THEN closed_at END AS closed_at)
            FROM main.usage_rows WHERE counted_at <= {position}""",
        "usage_days": f"""SELECT scope_key, customer_key, time::DATE AS day, kind_key,
            count(*) FILTER ({_HELD}) AS events, {sums},
            coalesce(sum(cost_usd) FILTER ({_HELD}), 0)::DECIMAL(38, 12) AS cost_usd,
            count(*) FILTER ({_HELD} AND cost_origin = 'unknown') AS cost_unknown_events,
            {root_requests(where=_HELD)} AS root_requests,
            min(time) FILTER ({_HELD}) AS first_time, max(time) FILTER ({_HELD}) AS last_time,
            count(*) FILTER (NOT ({_HELD})) AS taken_events
            FROM usage_rows GROUP BY scope_key, customer_key, time::DATE, kind_key""",
        "unit_days": f"""SELECT scope_key, customer_key, day, kind_key, unit, sum(quantity) AS quantity
            FROM (SELECT scope_key, customer_key, time::DATE AS day, kind_key, unnest(unit_names) AS unit,
                unnest(unit_quantities) AS quantity FROM usage_rows WHERE {_HELD} AND unit_names IS NOT NULL)
            GROUP BY scope_key, customer_key, day, kind_key, unit""",
    }
