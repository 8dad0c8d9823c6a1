"""Pages of the changes of single events between two log positions, with who made each and why."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

import duckdb
import msgspec

from domain.usage.block_schema import TOKEN_COLUMNS
from domain.values.instants import aware
from projections.duckdb.reading.backfill.records import BACKFILLS
from projections.duckdb.reading.bound_query import BoundQuery
from projections.duckdb.reading.correcting.runs import CORRECTION_RUNS
from projections.duckdb.reading.diff.changed_rows import ChangedRows, kind_of_topic
from projections.duckdb.reading.named_runs import run_steps
from projections.duckdb.reading.repricing.runs import REPRICINGS
from projections.queries.diff import ChangeCursor, ChangePart, EventChange
from projections.queries.usage import UsageSums, units_added

_ARRIVED: Final = ("new", "late")
#: What changes `c` of customers `n` are sorted by.
_KEY: Final = "(c.position, c.locator, n.customer_id)"
_TOKENS: Final = ", ".join(f"c.{name}" for name in TOKEN_COLUMNS)
#: Tables that tell who appended a record, with the expression of why. Prices of no scope are list prices.
_APPENDED: Final = (
    ("corrections", "reason", "scope_key = {scope}"),
    ("repricings", "reason", "scope_key = {scope}"),
    ("correction_runs", "reason", "scope_key = {scope}"),
    ("backfills", "reason", "scope_key = {scope}"),
    ("prices", "NULL", "(scope_key = {scope} OR scope_key IS NULL)"),
    ("discounts", "NULL", "scope_key = {scope}"),
    ("facts", "reason", "scope_key = {scope}"),
)


class _Version(NamedTuple):
    """A version of a row that was opened or closed. `of_change` holds what all versions of one change have."""

    of_change: tuple[int, int, str]
    recorded_at: datetime
    kind: str
    source: str
    id: str
    time: datetime
    sign: int
    part: ChangePart


def event_changes(
    cursor: duckdb.DuckDBPyConnection, asked: ChangedRows, after: ChangeCursor | None, limit: int
) -> list[EventChange]:
    """Return a page of changes, in the order of `ChangeCursor`."""
    versions = _versions_of_page(cursor, asked, after, limit)
    # A batch of usage may hold facts of many, of which none is about its events.
    positions = sorted({one.of_change[0] for one in versions if one.kind not in _ARRIVED})
    appended = _appended(cursor, asked.scope_key, positions)
    steps = run_steps(cursor, (REPRICINGS, CORRECTION_RUNS, BACKFILLS), asked.scope_key, positions)
    changes: dict[tuple[int, int, str], list[_Version]] = {}
    for one in versions:
        changes.setdefault(one.of_change, []).append(one)
    found = []
    for (position, locator, customer_id), of_change in changes.items():
        last = of_change[-1]  # what was opened stands after what was closed
        actor, reason = appended.get(position, (None, None))
        step = steps.get(position)
        found.append(
            EventChange(
                position,
                aware(last.recorded_at),
                last.kind,  # type: ignore[arg-type]  # one of the kinds that the statement names
                customer_id or None,
                last.source,
                last.id,
                locator,
                aware(last.time),
                tuple(one.part for one in of_change),
                actor,
                reason,
                None if step is None else step.name,
            )
        )
    return found


def _versions_of_page(
    cursor: duckdb.DuckDBPyConnection, asked: ChangedRows, after: ChangeCursor | None, limit: int
) -> list[_Version]:
    """The versions that make the changes of a page: one or two each.

    A page is found by its keys alone, because reading wide rows only to drop them is slow.
    """
    page = _keys_of_page(cursor, asked, after, limit)
    if not page:
        return []
    query, percentages = BoundQuery(), asked.percentages()
    (first, lowest, _), (last, highest, _) = page[0], page[-1]
    of_page = [] if first != last else [f"locator >= {query.bind(lowest)} AND locator <= {query.bind(highest)}"]
    between = msgspec.structs.replace(asked, since=first - 1, until=last)
    first_key, last_key = ([query.bind(value) for value in key] for key in (page[0], page[-1]))
    rows = query.rows(
        cursor,
        f"""SELECT c.position, c.locator, n.customer_id, l.recorded_at,
            {kind_of_topic(query, "l.topic", "c.is_late")}, c.source, c.id, c.time, c.sign, c.markup, {_TOKENS},
            coalesce(c.cost_usd, 0)::DECIMAL(38, 12), c.cost_origin = 'unknown',
            CASE WHEN c.parent_request IS NULL THEN coalesce(c.requests, 1) ELSE 0 END,
            map(c.unit_names, c.unit_quantities)
        FROM {between.relation(query, of_page)} c JOIN customers n ON n.customer_key = c.customer_key
        JOIN log_records l ON l.position = c.position
        WHERE {_KEY} >= ({", ".join(first_key)}) AND {_up_to(*last_key)}
        ORDER BY c.position, c.locator, n.customer_id, c.sign""",
    )
    found = []
    for position, locator, customer_id, recorded_at, kind, source, name, time, sign, markup, *values in rows:
        *tokens, cost, is_unknown, requests, units = values
        *counts, unknown, roots = (sign * count for count in (*tokens, is_unknown, requests))
        amount = cost if sign > 0 or not cost else -cost
        summed = (sign, *counts, amount, unknown, roots, units_added({}, dict(units or {}), sign))
        sums = UsageSums(*summed)
        key = position, locator, customer_id
        part = ChangePart(sums, percentages[markup])
        found.append(_Version(key, recorded_at, kind, source, name, time, sign, part))
    return found


def _keys_of_page(
    cursor: duckdb.DuckDBPyConnection, asked: ChangedRows, after: ChangeCursor | None, limit: int
) -> list[tuple[int, int, str]]:
    query, behind = BoundQuery(), "true"
    if after is not None:
        behind = f"{_KEY} > ({', '.join(query.bind(value) for value in after.values())})"
        asked = msgspec.structs.replace(asked, since=max(asked.since, after.position - 1))
    unmarked = msgspec.structs.replace(asked, markups={})
    keys = query.rows(
        cursor,
        f"""SELECT DISTINCT c.position, c.locator, n.customer_id FROM {unmarked.relation(query)} c
        JOIN customers n ON n.customer_key = c.customer_key WHERE {behind} ORDER BY ALL LIMIT {query.bind(limit)}""",
    )
    return [(position, locator, customer_id) for position, locator, customer_id in keys]


def _up_to(position: str, locator: str, customer_id: str) -> str:
    """The condition on keys up to this one. DuckDB makes a BETWEEN of two comparisons of rows, and has none."""
    in_position = f"c.locator < {locator} OR (c.locator = {locator} AND n.customer_id <= {customer_id})"
    return f"(c.position < {position} OR (c.position = {position} AND ({in_position})))"


def _appended(
    cursor: duckdb.DuckDBPyConnection, scope_key: int, positions: Sequence[int]
) -> dict[int, tuple[str, str | None]]:
    """Who appended the records at these positions, and why, as far as the store tells."""
    if not positions:
        return {}
    query = BoundQuery()
    at, scope = query.bind(list(positions)), query.bind(scope_key)
    parts = (
        f"""SELECT position, actor, {reason} AS reason FROM {table}
        WHERE {of_scope.format(scope=scope)} AND position IN (SELECT unnest({at}::BIGINT[]))"""
        for table, reason, of_scope in _APPENDED
    )
    return {position: (actor, reason) for position, actor, reason in query.rows(cursor, " UNION ".join(parts))}
