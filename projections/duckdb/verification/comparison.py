"""Logical views of a store, and the comparison of two stores in one DuckDB process by them.

A logical view is a query without surrogate keys and without physical layout: deltas are summed, generations united.
Two stores folded from the same log must answer every view alike. The second one is attached beside the live one.

Two answers are compared without holding either in memory:

1. Hash every row to 64 bits; its bucket is the first 8 of them.
2. Compare of each bucket the number of rows and the sum of their hashes.
3. Compare row by row only the buckets that differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import duckdb

from domain.log.chain import CHAIN_START
from projections.duckdb.storage.database import DuckDBDatabase, create_tables
from projections.duckdb.storage.generations import TableKind, union_of
from projections.duckdb.verification.held_store import DuckDBHeldStore
from projections.duckdb.writing.rebuild_store import RebuildStore
from projections.read_side.verification import Difference

REFOLDED: Final = "refolded"
#: Differing rows shown per view and side, at most.
DIFFERENCES_SHOWN_MAX: Final = 10

_SCOPED: Final = "JOIN {db}.scopes s ON s.scope_key = t.scope_key"

LOGICAL_VIEWS: Final[dict[str, str]] = {
    "progress": "SELECT 'progress' AS name, log_id, position, recorded_at, running_hash FROM {db}.progress",
    "log records": (
        "SELECT t.* EXCLUDE (scope_key), s.tenant, s.environment"
        " FROM {db}.log_records t LEFT JOIN {db}.scopes s ON s.scope_key = t.scope_key"
    ),
    "customers": f"SELECT s.tenant, s.environment, t.customer_id, t.first_position FROM {{db}}.customers t {_SCOPED}",
    "facts": (
        "SELECT s.tenant, s.environment, c.customer_id, t.* EXCLUDE (scope_key, customer_key)"
        " FROM {db}.facts t LEFT JOIN {db}.customers c ON c.customer_key = t.customer_key"
        f" {_SCOPED}"
    ),
    "api keys": f"SELECT t.* EXCLUDE (scope_key), s.tenant, s.environment FROM {{db}}.api_keys t {_SCOPED}",
    "prices": (
        "SELECT t.* EXCLUDE (scope_key), s.tenant, s.environment"
        " FROM {db}.prices t LEFT JOIN {db}.scopes s ON s.scope_key = t.scope_key"
    ),
    "discounts": f"SELECT t.* EXCLUDE (scope_key), s.tenant, s.environment FROM {{db}}.discounts t {_SCOPED}",
    "corrections": f"SELECT s.tenant, s.environment, t.* EXCLUDE (scope_key) FROM {{db}}.corrections t {_SCOPED}",
    "repricings": f"SELECT s.tenant, s.environment, t.* EXCLUDE (scope_key) FROM {{db}}.repricings t {_SCOPED}",
    "correction runs": (
        f"SELECT s.tenant, s.environment, t.* EXCLUDE (scope_key) FROM {{db}}.correction_runs t {_SCOPED}"
    ),
    "replacements": f"SELECT s.tenant, s.environment, t.* EXCLUDE (scope_key) FROM {{db}}.replacements t {_SCOPED}",
    "corrected events": "SELECT * FROM {db}.corrected_events",
    "backfills": f"SELECT s.tenant, s.environment, t.* EXCLUDE (scope_key) FROM {{db}}.backfills t {_SCOPED}",
    "staged blocks": f"SELECT s.tenant, s.environment, t.* EXCLUDE (scope_key) FROM {{db}}.staged_blocks t {_SCOPED}",
    "amendments": (
        "SELECT s.tenant, s.environment, c.customer_id, b.customer_id AS customer_id_before,"
        " t.* EXCLUDE (scope_key, customer_key, customer_key_before) FROM {db}.amendments t"
        " JOIN {db}.customers c ON c.customer_key = t.customer_key"
        " JOIN {db}.customers b ON b.customer_key = t.customer_key_before"
        f" {_SCOPED}"
    ),
    "sources": "SELECT * FROM {db}.sources",
    "outcomes": f"SELECT s.tenant, s.environment, t.* EXCLUDE (scope_key) FROM {{outcomes}} t {_SCOPED}",
    "usage rows": (
        "SELECT s.tenant, s.environment, c.customer_id, k.type, k.provider, k.model,"
        " t.* EXCLUDE (scope_key, customer_key, kind_key) FROM {rows} t"
        " JOIN {db}.customers c ON c.customer_key = t.customer_key JOIN {db}.kinds k ON k.kind_key = t.kind_key"
        f" {_SCOPED}"
    ),
    "usage days": (
        "SELECT s.tenant, s.environment, c.customer_id, t.day, k.type, k.provider, k.model,"
        " t.* EXCLUDE (scope_key, customer_key, kind_key, day) FROM ("
        "SELECT scope_key, customer_key, day, kind_key, sum(events) AS events, sum(input_tokens) AS input_tokens,"
        " sum(cached_input_tokens) AS cached_input_tokens, sum(cache_write_tokens) AS cache_write_tokens,"
        " sum(output_tokens) AS output_tokens, sum(reasoning_tokens) AS reasoning_tokens, sum(cost_usd) AS cost_usd,"
        " sum(cost_unknown_events) AS cost_unknown_events, sum(root_requests) AS root_requests,"
        " min(first_time) AS first_time, max(last_time) AS last_time, sum(taken_events) AS taken_events"
        " FROM {days} GROUP BY ALL"
        " HAVING sum(events) <> 0 OR sum(cost_usd) <> 0 OR sum(cost_unknown_events) <> 0) t"
        " JOIN {db}.customers c ON c.customer_key = t.customer_key JOIN {db}.kinds k ON k.kind_key = t.kind_key"
        f" {_SCOPED}"
    ),
    "unit days": (
        "SELECT s.tenant, s.environment, c.customer_id, k.type, k.provider, k.model, t.day, t.unit, t.quantity FROM ("
        "SELECT scope_key, customer_key, day, kind_key, unit, sum(quantity) AS quantity"
        " FROM {db}.unit_days GROUP BY ALL HAVING sum(quantity) <> 0) t"
        " JOIN {db}.customers c ON c.customer_key = t.customer_key JOIN {db}.kinds k ON k.kind_key = t.kind_key"
        f" {_SCOPED}"
    ),
}

#: Day sums computed from the rows of the same store. The column types match, else equal sums would hash differently.
_DAYS_BY_ROWS: Final = """
    SELECT customer_key, time::DATE AS day, kind_key, count(*)::HUGEINT AS events,
        sum(input_tokens)::HUGEINT AS input_tokens, sum(output_tokens)::HUGEINT AS output_tokens,
        coalesce(sum(cost_usd), 0)::DECIMAL(38, 12) AS cost_usd,
        (count(*) FILTER (cost_origin = 'unknown'))::HUGEINT AS cost_unknown_events,
        coalesce(sum(coalesce(requests, 1)) FILTER (parent_request IS NULL), 0)::HUGEINT AS root_requests
    FROM {rows} WHERE closed_at IS NULL GROUP BY ALL"""
_DAYS_BY_DELTAS: Final = """
    SELECT customer_key, day, kind_key, sum(events)::HUGEINT AS events, sum(input_tokens)::HUGEINT AS input_tokens,
        sum(output_tokens)::HUGEINT AS output_tokens, sum(cost_usd)::DECIMAL(38, 12) AS cost_usd,
        sum(cost_unknown_events)::HUGEINT AS cost_unknown_events, sum(root_requests)::HUGEINT AS root_requests
    FROM {days} GROUP BY ALL HAVING sum(events) <> 0"""
_UNITS_BY_ROWS: Final = """
    SELECT customer_key, day, kind_key, unit, sum(quantity)::DECIMAL(38, 12) AS quantity FROM (
        SELECT customer_key, time::DATE AS day, kind_key, unnest(unit_names) AS unit,
            unnest(unit_quantities) AS quantity FROM {rows} WHERE closed_at IS NULL AND unit_names IS NOT NULL)
    GROUP BY ALL HAVING sum(quantity) <> 0"""
_UNITS_BY_DELTAS: Final = """
    SELECT customer_key, day, kind_key, unit, sum(quantity)::DECIMAL(38, 12) AS quantity
    FROM {db}.unit_days GROUP BY ALL HAVING sum(quantity) <> 0"""
_UNIONS: Final[tuple[TableKind, ...]] = ("rows", "days", "outcomes")
_BUCKET: Final = "(hash(d) >> 56)"  # 256 buckets


@contextmanager
def attached_store(database: DuckDBDatabase, path: Path) -> Iterator[DuckDBDatabase]:
    """Attach a database file at `path` as the catalog `REFOLDED` for as long as the context lasts."""
    attached = database.attach(path, REFOLDED)
    try:
        yield attached
    finally:
        database.detach(REFOLDED)


class DuckDBComparison:
    """See `projections.read_side.verification.StoreComparison`."""

    views = tuple(LOGICAL_VIEWS)

    def __init__(self, cursor: duckdb.DuckDBPyConnection, beside: DuckDBDatabase) -> None:
        """`cursor` is in a read transaction on the live store; `beside` is the empty one, attached to it."""
        self._cursor = cursor
        self._beside = beside
        self.live = DuckDBHeldStore(cursor)
        self._catalog, self.log_id = cursor.execute("SELECT current_database(), log_id FROM progress").fetchall()[0]

    @contextmanager
    def refolded(self) -> Iterator[RebuildStore]:
        """Create the tables of the second store; commit what was folded, unless the context raises."""
        with closing(self._beside.cursor()) as cursor:
            create_tables(cursor, self.log_id, CHAIN_START)
            store = RebuildStore(cursor)
            yield store
            store.finish()

    def differences(self, view: str) -> Iterator[Difference]:
        """Yield rows of one logical view that only one store has; at most `DIFFERENCES_SHOWN_MAX` of each."""
        live, refolded = (logical_view(self._cursor, view, catalog) for catalog in (self._catalog, REFOLDED))
        for side, row in _compared(self._cursor, live, refolded):
            yield Difference(view, ("live", "refolded")[side], row)

    def rollup_differences(self) -> Iterator[Difference]:
        """Yield day sums of the live store that differ from the sums of its rows; as many of each."""
        return inner_differences(self._cursor, self._catalog)


def logical_view(cursor: duckdb.DuckDBPyConnection, view: str, catalog: str) -> str:
    """Return the query of a logical view in one catalog."""
    rows, days, outcomes = (union_of(cursor, kind, catalog) for kind in _UNIONS)
    return LOGICAL_VIEWS[view].format(db=catalog, rows=rows, days=days, outcomes=outcomes)


def inner_differences(cursor: duckdb.DuckDBPyConnection, live: str) -> Iterator[Difference]:
    """Yield day sums that differ from the sums of the rows of the same catalog."""
    rows = union_of(cursor, "rows", live)
    sums = {
        "usage days": (_DAYS_BY_DELTAS.format(days=union_of(cursor, "days", live)), _DAYS_BY_ROWS.format(rows=rows)),
        "unit days": (_UNITS_BY_DELTAS.format(db=live), _UNITS_BY_ROWS.format(rows=rows)),
    }
    for days, (by_deltas, by_rows) in sums.items():
        for side, row in _compared(cursor, by_deltas, by_rows):
            yield Difference((f"{days} against usage rows", f"usage rows against {days}")[side], "live", row)


def _compared(cursor: duckdb.DuckDBPyConnection, one: str, other: str) -> Iterator[tuple[int, str]]:
    """Yield (0, row) for rows of the first query alone, (1, row) for the second; `DIFFERENCES_SHOWN_MAX` of each."""
    buckets = _buckets(cursor, one) ^ _buckets(cursor, other)
    shown = [0, 0]
    for bucket in sorted({bucket for bucket, *_ in buckets}):
        in_bucket = [f"SELECT d.* FROM ({query}) d WHERE {_BUCKET} = {bucket}" for query in (one, other)]
        for side in (0, 1):
            rows = f"({in_bucket[side]}) EXCEPT ALL ({in_bucket[1 - side]}) LIMIT {DIFFERENCES_SHOWN_MAX - shown[side]}"
            for (row,) in cursor.execute(f"SELECT to_json(d)::VARCHAR FROM ({rows}) d").fetchall():
                shown[side] += 1
                yield side, row
        if max(shown) >= DIFFERENCES_SHOWN_MAX:
            return


def _buckets(cursor: duckdb.DuckDBPyConnection, query: str) -> set[tuple[int, int, int]]:
    """(bucket number, row count, sum of row hashes) of every bucket that is not empty."""
    found = cursor.execute(
        f"SELECT {_BUCKET}, count(*), sum(hash(d)::HUGEINT)::HUGEINT FROM ({query}) d GROUP BY ALL"
    ).fetchall()
    return {(int(bucket), int(rows), int(hashes)) for bucket, rows, hashes in found}
