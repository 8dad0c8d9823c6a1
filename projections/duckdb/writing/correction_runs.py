"""Correction runs in the read store: all events of a filter are voided or restored at once, and that is undone.

1. Put the events concerned into a temporary table, with whether each changes.
2. Close the current versions of those that become void, and take them from the days.
3. Open a version, equal to the last one, of those that become valid again, and add it to the days.
4. Of a commit, note every event of the filter in `corrected_events`, changed or not: so a revert finds what the run
   said of it, and what other runs say.

The state of an event after a revert is what the last correction of it says that stands: a void or restoration of its
own, or one by a run that is not reverted; without any it is valid.
"""

from __future__ import annotations

from typing import Any, Final

import duckdb
import msgspec
import numpy as np

from domain.values.instants import naive
from projections.duckdb.memory.change_tracking import ChangeTracker
from projections.duckdb.storage.fold_reads.filtered_rows import LAST_VERSION, FilteredRows
from projections.duckdb.storage.fold_reads.void_states import WITHDRAWN, valid_events
from projections.duckdb.storage.generations import Generations
from projections.duckdb.writing.version_changes import add_to_sums, close_versions
from projections.folding.backfill_store import RawCost
from projections.folding.lifecycle_writes import CorrectedRows, NewCorrectionRun
from projections.row_filter import RowFilter

#: Events of `corrected` that become void, and those that become valid again.
_CLOSING: Final = "changes AND was_valid"
_OPENING: Final = "changes AND NOT was_valid"
#: What names the last version of an event.
_VERSION: Final = "customer_key, locator, counted_at, closed_at"
#: `$ROWS` stands for the subquery of all rows. What a backfill withdrew stays as it is.
_REVERTED: Final = f"""CREATE TEMP TABLE corrected AS
    WITH marked AS (SELECT locator FROM corrected_events WHERE position = $1 AND locator NOT IN ({WITHDRAWN})),
    last AS (SELECT scope_key, customer_key, locator, source, id, counted_at, closed_at FROM $ROWS
        WHERE locator IN (FROM marked) {LAST_VERSION}),
    wanted AS (SELECT last.customer_key, last.locator, last.counted_at, last.closed_at,
        last.closed_at IS NULL AS was_valid, valid.is_valid
        FROM last JOIN ({valid_events("last", without_run="$1")}) valid USING (locator))
    SELECT * EXCLUDE (is_valid), was_valid <> is_valid AS changes FROM wanted"""


