"""Correction runs, each put together from its events, and what runs did to one event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import duckdb
import msgspec

from domain.correction_runs.event_filter import CorrectedEvents
from domain.correction_runs.events import (
    CORRECTION_RUN_COMMITTED,
    CORRECTION_RUN_OPENED,
    CORRECTION_RUN_REVERTED,
)
from domain.correction_runs.set_members import SetMembers
from domain.corrections.events import USAGE_AMENDED, USAGE_RESTORED, USAGE_VOIDED
from domain.values.instants import aware
from projections.duckdb.reading.bound_query import Row
from projections.duckdb.reading.named_runs import RunTable, step_of
from projections.queries.corrections import CorrectionRunChange, CorrectionRunRecord
from projections.queries.events import CORRECTIONS_MAX, CorrectionRecord

CORRECTION_RUNS: Final = RunTable(
    "correction_runs",
    ("events", "difference_usd", "cost_unknown_events", "action", "filter", "members", "previewed_at"),
)
_filter: Final = msgspec.json.Decoder(CorrectedEvents)
_KINDS: Final = {"void": USAGE_VOIDED, "restore": USAGE_RESTORED, "amend": USAGE_AMENDED}
_members: Final = msgspec.json.Decoder(SetMembers)


def correction_runs(
    cursor: duckdb.DuckDBPyConnection, scope_key: int | None, after: str | None, limit: int
) -> list[CorrectionRunRecord]:
    """Return a page of the runs of a scope, in ascending order of name; none of a scope without a key."""
    return [_run(one) for one in CORRECTION_RUNS.page(cursor, scope_key, after, limit)]


def correction_run(cursor: duckdb.DuckDBPyConnection, scope_key: int | None, name: str) -> CorrectionRunRecord | None:
    """Return the run of this name in a scope, if there is one."""
    return next((_run(one) for one in CORRECTION_RUNS.run(cursor, scope_key, name)), None)


def run_corrections(cursor: duckdb.DuckDBPyConnection, scope_key: int | None, locator: int) -> list[CorrectionRecord]:
    """Return what corrected the event at a locator together with others, oldest first: the last ones.

    That is the commits and reverts of runs that were about it, and replacements. Most scopes have neither, which small
    tables tell.
    """
    return sorted(
        [*_of_runs(cursor, scope_key, locator), *_replacements(cursor, scope_key, locator)],
        key=lambda one: one.position,
    )


def _of_runs(cursor: duckdb.DuckDBPyConnection, scope_key: int | None, locator: int) -> list[CorrectionRecord]:
    known = "SELECT 1 FROM correction_runs WHERE scope_key = ? AND kind = ? LIMIT 1"
    if not cursor.execute(known, [scope_key, CORRECTION_RUN_COMMITTED]).fetchall():
        return []
    rows = cursor.execute(
        f"""SELECT r.kind, s.action, r.position, r.recorded_at, r.actor, r.reason, r.name
        FROM correction_runs r JOIN (
            SELECT c.name, c.action FROM corrected_events e JOIN correction_runs c ON c.position = e.position
            WHERE e.locator = $2 AND c.scope_key = $1) s ON s.name = r.name
        WHERE r.scope_key = $1 AND r.kind <> '{CORRECTION_RUN_OPENED}' ORDER BY r.position DESC LIMIT $3""",
        [scope_key, locator, CORRECTIONS_MAX],
    ).fetchall()
    return [
        CorrectionRecord(_kind(kind, action), position, aware(at), actor, reason, run=name, amends=action == "amend")
        for kind, action, position, at, actor, reason, name in rows
    ]


def _replacements(cursor: duckdb.DuckDBPyConnection, scope_key: int | None, locator: int) -> list[CorrectionRecord]:
    if not cursor.execute("SELECT 1 FROM replacements WHERE scope_key = ? LIMIT 1", [scope_key]).fetchall():
        return []
    rows = cursor.execute(
        """SELECT r.position, r.recorded_at, r.actor, r.reason FROM replacements r
        JOIN amendments a ON a.position = r.position WHERE r.scope_key = ? AND a.locator = ?
        ORDER BY r.position DESC LIMIT ?""",
        [scope_key, locator, CORRECTIONS_MAX],
    ).fetchall()
    return [CorrectionRecord(USAGE_AMENDED, position, aware(at), actor, reason) for position, at, actor, reason in rows]


def _kind(kind: str, action: str | None) -> Any:
    if kind == CORRECTION_RUN_REVERTED:
        return CORRECTION_RUN_REVERTED
    return _KINDS[action or ""]


def _run(steps: Mapping[str, Row]) -> CorrectionRunRecord:
    opened, committed = steps["opened"], steps.get("committed")
    position, recorded_at, actor, reason = step_of(opened)
    *_, action, asked, members, _ = CORRECTION_RUNS.own(opened)
    return CorrectionRunRecord(
        opened[0],
        action,
        _filter.decode(asked),
        None if members is None else _members.decode(members),
        recorded_at,
        position,
        actor,
        reason,
        None if committed is None else committed[-1],
        _change(committed),
        _change(steps.get("reverted")),
    )


def _change(row: Row | None) -> CorrectionRunChange | None:
    return None if row is None else CorrectionRunChange(*step_of(row), *CORRECTION_RUNS.own(row)[:3])
