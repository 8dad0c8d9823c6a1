"""Amendments by filter in the read store: the events concerned, their next versions, and what they were before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import duckdb
import numpy as np
import pyarrow as pa

from domain.correction_runs.set_members import TAG
from domain.repricings.events import REPRICING_COMMITTED, REPRICING_REVERTED
from domain.usage.block_schema import TOKEN_COLUMNS
from domain.values.instants import naive
from projections.amending.set_costs import COST_COLUMNS
from projections.duckdb.memory.change_tracking import ChangeTracker
from projections.duckdb.storage.fold_reads.filtered_rows import LAST_VERSION, FilteredRows
from projections.duckdb.storage.fold_reads.void_states import WITHDRAWN
from projections.duckdb.storage.generations import Generations
from projections.duckdb.storage.schema import NOTHING_CHANGED
from projections.duckdb.writing.version_changes import open_versions
from projections.folding.lifecycle_writes import MemberSetter, RowAmendment
from projections.folding.staged_tables import COSTS_BEFORE, MEMBERS_BEFORE
from projections.row_filter import RowFilter

#: Orders versions `v` of an event: the later opened one last, of those opened at once the one that was in effect.
_ORDER: Final = "v.counted_at * 2 + (v.closed_at IS NULL OR v.closed_at > v.counted_at)::BIGINT"
#: The columns that a price looks at, but for the series and the customer.
_PRICED_BY: Final = (
    *("kind_key", "customer_key", "time", "status", *TOKEN_COLUMNS),
    *("unit_names", "unit_quantities", "requests", "quantities_unknown", "price_context"),
)
#: What `amendments.changed` contains where an amendment set a member.
_NAMED: Final = {
    "model": '"member":"data.model"',
    "provider": '"member":"data.provider"',
    "customer": '"member":"subject"',
}
_TAGS: Final = '"member":"data.tags'
_UNDONE: Final = f"""SELECT c.position FROM repricings c WHERE c.kind = '{REPRICING_COMMITTED}' AND EXISTS (
    SELECT 1 FROM repricings r WHERE r.scope_key = c.scope_key AND r.name = c.name
        AND r.kind = '{REPRICING_REVERTED}')"""


class AmendmentWrites:
    """Part of a fold store: what amendments by filter read and write. Arrow tables are found by their names."""

    _cursor: duckdb.DuckDBPyConnection
    _generations: Generations
    _unflushed_records: int
    changes: ChangeTracker

    def rows_in(self, asked: RowFilter, above_locator: int, rows_max: int) -> pa.Table:
        """Return the last versions of the first events of a filter above a locator, ascending by locator."""
        rows = FilteredRows(asked, self._generations.rows())
        statement = f"""SELECT * FROM ({rows.current()} UNION ALL {rows.voided()})
            WHERE locator > $above ORDER BY locator LIMIT $most"""
        values = rows.values | {"above": above_locator, "most": rows_max}
        return self._cursor.sql(statement, params=values).to_arrow_table()

    def given_costs(self, locators: pa.Array) -> list[int]:
        """Return those of these events whose cost is given, re-pricings aside."""
        found = self._cursor.execute(
            f"""SELECT locator FROM (SELECT * FROM {self._generations.rows()}
                WHERE repriced_at IS NULL AND locator IN (SELECT unnest($1::BIGINT[])) {LAST_VERSION})
            WHERE cost_origin = 'producer'""",
            [locators.to_pylist()],
        ).fetchall()
        return [locator for (locator,) in found]

    def amend_rows(self, amendment: RowAmendment, versions: pa.Table, customer_keys: pa.Array) -> None:
        """Close the current versions of events, and open others."""
        before = pa.table({"customer_key": customer_keys, "locator": versions.column("locator")})
        position = int(amendment.position)
        open_versions(self._cursor, self._generations, versions, before, position)
        self._cursor.execute(
            f"""INSERT INTO amendments SELECT v.scope_key, v.locator, {position}, v.customer_key, b.customer_key,
            v.time, v.content, '{NOTHING_CHANGED}', $1::TIMESTAMP
            FROM versions v JOIN before b ON b.locator = v.locator AND b.customer_key <> v.customer_key""",
            [naive(amendment.recorded_at)],
        )
        keys, keys_before = (
            one.to_numpy().astype(np.int64) for one in (versions.column("customer_key"), customer_keys)
        )
        self._unflushed_records += versions.num_rows
        self.changes.corrected_usage(np.unique(np.concatenate([keys, keys_before])))
        self.changes.amended.update(versions.column("locator").to_numpy()[keys != keys_before].tolist())
        with_units = versions.column("unit_names").is_valid().to_numpy()
        if with_units.any():
            self.changes.unit_owners.add(versions.column("scope_key").to_numpy()[with_units], keys[with_units])

    def note_corrected(self, position: int, locators: pa.Array) -> None:
        """Note events of the run committed at a position."""
        noted = pa.table({"locator": locators})
        self._cursor.execute(f"INSERT INTO corrected_events SELECT {int(position)}, locator FROM noted")
        self._unflushed_records += noted.num_rows

    def noted_events(self, corrected_at: int, above_locator: int, events_max: int) -> pa.Array:
        """Return the locators of the first events above one that a run noted, ascending."""
        found = self._cursor.sql(
            f"""SELECT locator FROM corrected_events WHERE position = $1 AND locator > $2
                AND locator NOT IN ({WITHDRAWN}) ORDER BY locator LIMIT $3""",
            params=[corrected_at, above_locator, events_max],
        ).to_arrow_table()
        return found.column("locator").combine_chunks()

    def before_set(self, corrected_at: int, setters: Sequence[MemberSetter], locators: pa.Array) -> pa.Table:
        """Return what the members were before the run at `corrected_at` set them in these events."""
        wanted = [one.member for one in setters if one.position == corrected_at]
        found = self._cursor.sql(
            f"""WITH asked AS (SELECT unnest($locators::BIGINT[]) AS locator),
            runs AS (SELECT unnest($positions::BIGINT[]) AS position, unnest($members::VARCHAR[]) AS member,
                unnest($stands::BOOLEAN[]) AS stands),
            wanted AS (SELECT unnest($wanted::VARCHAR[]) AS member, unnest($named::VARCHAR[]) AS named),
            singles AS (SELECT a.* FROM amendments a JOIN asked USING (locator)),
            setters AS (
                SELECT e.locator, e.position, r.member, r.stands FROM corrected_events e
                    JOIN asked USING (locator) JOIN runs r ON r.position = e.position
                UNION ALL SELECT s.locator, s.position, w.member, true FROM singles s, wanted w
                    WHERE s.changed <> '{NOTHING_CHANGED}'
                        AND (NOT starts_with(s.changed, '[') OR contains(s.changed, w.named))
                UNION ALL SELECT s.locator, s.position, 'customer', true FROM singles s
                    WHERE s.changed = '{NOTHING_CHANGED}' AND s.position NOT IN (SELECT position FROM correction_runs)),
            standing AS (SELECT *, coalesce(max(position) FILTER (stands AND position < $at)
                    OVER (PARTITION BY locator, member), 0) AS last,
                bool_or(stands AND position > $at) OVER (PARTITION BY locator, member) AS is_set_later FROM setters),
            firsts AS (SELECT locator, member, min(position) AS first FROM standing JOIN wanted USING (member)
                WHERE NOT stands AND NOT is_set_later AND position > last AND position <= $at GROUP BY ALL),
            told AS (SELECT f.locator, f.member, arg_max({{'kind_key': v.kind_key, 'customer_key': v.customer_key,
                    'tags': v.tags}}, {_ORDER}) AS before
                FROM firsts f JOIN {self._generations.rows()} v ON v.locator = f.locator AND v.counted_at < f.first
                GROUP BY ALL)
            SELECT locator, member, before.kind_key, before.customer_key, before.tags FROM told
            ORDER BY locator, member""",
            params={
                "locators": locators.to_pylist(),
                "positions": [one.position for one in setters],
                "members": [one.member for one in setters],
                "stands": [one.stands for one in setters],
                "wanted": wanted,
                "named": [_TAGS if one.startswith(TAG) else _NAMED[one] for one in wanted],
                "at": corrected_at,
            },
        ).to_arrow_table()
        return found.cast(MEMBERS_BEFORE)

    def costs_before(self, corrected_at: int, rows: pa.Table) -> pa.Table:
        """Return the cost that each of these rows had before the run at `corrected_at`, where it was priced alike."""
        alike = " AND ".join(f"v.{name} IS NOT DISTINCT FROM n.{name}" for name in _PRICED_BY)
        costs = ", ".join(f"'{name}': v.{name}" for name in COST_COLUMNS)
        of_before = ", ".join(f"before.{name} AS {name}" for name in COST_COLUMNS)
        found = self._cursor.sql(
            f"""WITH told AS (SELECT n.locator, arg_max({{{costs}}}, {_ORDER}) AS before
                FROM rows n JOIN {self._generations.rows()} v ON v.locator = n.locator AND v.counted_at < $1
                WHERE {alike} AND (v.repriced_at IS NULL OR v.repriced_at NOT IN ({_UNDONE}))
                    AND (v.cost_origin <> 'producer' OR n.repriced_at IS NOT NULL)
                GROUP BY n.locator)
            SELECT locator, {of_before} FROM told ORDER BY locator""",
            params=[corrected_at],
        ).to_arrow_table()
        return found.cast(COSTS_BEFORE)