class CorrectionRunWrites:
    """Part of a fold store: what correction runs write."""

    _cursor: duckdb.DuckDBPyConnection
    _generations: Generations
    _unflushed_records: int
    changes: ChangeTracker

    def add_correction_run(self, run: NewCorrectionRun) -> None:
        """Insert an event of a correction run, its filter and what it sets as JSON text."""
        self._cursor.execute(
            "INSERT INTO correction_runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                run.scope_key,
                run.name,
                run.kind,
                run.position,
                naive(run.recorded_at),
                run.actor,
                run.reason,
                run.action,
                None if run.filter is None else msgspec.json.encode(run.filter).decode(),
                None if run.members is None else msgspec.json.encode(run.members).decode(),
                run.previewed_at,
                run.events,
                run.difference_usd,
                run.cost_unknown_events,
            ],
        )

    def void_rows(self, asked: RowFilter, position: int) -> CorrectedRows:
        """Void the events of a filter from `position` on; those that are voided already are noted too."""
        rows = FilteredRows(asked, self._generations.rows())
        found = f"""SELECT {_VERSION}, true AS was_valid, true AS changes FROM ({rows.current()})
            UNION ALL SELECT {_VERSION}, false, false FROM ({rows.voided()})"""
        return self._corrected(f"CREATE TEMP TABLE corrected AS {found}", rows.values, position, True)

    def restore_rows(self, asked: RowFilter, position: int) -> CorrectedRows:
        """Restore the voided events of a filter from `position` on, as far as they were voided by `counted_up_to`."""
        rows = FilteredRows(asked, self._generations.rows())
        found = f"""SELECT {_VERSION}, false AS was_valid, true AS changes FROM ({rows.voided()})
            WHERE closed_at <= $counted_up_to"""
        values = rows.values | {"counted_up_to": asked.counted_up_to}
        return self._corrected(f"CREATE TEMP TABLE corrected AS {found}", values, position, True)

    def undo_corrections(self, corrected_at: int, position: int) -> CorrectedRows:
        """Give the events of the run at `corrected_at` the state that the corrections say which stand without it."""
        found = _REVERTED.replace("$ROWS", self._generations.rows())
        return self._corrected(found, [corrected_at], position, False)

    def _corrected(self, found: str, values: Any, position: int, is_noted: bool) -> CorrectedRows:
        self._cursor.execute(found, values)
        customers, *counts = self._cursor.execute(
            f"""SELECT coalesce(list(DISTINCT customer_key), []), count(*),
            count(*) FILTER ({_CLOSING}), count(*) FILTER ({_OPENING}) FROM corrected WHERE changes"""
        ).fetchall()[0]
        events, closing, opening = counts
        difference = RawCost()
        unknown: list[int] = []
        if closing:
            difference = difference.minus(self._close(position))
        if opening:
            opened, unknown = self._open(position, opening)
            difference = difference.plus(opened)
        if is_noted:
            self._cursor.execute(
                """INSERT INTO corrected_events SELECT $1, locator FROM corrected ORDER BY locator""",
                [position],
            )
        self._cursor.execute("DROP TABLE corrected")
        if customers:
            self._unflushed_records += events
            self.changes.corrected_usage(np.array(customers, dtype=np.int64))
        return CorrectedRows(events, difference, tuple(unknown))

    def _close(self, position: int) -> RawCost:
        """Close the current versions of events, and return what they cost."""
        current = f"""(SELECT r.* FROM {self._generations.rows()} r JOIN corrected c
            ON c.customer_key = r.customer_key AND c.locator = r.locator AND {_CLOSING} WHERE r.closed_at IS NULL)"""
        cost = add_to_sums(self._cursor, self._generations, current, sign="-")
        closing = f"(SELECT * FROM corrected WHERE {_CLOSING})"
        close_versions(self._cursor, self._generations, closing, position)
        return cost

    def _open(self, position: int, events: int) -> tuple[RawCost, list[int]]:
        """Open versions equal to the last ones of so many events.

        Returns what they cost, and the series of those of unknown cost.
        """
        open_rows = self._generations.open_name("rows")
        last = f"""{self._generations.rows()} r JOIN corrected c ON c.customer_key = r.customer_key
            AND c.locator = r.locator AND c.counted_at = r.counted_at AND c.closed_at = r.closed_at AND {_OPENING}"""
        # Versions that were never in effect may be alike in all of this; to look for the last one of wide rows is slow.
        [(found,)] = self._cursor.execute(f"SELECT count(*) FROM {last}").fetchall()
        once = "" if found == events else "QUALIFY row_number() OVER (PARTITION BY r.locator) = 1"
        self._cursor.execute(
            f"""INSERT INTO {open_rows} BY NAME
            SELECT r.* REPLACE ($1::BIGINT AS counted_at, NULL::BIGINT AS closed_at) FROM {last} {once}""",
            [position],
        )
        opened = f"(SELECT * FROM {open_rows} WHERE counted_at = {int(position)} AND closed_at IS NULL)"
        cost = add_to_sums(self._cursor, self._generations, opened)
        kinds, scopes, owners = self._cursor.execute(
            f"""SELECT coalesce(list(DISTINCT kind_key) FILTER (cost_origin = 'unknown'), []),
            coalesce(list(scope_key) FILTER (has_units), []), coalesce(list(customer_key) FILTER (has_units), [])
            FROM (SELECT DISTINCT kind_key, cost_origin, scope_key, customer_key, unit_names IS NOT NULL AS has_units
                FROM {opened})"""
        ).fetchall()[0]
        if owners:
            self.changes.unit_owners.add(np.array(scopes), np.array(owners, dtype=np.int64))
        return cost, sorted(kinds)
