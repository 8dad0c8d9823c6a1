"""Compaction of generations in the background, while the fold goes on.

One compaction of one kind:

1. Pause the fold for a moment: freeze the open generation and open a new one.
2. Choose what to merge: all frozen generations, and the smallest compacted ones as long as the merge is worth it.
3. With the fold running, and at low priority: write the chosen generations, sorted (rows) or summed (days), into a new
   table that nobody reads yet. Each chunk is a transaction of its own, so that a checkpoint can run before it; P is
   the position before the first chunk.
4. Pause the fold for a moment, and in one transaction: repeat in the new table the row closings made after P, replace
   the merged generations by it, drop them, and record the position up to which the days are compacted.

Units have day sums in one plain table. A compaction of days ends with its deltas summed in place, if it has grown.

To reclaim free space in the file, one compacted generation goes through steps 3 and 4 alone.

A compaction that dies leaves a table that `generations` does not list; it is dropped when the store is opened again.
A compaction that fails or is interrupted drops that table itself, unless the drop fails too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, TypeVar

import duckdb
import msgspec

from projections.duckdb.storage.chunks import CHUNK_ROWS_MAX, chunks
from projections.duckdb.storage.generations import (
    COLUMNS_OF,
    GENERATION_KINDS,
    Generation,
    Generations,
    transaction,
)
from projections.duckdb.storage.low_priority import at_low_priority
from projections.duckdb.storage.small_tables import move_small_tables
from projections.read_side.compaction import MERGE_RATIO_IDLE, FoldPause, GenerationKind

_COMPACTION_SELECTS: Final[dict[GenerationKind, str]] = {
    "rows": "SELECT * FROM ({merged}) WHERE {chunk} ORDER BY scope_key, customer_key, time, locator",
    "days": """SELECT scope_key, customer_key, day, kind_key, sum(events)::BIGINT AS events,
            sum(input_tokens)::HUGEINT AS input_tokens, sum(cached_input_tokens)::HUGEINT AS cached_input_tokens,
            sum(cache_write_tokens)::HUGEINT AS cache_write_tokens, sum(output_tokens)::HUGEINT AS output_tokens,
            sum(reasoning_tokens)::HUGEINT AS reasoning_tokens, sum(cost_usd)::DECIMAL(38, 12) AS cost_usd,
            sum(cost_unknown_events)::BIGINT AS cost_unknown_events, sum(root_requests)::BIGINT AS root_requests,
            min(first_time) AS first_time, max(last_time) AS last_time, sum(taken_events)::BIGINT AS taken_events
        FROM ({merged}) WHERE {chunk} GROUP BY scope_key, customer_key, day, kind_key
        ORDER BY scope_key, customer_key, day, kind_key""",
}
#: Fewer deltas of units than this are not summed; more are where that leaves half of them at most.
UNIT_DELTAS_MIN: Final = 100_000
_UNIT_KEYS: Final = "scope_key, customer_key, day, kind_key, unit"
_DAY_EXPRESSIONS: Final[dict[GenerationKind, str]] = {"rows": "time::DATE", "days": "day"}

Answer = TypeVar("Answer")


class _Merge(msgspec.Struct, frozen=True):
    """A merge of generations into generation `number`.

    `position` is the log position before its first chunk. `compacted_to` is the position up to which all days are
    compacted afterwards; None: unchanged.
    """

    kind: GenerationKind
    merged: Sequence[Generation]
    number: int
    position: int
    compacted_to: int | None

    @property
    def name(self) -> str:
        return f"{self.kind}_{self.number}"


class Compaction:
    """Compaction of one store, on a cursor of its own.

    `paused()` pauses the fold for as long as its context lasts. `generations_changed` is called within such a pause.
    `before_chunk()` is called before each chunk, while the fold runs; it returns whether the backlog has grown too
    large. Chunks are written at low priority until it has.
    """

    def __init__(
        self,
        cursor: duckdb.DuckDBPyConnection,
        paused: FoldPause,
        generations_changed: Callable[[], None],
        chunk_rows_max: int = CHUNK_ROWS_MAX,
        before_chunk: Callable[[], bool] = lambda: False,
        unit_deltas_min: int = UNIT_DELTAS_MIN,
    ) -> None:
        self._cursor = cursor
        self._before_chunk = before_chunk
        self._chunk_rows_max = chunk_rows_max
        self._unit_deltas_min = unit_deltas_min
        self._paused = paused
        self._generations_changed = generations_changed
        self._interrupted = False

    def open_rows(self, kind: GenerationKind) -> int:
        """Return the number of rows (or deltas) of a kind since its last compaction; 0 when interrupted."""
        return self._unless_interrupted(lambda: self._open_rows(kind), 0)

    def run(self, kind: GenerationKind, open_rows_min: int, merge_ratio: int = MERGE_RATIO_IDLE) -> bool:
        """Compact a kind if its open generation has at least `open_rows_min` rows; return whether it did.

        `merge_ratio` bounds the size of compacted generations that join the merge, see `MERGE_RATIO_IDLE`.
        """
        return self._unless_interrupted(lambda: self._run(kind, open_rows_min, merge_ratio), False)

    def _unless_interrupted(self, work: Callable[[], Answer], otherwise: Answer) -> Answer:
        try:
            return otherwise if self._interrupted else work()
        except duckdb.InterruptException:
            if not self._interrupted:
                raise
            return otherwise

    def _open_rows(self, kind: GenerationKind) -> int:
        return self._count(Generations(self._cursor).open_name(kind))

    def _run(self, kind: GenerationKind, open_rows_min: int, merge_ratio: int) -> bool:
        if self._open_rows(kind) < open_rows_min:
            return False
        generations = Generations(self._cursor)
        with self._paused():
            generations.load()
            try:
                frozen = generations.open_new(kind)
                frozen_at = self._position()
            finally:
                self._generations_changed()  # even if an interruption came right after the commit
        fresh_rows = sum(self._count(one.name) for one in frozen)
        self._merge(kind, [*frozen, *_worth_merging(generations.of(kind), fresh_rows, merge_ratio)], frozen_at)
        if kind == "days":
            self._sum_unit_days()
        return True

    def _sum_unit_days(self) -> None:
        """Replace the deltas of units by their sums, while the fold adds further ones, which this does not see."""
        deltas = self._count("unit_days")
        if deltas < self._unit_deltas_min or self._interrupted:
            return
        of_groups = f"SELECT count(*) FROM (SELECT DISTINCT {_UNIT_KEYS} FROM unit_days)"
        groups = at_low_priority(lambda: self._cursor.execute(of_groups)).fetchall()[0][0]
        if 2 * groups > deltas:
            return
        # Rows that this transaction adds itself have greater row ids than all that it found.
        with transaction(self._cursor):
            last = self._cursor.execute("SELECT max(rowid) FROM unit_days").fetchall()[0][0]
            summed = f"""INSERT INTO unit_days SELECT {_UNIT_KEYS}, sum(quantity) FROM unit_days WHERE rowid <= {last}
                GROUP BY {_UNIT_KEYS} HAVING sum(quantity) <> 0 ORDER BY {_UNIT_KEYS}"""
            at_low_priority(lambda: self._cursor.execute(summed))
            at_low_priority(lambda: self._cursor.execute(f"DELETE FROM unit_days WHERE rowid <= {last}"))

    def reclaim(self, kind: GenerationKind) -> bool:
        """Rewrite the largest compacted generation of a kind into free blocks; return whether there was one.

        The blocks that a merge frees lie before those it has written, and a file shrinks only from its end.
        """
        return self._unless_interrupted(lambda: self._reclaim(kind), False)

    def shrink_file(self, checkpoint: Callable[[], object]) -> None:
        """Rewrite the largest generation of each kind, and the small tables, into free blocks, and truncate the file.

        `checkpoint` is called after each part: it frees the blocks for the next one, and the last truncates the file.
        """
        for kind in GENERATION_KINDS:
            self.reclaim(kind)
            checkpoint()
            with self._paused():
                move_small_tables(self._cursor)
            checkpoint()
        checkpoint()

    def _reclaim(self, kind: GenerationKind) -> bool:
        compacted = [one for one in Generations(self._cursor).of(kind) if one.state == "settled"]
        if compacted:
            self._merge(kind, [max(compacted, key=lambda one: one.rows)], None)
        return bool(compacted)

    def _merge(self, kind: GenerationKind, merged: Sequence[Generation], compacted_to: int | None) -> None:
        merge = _Merge(kind, merged, Generations(self._cursor).fresh_number(), self._position(), compacted_to)
        try:
            self._write_merged(merge)
            with self._paused():
                self._swap_in(merge)
        except BaseException:
            self._drop_unreferenced(merge)
            raise

    def _swap_in(self, merge: _Merge) -> None:
        try:
            with transaction(self._cursor):
                if merge.kind == "rows":
                    self._copy_later_closings(merge)
                elif merge.compacted_to is not None:
                    self._cursor.execute("UPDATE progress SET days_settled_to = ?", [merge.compacted_to])
                rows = self._count(merge.name)
                Generations(self._cursor).replace(merge.merged, merge.name, merge.kind, merge.number, rows)
        finally:
            self._generations_changed()

    def _drop_unreferenced(self, merge: _Merge) -> None:
        with suppress(duckdb.Error):  # if it cannot be dropped now, it is when the store is opened again
            if merge.name not in {one.name for one in Generations(self._cursor).of(merge.kind)}:
                self._cursor.execute(f"DROP TABLE IF EXISTS {merge.name}")

    def interrupt(self) -> None:
        """Make a running compaction stop and drop what it has written.

        DuckDB interrupts only a statement that is running: call this repeatedly until the compaction has ended.
        """
        self._interrupted = True
        self._cursor.interrupt()

    def close(self) -> None:
        """Close the cursor."""
        self._cursor.close()

    def _write_merged(self, merge: _Merge) -> None:
        name, kind = merge.name, merge.kind
        union = " UNION ALL ".join(f"SELECT * FROM {one.name}" for one in merge.merged)
        # The table is created from its columns, and every chunk has rows: when a transaction inserts nothing first and
        # many rows then, DuckDB 2.0.0 does not show them in a union until a checkpoint, and merges lose them.
        self._cursor.execute(f"CREATE OR REPLACE TABLE {name} ({COLUMNS_OF[kind]})")
        # Sorting everything at once would take the memory that the fold needs.
        urgent = False
        for chunk in list(chunks(self._cursor, union, _DAY_EXPRESSIONS[kind], self._chunk_rows_max)):
            # Once the backlog grows faster than this compaction writes, the rest runs at normal priority.
            urgent = self._before_chunk() or urgent
            if self._interrupted:
                raise duckdb.InterruptException("between two chunks")
            self._write_chunk(
                f"INSERT INTO {name} {_COMPACTION_SELECTS[kind].format(merged=union, chunk=chunk)}", urgent
            )

    def _write_chunk(self, statement: str, urgent: bool) -> None:
        with transaction(self._cursor):
            if urgent:
                self._cursor.execute(statement)
            else:
                # Only the statement: Python code at low priority could hold the interpreter lock, and a commit the
                # database's commit lock, while it waits for a core; either would stop the fold.
                at_low_priority(lambda: self._cursor.execute(statement))

    def _copy_later_closings(self, merge: _Merge) -> None:
        for one in merge.merged:
            self._cursor.execute(
                f"""UPDATE {merge.name} AS n SET closed_at = m.closed_at FROM {one.name} m
                WHERE m.closed_at > {merge.position} AND n.customer_key = m.customer_key AND n.locator = m.locator
                    AND n.counted_at = m.counted_at AND n.closed_at IS NULL"""
            )

    def _position(self) -> int:
        return int(self._cursor.execute("SELECT position FROM progress").fetchall()[0][0])

    def _count(self, table: str) -> int:
        return int(self._cursor.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0])


def _worth_merging(generations: Sequence[Generation], fresh_rows: int, merge_ratio: int) -> list[Generation]:
    """The smallest compacted generations, up to the first with more than `merge_ratio` times the rows before it."""
    chosen: list[Generation] = []
    rows = fresh_rows
    for one in sorted((one for one in generations if one.state == "settled"), key=lambda one: one.rows):
        if one.rows > merge_ratio * rows:
            break
        chosen.append(one)
        rows += one.rows
    return chosen
