"""Replacements in the read store: versions of many events are closed, and others opened, at one position."""

from __future__ import annotations

from typing import Final

import duckdb
import numpy as np
import pyarrow as pa

from domain.values.instants import naive
from projections.duckdb.memory.change_tracking import ChangeTracker
from projections.duckdb.storage.fold_reads.filtered_rows import LAST_VERSION
from projections.duckdb.storage.generations import Generations
from projections.duckdb.writing.delta_inserts import insert_deltas, insert_taken, insert_unit_deltas
from projections.folding.lifecycle_writes import NewReplacement

_OF_BEFORE: Final = "b.customer_key = r.customer_key AND b.locator = r.locator AND r.closed_at IS NULL"


class ReplacementWrites:
    """Part of a fold store: what replacements read and write. Arrow tables are found by their names in statements."""

    _cursor: duckdb.DuckDBPyConnection
    _generations: Generations
    _unflushed_records: int
    changes: ChangeTracker

    def last_versions(self, locators: pa.Array) -> pa.Table:
        """Return the version of each of these events that was opened last, ascending by locator."""
        return self._cursor.sql(
            f"""SELECT * FROM {self._generations.rows()} WHERE locator IN (SELECT unnest($1::BIGINT[])) {LAST_VERSION}
            ORDER BY locator""",
            params=[locators.to_pylist()],
        ).to_arrow_table()

    def replace_rows(self, replacement: NewReplacement, versions: pa.Table, before: pa.Table) -> None:
        """Store a replacement, close the current versions of its events, and open others."""
        rows, open_days = self._generations.rows(), self._generations.open_name("days")
        position = int(replacement.position)
        closed = f"(SELECT r.* FROM {rows} r JOIN before b ON {_OF_BEFORE})"
        self._cursor.execute(insert_deltas(open_days, closed, sign="-"))
        self._cursor.execute(insert_unit_deltas(f"{closed} WHERE unit_names IS NOT NULL", sign="-"))
        for table in self._generations.row_tables():
            self._cursor.execute(f"UPDATE {table} AS r SET closed_at = {position} FROM before b WHERE {_OF_BEFORE}")
        self._cursor.execute(f"INSERT INTO {self._generations.open_name('rows')} BY NAME SELECT * FROM versions")
        self._cursor.execute(insert_deltas(open_days, "versions WHERE closed_at IS NULL"))
        self._cursor.execute(insert_unit_deltas("versions WHERE closed_at IS NULL AND unit_names IS NOT NULL"))
        self._cursor.execute(insert_taken(open_days, "versions WHERE closed_at IS NOT NULL"))
        self._cursor.execute(
            f"""INSERT INTO amendments SELECT v.scope_key, v.locator, {position}, v.customer_key, b.customer_key,
            v.time, v.content, b.received::VARCHAR, $1::TIMESTAMP
            FROM versions v JOIN before b ON b.locator = v.locator""",
            [naive(replacement.recorded_at)],
        )
        self._cursor.execute(
            "INSERT INTO replacements VALUES (?, ?, ?, ?, ?, ?)",
            [
                replacement.scope_key,
                position,
                naive(replacement.recorded_at),
                replacement.actor,
                replacement.reason,
                replacement.events,
            ],
        )
        self._note_replaced(versions, before)

    def _note_replaced(self, versions: pa.Table, before: pa.Table) -> None:
        self._unflushed_records += versions.num_rows
        keys = versions.column("customer_key").to_numpy().astype(np.int64)
        self.changes.corrected_usage(np.unique(np.concatenate([keys, before.column("customer_key").to_numpy()])))
        self.changes.amended.update(versions.column("locator").to_pylist())
        with_units = versions.column("unit_names").is_valid().to_numpy()
        if with_units.any():
            self.changes.unit_owners.add(versions.column("scope_key").to_numpy()[with_units], keys[with_units])
