"""Compaction of generations while the fold goes on: flushes sort what is new, and merges keep the generations few.

`sort`, of one kind, before a checkpoint:

1. Pause the fold for a moment: freeze the open generation and open a new one.
2. With the fold running: write the frozen generations, sorted (rows) or summed (days), into a new table that nobody
   reads yet. P is the position before the first chunk.
3. Pause the fold for a moment, and in one transaction: repeat in the new table the row closings made after P, replace
   the frozen generations by it, drop them, and record the position up to which the days are compacted.

Rows that were folded since the last checkpoint lie in memory alone, so they go into the file once, and sorted.

`merge` does 2 and 3 with compacted generations: at low priority, and with each chunk in a transaction and a write turn
of its own, so that a checkpoint can come in between. It merges generations of similar size once there are
`TOGETHER_MIN` of them, so that each row is rewritten about as often as the logarithm of their number to that base.

Units have day sums in one plain table. A merge of days ends with its deltas summed in place, if it has grown.

To reclaim free space in the file, one compacted generation goes through steps 2 and 3 alone.

A compaction that dies leaves a table that `generations` does not list; it is dropped when the store is opened again.
A compaction that fails or is interrupted drops that table itself, unless the drop fails too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Final

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
from projections.read_side.compaction import FoldPause, GenerationKind, WriteTurn

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
#: So many compacted generations are merged at once. Fewer of days, because reads of whole days add up all of them.
TOGETHER_MIN: Final[dict[GenerationKind, int]] = {"rows": 8, "days": 4}
#: Generations are of similar size when the largest has at most this many times the rows of the smallest.
_SIMILAR_RATIO: Final = 4
#: Fewer deltas of units than this are not summed; more are where that leaves half of them at most.
UNIT_DELTAS_MIN: Final = 100_000
_UNIT_KEYS: Final = "scope_key, customer_key, day, kind_key, unit"
_DAY_EXPRESSIONS: Final[dict[GenerationKind, str]] = {"rows": "time::DATE", "days": "day"}


class _Merge(msgspec.Struct, frozen=True):
    """A merge of generations into generation `number`.

    `position` is the log position before its first chunk. `sorted_to` is the position up to which everything of the
    kind is compacted afterwards; None: unchanged, because what is merged was compacted already.
    """

    kind: GenerationKind
    merged: Sequence[Generation]
    number: int
    position: int
    sorted_to: int | None

    @property
    def name(self) -> str:
        return f"{self.kind}_{self.number}"


class Compaction:
    """Compaction of one store, on a cursor of its own.

    `paused()` pauses the fold for as long as its context lasts. `generations_changed` is called within such a pause.
    `write_turn()` is held while a chunk of a merge is written; whoever sorts holds it already.
    """

    def __init__(
        self,
        cursor: duckdb.DuckDBPyConnection,
        paused: FoldPause,
        generations_changed: Callable[[], None],
        chunk_rows_max: int = CHUNK_ROWS_MAX,
        write_turn: WriteTurn = nullcontext,
        unit_deltas_min: int = UNIT_DELTAS_MIN,
    ) -> None:
        self._cursor = cursor
        self._write_turn = write_turn
        self._chunk_rows_max = chunk_rows_max
        self._unit_deltas_min = unit_deltas_min
        self._paused = paused
        self._generations_changed = generations_changed
        self._interrupted = False

    def sort(self, kind: GenerationKind, open_rows_min: int) -> bool:
        """Sort the open rows (or sum the open deltas) of a kind into a generation of their own.

        Does nothing with fewer than `open_rows_min` of them. Returns whether it did.
        """
        return self._unless_interrupted(lambda: self._sort(kind, open_rows_min))

    def merge(self, kind: GenerationKind, together_min: int | None = None) -> bool:
        """Merge compacted generations of similar size, if there are at least `together_min`; return whether it did."""
        least = TOGETHER_MIN[kind] if together_min is None else together_min
        return self._unless_interrupted(lambda: self._merge_similar(kind, least))

    def _unless_interrupted(self, work: Callable[[], bool]) -> bool:
        try:
            return not self._interrupted and work()
        except duckdb.InterruptException:
            if not self._interrupted:
                raise
            return False

    def _sort(self, kind: GenerationKind, open_rows_min: int) -> bool:
        generations = Generations(self._cursor)
        if self._count(generations.open_name(kind)) < open_rows_min:
            return False
        with self._paused():
            generations.load()
            try:
                frozen = generations.open_new(kind)
                frozen_at = self._position()
            finally:
                self._generations_changed()  # even if an interruption came right after the commit
        self._replace(kind, frozen, frozen_at)
        return True

    def _merge_similar(self, kind: GenerationKind, together_min: int) -> bool:
        chosen = _of_similar_size(Generations(self._cursor).of(kind), together_min)
        if chosen:
            self._replace(kind, chosen, None)
            if kind == "days":
                with self._write_turn():
                    self._sum_unit_days()
        return bool(chosen)

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
        return self._unless_interrupted(lambda: self._reclaim(kind))

    def shrink_file(self, checkpoint: Callable[[], object]) -> None:
        """Rewrite the largest generation of each kind, and the small tables, into free blocks, and truncate the file.

        `checkpoint` is called after each part: it frees the blocks for the next one, and the last truncates the file.
        """
        for kind in GENERATION_KINDS:
            self.reclaim(kind)
            checkpoint()
            with self._write_turn(), self._paused():
                move_small_tables(self._cursor)
            checkpoint()
        checkpoint()

    def _reclaim(self, kind: GenerationKind) -> bool:
        compacted = [one for one in Generations(self._cursor).of(kind) if one.state == "settled"]
        if compacted:
            self._replace(kind, [max(compacted, key=lambda one: one.rows)], None)
        return bool(compacted)

    def _replace(self, kind: GenerationKind, merged: Sequence[Generation], sorted_to: int | None) -> None:
        """Replace generations by one that is compacted; `sorted_to`: they are frozen ones, up to that position."""
        merge = self._begin(kind, merged, sorted_to)
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
                elif merge.sorted_to is not None:
                    self._cursor.execute("UPDATE progress SET days_settled_to = ?", [merge.sorted_to])
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

    def _begin(self, kind: GenerationKind, merged: Sequence[Generation], sorted_to: int | None) -> _Merge:
        with self._turn(sorted_to is None):
            merge = _Merge(kind, merged, Generations(self._cursor).fresh_number(), self._position(), sorted_to)
            # The table is created from its columns, and every chunk has rows: when a transaction inserts nothing first
            # and many rows then, DuckDB 2.0.0 does not show them in a union until a checkpoint, and merges lose them.
            self._cursor.execute(f"CREATE OR REPLACE TABLE {merge.name} ({COLUMNS_OF[kind]})")
        return merge

    def _turn(self, is_merge: bool) -> AbstractContextManager[object]:
        return self._write_turn() if is_merge else nullcontext()

    def _write_merged(self, merge: _Merge) -> None:
        union = " UNION ALL ".join(f"SELECT * FROM {one.name}" for one in merge.merged)
        # Sorting everything at once would take the memory that the fold needs.
        for chunk in list(chunks(self._cursor, union, _DAY_EXPRESSIONS[merge.kind], self._chunk_rows_max)):
            if self._interrupted:
                raise duckdb.InterruptException("between two chunks")
            select = _COMPACTION_SELECTS[merge.kind].format(merged=union, chunk=chunk)
            self._write_chunk(f"INSERT INTO {merge.name} {select}", is_merge=merge.sorted_to is None)

    def _write_chunk(self, statement: str, *, is_merge: bool) -> None:
        with self._turn(is_merge), transaction(self._cursor):
            if is_merge:
                # Only the statement: Python code at low priority could hold the interpreter lock, and a commit the
                # database's commit lock, while it waits for a core; either would stop the fold.
                at_low_priority(lambda: self._cursor.execute(statement))
            else:
                self._cursor.execute(statement)

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


def _of_similar_size(generations: Sequence[Generation], together_min: int) -> list[Generation]:
    """The compacted generations to merge: at least `together_min` of similar size and all smaller ones; else none."""
    compacted = sorted((one for one in generations if one.state == "settled"), key=lambda one: one.rows)
    for first, smallest in enumerate(compacted):
        end = sum(one.rows <= _SIMILAR_RATIO * smallest.rows for one in compacted)
        if end - first >= together_min:
            return compacted[:end]
    return []
