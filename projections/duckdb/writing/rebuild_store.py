"""A fold store that is filled from the first record of the log, and that nobody reads before it is full.

What a crash leaves of it is thrown away, so it need not be durable step by step:

1. The rows of a step are inserted; what they add to the days is owed.
2. Before a version of a row is closed or opened, what is owed to the days is added, in one statement over all rows
   since the last time: a third of the work of doing so step by step.
3. A transaction ends once it holds `commit_rows_min` rows. Whole row groups then go into the file at once, and not
   first into the write-ahead file and from there, at a checkpoint, a second time.
4. `finish` adds what is owed and commits the rest. From then on it is a fold store like any other.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import duckdb
import pyarrow as pa

from projections.duckdb.writing.fold_store import DuckDBFoldStore, deltas_of

#: Eight row groups of DuckDB.
COMMIT_ROWS_MIN: Final = 8 * 122_880


class RebuildStore(DuckDBFoldStore):
    """See above. After an error nothing but `close` may be called."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, commit_rows_min: int = COMMIT_ROWS_MIN) -> None:
        super().__init__(cursor)
        self._commit_rows_min = commit_rows_min
        self._refolding = True
        self._in_transaction = False
        self._rows = 0
        self._position = 0
        self._owed_from: int | None = None  # the locator of the first row that the days lack

    def finish(self) -> None:
        """Commit what is in hand; every step is a transaction from here on."""
        self.begin()
        self._add_what_is_owed()
        self._commit()
        self.changes.days.restart(self._position)
        self._refolding = False

    def begin(self) -> None:
        if not self._in_transaction:
            super().begin()
            self._in_transaction = self._refolding

    def commit(self) -> None:
        if not self._refolding or self._rows >= self._commit_rows_min:
            self._commit()

    def add_log_records(self, records: pa.Table) -> None:
        super().add_log_records(records)
        self._rows += records.num_rows  # a log of commands alone has no other rows

    def advance(self, position: int, running_hash: bytes, recorded_at: datetime | None) -> None:
        super().advance(position, running_hash, recorded_at)
        self._position = position

    def close_row(self, customer_key: int, locator: int, position: int) -> bool:
        self._add_what_is_owed()
        return super().close_row(customer_key, locator, position)

    def reopen_row(self, customer_key: int, locator: int, position: int) -> tuple[str | None, str | None]:
        self._add_what_is_owed()
        return super().reopen_row(customer_key, locator, position)

    def price_rows(self, priced: pa.Table, position: int) -> None:
        self._add_what_is_owed()
        super().price_rows(priced, position)

    def _add_to_days(self, staged: pa.Table) -> None:
        if not self._refolding:
            super()._add_to_days(staged)
            return
        self._rows += staged.num_rows
        if self._owed_from is None:
            self._owed_from = staged.column("locator")[0].as_py()

    def _add_what_is_owed(self) -> None:
        if self._owed_from is not None:
            since = f"{self._open_rows} WHERE locator >= {int(self._owed_from)} AND closed_at IS NULL"
            self._cursor.execute(deltas_of(self._open_days, since))
            self._owed_from = None

    def _commit(self) -> None:
        super().commit()
        self._in_transaction, self._rows = False, 0
