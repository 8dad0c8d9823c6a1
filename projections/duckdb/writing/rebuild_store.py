"""A fold store for rebuilds: filled from the first record of the log, and read by nobody before it is complete.

What a crash leaves of it is thrown away, so it need not commit step by step:

1. The rows of a step are inserted; their day deltas are left pending.
2. Before a version of a row is closed or opened, the pending day deltas are added, in one statement over all rows
   since the last time. That takes a third of the work of adding them step by step.
3. A transaction is committed once it holds `commit_rows_min` rows. Whole row groups then go directly into the file,
   instead of into memory until a checkpoint.
4. `finish` adds the pending deltas and commits the rest. From then on this is a fold store like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

import duckdb
import pyarrow as pa

from projections.duckdb.writing.delta_inserts import insert_deltas, insert_unit_deltas
from projections.duckdb.writing.fold_store import DuckDBFoldStore
from projections.folding.backfill_store import Reinstated, ReplacedRange, Withdrawal, WithdrawnRows
from projections.folding.lifecycle_writes import CorrectedRows, CustomerMove, NewReplacement, RowAmendment
from projections.row_filter import RowFilter

#: Eight row groups of DuckDB (122,880 rows each).
COMMIT_ROWS_MIN: Final = 8 * 122_880


class RebuildStore(DuckDBFoldStore):
    """A fold store that commits rarely until `finish`. After an error nothing but `close` may be called."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, commit_rows_min: int = COMMIT_ROWS_MIN) -> None:
        super().__init__(cursor)
        self._commit_rows_min = commit_rows_min
        self._rebuilding = True
        self._in_transaction = False
        self._rows_held = 0
        self._position = self.reached()[0]
        self._pending_from: int | None = None  # locator of the first row whose day deltas are pending
        self._units_pending = False  # whether one of those rows has units

    def finish(self) -> None:
        """Commit everything; from now on every step is a transaction of its own."""
        self.begin()
        self._add_pending_days()
        self._commit()
        self.changes.days.restart(self._position)
        self._rebuilding = False

    def durable_position(self) -> int:
        """Return the position of the fold while rebuilding: nothing has to wait for a checkpoint then."""
        return self._position if self._rebuilding else super().durable_position()

    def begin(self) -> None:
        """Begin a transaction, or continue the open one while rebuilding."""
        if not self._in_transaction:
            super().begin()
            self._in_transaction = self._rebuilding

    def commit(self) -> None:
        """Commit the transaction; while rebuilding only if it holds `commit_rows_min` rows."""
        if not self._rebuilding or self._rows_held >= self._commit_rows_min:
            self._commit()

    def add_log_records(self, records: pa.Table) -> None:
        """Insert log records; they count towards `commit_rows_min`."""
        super().add_log_records(records)
        self._rows_held += records.num_rows  # a log of commands alone has no other rows

    def advance(self, position: int, running_hash: bytes, recorded_at: datetime | None) -> None:
        """Write the buffered rows, and record the position of the fold."""
        super().advance(position, running_hash, recorded_at)
        self._position = position

    def close_row(self, customer_key: int, locator: int, position: int) -> None:
        """Close the current version of a row, after the pending day deltas."""
        self._add_pending_days()
        super().close_row(customer_key, locator, position)

    def reopen_row(self, customer_key: int, locator: int, position: int) -> int | None:
        """Open a new version of a row, after the pending day deltas."""
        self._add_pending_days()
        return super().reopen_row(customer_key, locator, position)

    def add_version(self, version: pa.Table) -> None:
        """Insert a version of a row, after the pending day deltas."""
        self._add_pending_days()
        super().add_version(version)

    def move_rows(self, move: CustomerMove, versions: pa.Table) -> None:
        """Give events another customer, after the pending day deltas."""
        self._add_pending_days()
        super().move_rows(move, versions)

    def price_rows(self, priced: pa.Table, position: int) -> None:
        """Set the cost of rows, after the pending day deltas."""
        self._add_pending_days()
        super().price_rows(priced, position)

    def undo_repricing(self, repriced_at: int, position: int) -> tuple[int, Decimal]:
        """Give rows the cost that they had before a re-pricing, after the pending day deltas."""
        self._add_pending_days()
        return super().undo_repricing(repriced_at, position)

    def replace_rows(self, replacement: NewReplacement, versions: pa.Table, before: pa.Table) -> None:
        """Replace rows, after the pending day deltas."""
        self._add_pending_days()
        super().replace_rows(replacement, versions, before)

    def void_rows(self, asked: RowFilter, position: int) -> CorrectedRows:
        """Void the events of a filter, after the pending day deltas."""
        self._add_pending_days()
        return super().void_rows(asked, position)

    def restore_rows(self, asked: RowFilter, position: int) -> CorrectedRows:
        """Restore the voided events of a filter, after the pending day deltas."""
        self._add_pending_days()
        return super().restore_rows(asked, position)

    def undo_corrections(self, corrected_at: int, position: int) -> CorrectedRows:
        """Undo what a correction run did, after the pending day deltas."""
        self._add_pending_days()
        return super().undo_corrections(corrected_at, position)

    def amend_rows(self, amendment: RowAmendment, versions: pa.Table, customer_keys: pa.Array) -> None:
        """Amend the events of a filter, after the pending day deltas."""
        self._add_pending_days()
        super().amend_rows(amendment, versions, customer_keys)

    def add_claimed_rows(self, rows: pa.Table) -> None:
        """Insert rows of earlier blocks, with their day deltas: they are not behind the rows that are pending."""
        self._add_pending_days()
        rebuilding, self._rebuilding = self._rebuilding, False
        try:
            super().add_claimed_rows(rows)
        finally:
            self._rebuilding = rebuilding
        self._rows_held += rows.num_rows

    def withdraw_range(self, asked: ReplacedRange, by: Withdrawal) -> WithdrawnRows:
        """Withdraw the events of a range, after the pending day deltas."""
        self._add_pending_days()
        return super().withdraw_range(asked, by)

    def withdraw_blocks(self, positions: Sequence[int], by: Withdrawal) -> WithdrawnRows:
        """Withdraw the events of blocks, after the pending day deltas."""
        self._add_pending_days()
        return super().withdraw_blocks(positions, by)

    def reinstate(self, replaced_at: int, position: int) -> Reinstated:
        """Count events again, after the pending day deltas."""
        self._add_pending_days()
        return super().reinstate(replaced_at, position)

    def _add_to_days(self, staged: pa.Table) -> None:
        if not self._rebuilding:
            super()._add_to_days(staged)
            return
        self._rows_held += staged.num_rows
        if self._pending_from is None:
            self._pending_from = staged.column("locator")[0].as_py()

    def _add_to_unit_days(self, staged: pa.Table) -> None:
        if self._rebuilding:
            self._units_pending = True
        else:
            super()._add_to_unit_days(staged)

    def _add_pending_days(self) -> None:
        if self._pending_from is not None:
            since = f"{self._open_rows} WHERE locator >= {int(self._pending_from)} AND closed_at IS NULL"
            self._cursor.execute(insert_deltas(self._open_days, since))
            if self._units_pending:
                self._cursor.execute(insert_unit_deltas(f"{since} AND unit_names IS NOT NULL"))
            self._pending_from, self._units_pending = None, False

    def commit_held(self) -> None:
        """Commit what is held back, so that a checkpoint writes it."""
        if self._in_transaction:
            self._commit()

    def _commit(self) -> None:
        super().commit()
        self._in_transaction, self._rows_held = False, 0
