"""A fold store for rebuilds that write the numbers first: rows are added to the sums, and only some of them are kept.

Unlike in a `RebuildStore`, day deltas are added with each step, as there are no rows to make them of later. What is
checkpointed stays: a rebuild that was killed goes on from there.
"""

from __future__ import annotations

import pyarrow as pa

from projections.duckdb.storage.generations import transaction
from projections.duckdb.storage.missing_rows import begin_missing
from projections.duckdb.writing.rebuild_store import RebuildStore
from projections.folding.day_deltas import delta_table, deltas_of_rows


class NumbersStore(RebuildStore):
    """See `projections.folding.numbers_first.numbers.NumbersStore`."""

    def begin_numbers(self, until: int) -> None:
        """Note, in an empty store, that rows up to the log position `until` are missing."""
        with transaction(self._cursor):
            begin_missing(self._cursor, until)

    def add_numbers(self, rows: pa.Table, kept: pa.Table) -> None:
        """Add the deltas of `rows`, and only the rows `kept`."""
        self._insert(self._open_rows, kept)
        self._add_to_sums(rows)

    def durable_position(self) -> int:
        """Return the position up to which everything is in the file: that is kept after a crash."""
        return super(RebuildStore, self).durable_position()

    def _add_to_days(self, staged: pa.Table) -> None:
        deltas = deltas_of_rows(staged) if self._rebuilding else None
        if deltas is None:
            super(RebuildStore, self)._add_to_days(staged)
        else:  # not into memory: nobody reads before the end
            self._insert(self._open_days, delta_table(deltas))
        self._rows_held += staged.num_rows

    def _add_to_unit_days(self, staged: pa.Table) -> None:
        super(RebuildStore, self)._add_to_unit_days(staged)
