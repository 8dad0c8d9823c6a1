"""Writing of the missing rows of a store whose numbers came first, as sorted generations, while the fold goes on.

1. Insert the rows into a table that nobody reads yet, in a few transactions.
2. Pause the fold for a moment, and in one transaction: list the table as a generation, and note the position up to
   which rows are written. With the last ones, the view `usage_rows` is there again.

What dies in between leaves a table that `generations` does not list; it is dropped when the store is opened again.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import duckdb
import numpy as np
import pyarrow as pa

from projections.duckdb.storage.chunks import CHUNK_ROWS_MAX
from projections.duckdb.storage.generations import COLUMNS_OF, Generations, refresh_views, transaction
from projections.duckdb.storage.missing_rows import note_written
from projections.duckdb.storage.pricing_records import pricing_records
from projections.identity.entries import U64
from projections.pricing.rules import PricingRecord
from projections.read_side.compaction import FoldPause, WriteTurn


class DuckDBRowFilling:
    """See `projections.read_side.missing_rows.RowFilling`. `generations_changed` is called while the fold is paused."""

    def __init__(
        self,
        cursor: duckdb.DuckDBPyConnection,
        paused: FoldPause,
        write_turn: WriteTurn,
        generations_changed: Callable[[], None],
    ) -> None:
        self._cursor = cursor
        self._paused = paused
        self._write_turn = write_turn
        self._generations_changed = generations_changed

    def pricing_records(self) -> list[tuple[int | None, PricingRecord]]:
        """Return what a price book is made of, in the order of the log."""
        return pricing_records(self._cursor)

    def settled_locators(self, first: int, last: int) -> U64:
        """Return the locators in [first, last) that have a row, or an outcome instead of one."""
        rows = Generations(self._cursor).rows()
        found = self._cursor.execute(
            f"""SELECT locator FROM outcomes WHERE locator >= $1 AND locator < $2
            UNION ALL SELECT locator FROM {rows} WHERE locator >= $1 AND locator < $2""",
            [first, last],
        ).fetchnumpy()["locator"]
        return np.asarray(found).astype(np.uint64)

    def write(self, rows: pa.Table | None, position: int) -> None:
        """Write the missing rows up to a log position."""
        name = None if rows is None else self._written(rows)
        with self._write_turn(), self._paused():
            try:
                with transaction(self._cursor):
                    if name is not None and rows is not None:
                        number = int(name.rpartition("_")[2])
                        self._cursor.execute(
                            "INSERT INTO generations VALUES (?, 'rows', ?, 'settled', ?)", [name, number, rows.num_rows]
                        )
                    note_written(self._cursor, position)
                    refresh_views(self._cursor)
            finally:
                self._generations_changed()

    def _written(self, rows: pa.Table) -> str:
        """Write rows into a table that is not listed yet, and return its name."""
        with self._write_turn():
            name = f"rows_{Generations(self._cursor).fresh_number()}"
            self._cursor.execute(f"CREATE TABLE {name} ({COLUMNS_OF['rows']})")
        try:
            for first in range(0, rows.num_rows, CHUNK_ROWS_MAX):
                staged = rows.slice(first, CHUNK_ROWS_MAX)
                with self._write_turn(), transaction(self._cursor):
                    self._cursor.execute(f"INSERT INTO {name} BY NAME SELECT * FROM staged")
                del staged
        except BaseException:
            with suppress(duckdb.Error):  # if it cannot be dropped now, it is when the store is opened again
                self._cursor.execute(f"DROP TABLE {name}")
            raise
        return name

    def close(self) -> None:
        """Close the cursor."""
        self._cursor.close()
