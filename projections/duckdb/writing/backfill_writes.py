"""The part of the fold store of DuckDB that backfills need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import duckdb
import msgspec
import pyarrow as pa

from domain.usage.locators import LOCATOR_ROW_BITS
from domain.values.instants import naive
from projections.duckdb.memory.change_tracking import ChangeTracker
from projections.duckdb.storage.fold_reads.fold_state_loading import waiting_voids
from projections.duckdb.storage.generations import STORED_OUTCOMES, Generations
from projections.duckdb.writing.backfill_rows import (
    MovedRows,
    find_in_blocks,
    find_in_range,
    reinstate,
    withdraw_leaving,
    withdraw_uncounted,
)
from projections.folding.backfill_store import (
    NewBackfill,
    NewStagedBlock,
    Reinstated,
    ReplacedRange,
    UndoneOutcomes,
    Withdrawal,
    WithdrawnRows,
)

_OF_BLOCKS: Final = f"first_locator >> {LOCATOR_ROW_BITS} IN (SELECT unnest($blocks::BIGINT[]))"


class BackfillWrites:
    """Writes and reads of `BackfillStore`. Of the whole store it needs the cursor, generations and tracked changes."""

    changes: ChangeTracker
    _cursor: duckdb.DuckDBPyConnection
    _generations: Generations
    _rows: str
    _open_rows: str
    _unflushed_records: int

    def _insert(self, table: str, staged: pa.Table) -> None:
        raise NotImplementedError

    def _add_to_sums(self, staged_rows: pa.Table) -> None:
        raise NotImplementedError

    def add_backfill(self, backfill: NewBackfill) -> None:
        """Insert an event of a backfill, its range as JSON text."""
        values = msgspec.structs.asdict(backfill)
        asked = values["range"]
        values["range"] = None if asked is None else msgspec.json.encode(asked).decode()
        values["recorded_at"] = naive(backfill.recorded_at)
        self._insert_values("backfills", values)

    def add_staged_block(self, block: NewStagedBlock) -> None:
        """Insert a block that was loaded."""
        values = msgspec.structs.asdict(block)
        values["recorded_at"] = naive(block.recorded_at)
        self._insert_values("staged_blocks", values)

    def _insert_values(self, table: str, values: dict[str, Any]) -> None:
        marks = ", ".join("?" for _ in values)
        self._cursor.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", list(values.values()))

    def add_claimed_rows(self, rows: pa.Table) -> None:
        """Insert rows and their day deltas."""
        self._insert(self._open_rows, rows)
        self._add_to_sums(rows)

    def add_late_outcomes(self, outcomes: pa.Table) -> None:
        """Insert outcomes of events of earlier records."""
        self._unflushed_records += outcomes.num_rows
        self._insert(STORED_OUTCOMES, outcomes)

    def withdraw_range(self, asked: ReplacedRange, by: Withdrawal) -> WithdrawnRows:
        """Withdraw the events of a range."""
        before = find_in_range(self._cursor, self._rows, asked)
        return msgspec.structs.replace(self._withdrawn(0, by), before=before)

    def withdraw_blocks(self, positions: Sequence[int], by: Withdrawal) -> WithdrawnRows:
        """Withdraw the events of these blocks that were counted."""
        already = find_in_blocks(self._cursor, self._rows, positions)
        return self._withdrawn(already, by)

    def _withdrawn(self, already: int, by: Withdrawal) -> WithdrawnRows:
        moved = withdraw_leaving(self._cursor, self._generations, by)
        self._note(moved)
        return WithdrawnRows(moved.locators, already, moved.cost)

    def withdraw_uncounted(self, positions: Sequence[int], by: Withdrawal) -> UndoneOutcomes:
        """Withdraw the duplicates and conflicts of these blocks."""
        return UndoneOutcomes(*withdraw_uncounted(self._cursor, self._generations, positions, by))

    def reinstate(self, replaced_at: int, position: int) -> Reinstated:
        """Count the events again that were withdrawn at a position."""
        moved = reinstate(self._cursor, self._generations, replaced_at, position)
        self._note(moved)
        return Reinstated(moved.locators, moved.cost, moved.unknown_kind_keys)

    def _note(self, moved: MovedRows) -> None:
        self._unflushed_records += len(moved.locators)
        if moved.customers.size:
            self.changes.corrected_usage(moved.customers)

    def take_followers(self, positions: Sequence[int], position: int) -> pa.Table:
        """End the outcomes of events that repeat one of these blocks, and return them in the order of their claims."""
        repeats = f"outcome IN ('duplicate', 'conflict') AND closed_at IS NULL AND {_OF_BLOCKS}"
        blocks = {"blocks": list(positions)}
        found = self._cursor.sql(
            f"SELECT locator, outcome FROM outcomes WHERE {repeats} ORDER BY decided_at, locator", params=blocks
        ).to_arrow_table()
        if found.num_rows:
            for table in self._generations.outcome_tables():
                self._cursor.execute(
                    f"UPDATE {table} SET closed_at = $position WHERE {repeats}", blocks | {"position": position}
                )
        return found

    def waiting_voids(self) -> set[tuple[int, str, str]]:
        """Return the identities that are voided and that no event has."""
        return waiting_voids(self._cursor, self._rows)

    def claimed_at(self, position: int) -> list[int]:
        """Return the events that a record at a position let claim: not those that it counts again."""
        found = self._cursor.execute(
            f"""SELECT DISTINCT locator FROM {self._rows} WHERE counted_at = $1 AND locator >> {LOCATOR_ROW_BITS} <> $1
            AND locator NOT IN (SELECT locator FROM outcomes WHERE outcome = 'withdrawn' AND closed_at = $1)""",
            [position],
        ).fetchall()
        return [row[0] for row in found]
