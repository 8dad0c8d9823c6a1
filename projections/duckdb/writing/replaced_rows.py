"""Replacements in the read store: versions of many events are closed, and others opened, at one position."""

from __future__ import annotations

import duckdb
import numpy as np
import pyarrow as pa

from domain.values.instants import naive
from projections.duckdb.memory.change_tracking import ChangeTracker
from projections.duckdb.storage.fold_reads.filtered_rows import LAST_VERSION
from projections.duckdb.storage.generations import Generations
from projections.duckdb.writing.version_changes import open_versions
from projections.folding.lifecycle_writes import NewReplacement


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
        position = int(replacement.position)
        open_versions(self._cursor, self._generations, versions, before, position)
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
