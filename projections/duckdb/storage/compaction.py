"""Settling generations in the background, while the fold goes on.

One compaction of one kind:

1. Holding the fold for a moment: freeze the open generation and open another one.
2. Choose what to merge: everything frozen, and the smallest compacted generations as long as the merge is worth it.
3. Without holding anything, and at low priority: write the chosen ones, sorted or added up, into a new table that
   nobody reads yet. Each piece is a transaction, so that the write-ahead file can be folded before it; P is the
   position before the first.
4. Holding the fold for a moment, in one transaction: close in the new table what was closed after P, put it in the
   place of those it was made of, drop these, and tell up to where the days are compacted.

To reclaim what the file has free, one compacted generation goes through 3 and 4 alone.

A compaction that dies leaves a table that nobody names; it is dropped when the store is opened again. One that fails
or is interrupted drops it itself, unless that fails too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from typing import Final, TypeVar

import duckdb
import msgspec

from projections.duckdb.storage.chunks import CHUNK_ROWS_MAX, chunks
from projections.duckdb.storage.generations import COLUMNS_OF, Generation, GenerationKind, Generations, transaction
from projections.duckdb.storage.low_priority import at_low_priority
from projections.duckdb.storage.small_tables import move_small_tables

#: A compacted generation joins a merge when it has at most so many times the rows of all smaller ones in it together.
#: The more, the fewer generations a read looks into; the less, the fewer times a row is written again.
MERGE_RATIO_IDLE: Final = 3
MERGE_RATIO_LOADED: Final = 1

_COMPACTED: Final[dict[GenerationKind, str]] = {
    "rows": "SELECT * FROM ({merged}) WHERE {piece} ORDER BY scope_key, customer_key, time, locator",
    "days": """SELECT scope_key, customer_key, day, kind_key, sum(events)::BIGINT AS events,
            sum(input_tokens)::HUGEINT AS input_tokens, sum(cached_input_tokens)::HUGEINT AS cached_input_tokens,
            sum(cache_write_tokens)::HUGEINT AS cache_write_tokens, sum(output_tokens)::HUGEINT AS output_tokens,
            sum(reasoning_tokens)::HUGEINT AS reasoning_tokens, sum(cost_usd)::DECIMAL(38, 12) AS cost_usd,
            sum(cost_unknown_events)::BIGINT AS cost_unknown_events, min(first_time) AS first_time,
            max(last_time) AS last_time
        FROM ({merged}) WHERE {piece} GROUP BY scope_key, customer_key, day, kind_key
        ORDER BY scope_key, customer_key, day, kind_key""",
}
_DAY: Final[dict[GenerationKind, str]] = {"rows": "time::DATE", "days": "day"}

Answer = TypeVar("Answer")
Paused = Callable[[], AbstractContextManager[object]]


class _Merge(msgspec.Struct, frozen=True):
    """What becomes generation `number`, as of `position`; `settled_to`: up to where all is compacted then, if told."""

    kind: GenerationKind
    merged: Sequence[Generation]
    number: int
    position: int
    settled_to: int | None

    @property
    def name(self) -> str:
        return f"{self.kind}_{self.number}"


class Compaction:
    """Compacts one store. `cursor` is its own; `paused()` holds the fold; `swapped` is called while it is held.

    `before_chunk()` is called before each piece, while nothing is held; it answers whether too much has gathered
    meanwhile. Pieces are written at low priority until it does.
    """

    def __init__(
        self,
        cursor: duckdb.DuckDBPyConnection,
        paused: Paused,
        swapped: Callable[[], None],
        chunk_rows_max: int = CHUNK_ROWS_MAX,
        before_chunk: Callable[[], bool] = lambda: False,
    ) -> None:
        self._cursor = cursor
        self._before_piece = before_chunk
        self._piece_rows_max = chunk_rows_max
        self._paused = paused
        self._swapped = swapped
        self._interrupted = False

    def open_rows(self, kind: GenerationKind) -> int:
        """How many rows, or deltas, of a kind have gathered since its last compaction; 0 when interrupted."""
        return self._unless_interrupted(lambda: self._open_rows(kind), 0)

    def run(self, kind: GenerationKind, open_rows_min: int, merge_ratio: int = MERGE_RATIO_IDLE) -> bool:
        """Compact a kind if its open generation has `open_rows_min` rows; answer whether it did.

        `merge_ratio`: how many times larger than all smaller ones a compacted generation may be that joins.
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
                self._swapped()  # also when it was interrupted just after it was done
        fresh_rows = sum(self._count(one.name) for one in frozen)
        self._merge(kind, [*frozen, *_worth_merging(generations.of(kind), fresh_rows, merge_ratio)], frozen_at)
        return True

    def reclaim(self, kind: GenerationKind) -> bool:
        """Write the largest compacted generation of a kind again, into blocks that are free; answer whether it did.

        What a merge has left free lies before what it wrote, where the file cannot give it back.
        """
        return self._unless_interrupted(lambda: self._reclaim(kind), False)

    def move_small_tables(self) -> None:
        """Make way at the end of the file. The fold is held for it."""
        with self._paused():
            move_small_tables(self._cursor)

    def _reclaim(self, kind: GenerationKind) -> bool:
        compacted = [one for one in Generations(self._cursor).of(kind) if one.state == "settled"]
        if compacted:
            self._merge(kind, [max(compacted, key=lambda one: one.rows)], None)
        return bool(compacted)

    def _merge(self, kind: GenerationKind, merged: Sequence[Generation], settled_to: int | None) -> None:
        """`settled_to`: the position up to which everything is compacted then, if that changes."""
        merge = _Merge(kind, merged, Generations(self._cursor).fresh_number(), self._position(), settled_to)
        try:
            self._write_merged(merge)
            with self._paused():
                self._put_in_place(merge)
        except BaseException:
            self._drop_unless_named(merge)
            raise

    def _put_in_place(self, merge: _Merge) -> None:
        try:
            with transaction(self._cursor):
                if merge.kind == "rows":
                    self._close_what_was_closed_since(merge)
                elif merge.settled_to is not None:
                    self._cursor.execute("UPDATE progress SET days_settled_to = ?", [merge.settled_to])
                rows = self._count(merge.name)
                Generations(self._cursor).replace(merge.merged, merge.name, merge.kind, merge.number, rows)
        finally:
            self._swapped()

    def _drop_unless_named(self, merge: _Merge) -> None:
        with suppress(duckdb.Error):  # whatever keeps it here: it is dropped when the store is opened
            if merge.name not in {one.name for one in Generations(self._cursor).of(merge.kind)}:
                self._cursor.execute(f"DROP TABLE IF EXISTS {merge.name}")

    def interrupt(self) -> None:
        """Make a running compaction give up and drop what it has written.

        An interruption between two statements goes unnoticed by the second: call it until the compaction is over.
        """
        self._interrupted = True
        self._cursor.interrupt()

    def close(self) -> None:
        """Let go of the database."""
        self._cursor.close()

    def _write_merged(self, merge: _Merge) -> None:
        name, kind = merge.name, merge.kind
        union = " UNION ALL ".join(f"SELECT * FROM {one.name}" for one in merge.merged)
        # Made by its columns, and every piece has rows: of a table into which a transaction puts nothing first and much
        # then, DuckDB 2.0.0 shows nothing beside other tables until a checkpoint, and merges of it lose it.
        self._cursor.execute(f"CREATE OR REPLACE TABLE {name} ({COLUMNS_OF[kind]})")
        # All at once would have to fit into memory, and the fold would be the one that finds none left.
        urgent = False
        for piece in list(chunks(self._cursor, union, _DAY[kind], self._piece_rows_max)):
            # What was overtaken once would be overtaken again: it hurries to its end.
            urgent = self._before_piece() or urgent
            if self._interrupted:
                raise duckdb.InterruptException("between two chunks")
            self._write_piece(f"INSERT INTO {name} {_COMPACTED[kind].format(merged=union, piece=piece)}", urgent)

    def _write_piece(self, statement: str, urgent: bool) -> None:
        with transaction(self._cursor):
            if urgent:
                self._cursor.execute(statement)
            else:
                # Nothing but the statement: Python that waits for a core there would keep the interpreter from the
                # fold, and so would a commit, in which the store lets nobody else commit.
                at_low_priority(lambda: self._cursor.execute(statement))

    def _close_what_was_closed_since(self, merge: _Merge) -> None:
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
    """The smallest compacted generations, as long as each is not much larger than everything smaller in the merge."""
    chosen: list[Generation] = []
    rows = fresh_rows
    for one in sorted((one for one in generations if one.state == "settled"), key=lambda one: one.rows):
        if one.rows > merge_ratio * rows:
            break
        chosen.append(one)
        rows += one.rows
    return chosen
