"""A read store in one DuckDB file, opened: its writes, its reads, its compaction and its verification."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import duckdb
import msgspec

from domain.log.chain import CHAIN_START
from domain.scope import Scope
from projections.duckdb.reading.snapshot import DuckDBReads
from projections.duckdb.storage.compaction import Compaction
from projections.duckdb.storage.database import (
    DuckDBDatabase,
    DuckDBOptions,
    check_schema,
    create_tables,
    is_empty,
    translated_errors,
)
from projections.duckdb.storage.missing_rows import missing_rows
from projections.duckdb.storage.row_filling import DuckDBRowFilling
from projections.duckdb.storage.schema import SCHEMA_VERSION
from projections.duckdb.storage.subscription_facts import stored_usage_of_subscribers, subscribers_of
from projections.duckdb.verification.comparison import DuckDBComparison, attached_store
from projections.duckdb.verification.held_store import DuckDBHeldStore, held_cursor
from projections.duckdb.writing.fold_store import DuckDBFoldStore
from projections.duckdb.writing.numbers_store import NumbersStore
from projections.duckdb.writing.prepared.prepared_tables import DuckDBPreparation
from projections.duckdb.writing.rebuild_store import RebuildStore
from projections.duckdb.writing.replay_store import ReplayStore
from projections.errors import RowsBeingWritten
from projections.folding.fold_store import FoldStore
from projections.read_side.compaction import FoldPause, WriteTurn
from projections.read_side.missing_rows import MissingRows
from projections.read_side.store import Refolding, Unflushed

STORE_FILE: Final = "store.duckdb"
_FOLD_STORES: Final[Mapping[Refolding | None, type[DuckDBFoldStore]]] = {
    None: DuckDBFoldStore,
    "whole": ReplayStore,
    "numbers first": NumbersStore,
}


def _as_begun(cursor: duckdb.DuckDBPyConnection, refolding: Refolding | None) -> Refolding | None:
    """How a store goes on that was opened for refolding before: as it was begun."""
    if refolding is None:
        return None
    position = cursor.execute("SELECT position FROM progress").fetchall()[0][0]
    if position == 0:
        return "numbers first" if missing_rows(cursor) is not None else refolding
    return "whole" if missing_rows(cursor) is None else "numbers first"


class DuckDBReadStore:
    """See `projections.read_side.store.OpenedStore`."""

    def __init__(self, database: DuckDBDatabase, fold: DuckDBFoldStore) -> None:
        self.database = database
        self.fold = fold
        self.reads = DuckDBReads(database.cursor, fold.changes)
        self._counted_stored = False  # events that were there when the store was opened

    def unflushed(self) -> Unflushed:
        """Return what was folded since the last checkpoint."""
        return self.fold.unflushed()

    def busy_subscribers(self, customers_max: int) -> list[tuple[Scope, str]]:
        """Return customers whose usage changed much; see `projections.read_side.store.OpenedStore`."""
        with closing(self.database.cursor()) as cursor:
            if not self._counted_stored:
                self.fold.changes.busy.wrote(*stored_usage_of_subscribers(cursor))
                self._counted_stored = True
            return subscribers_of(cursor, self.fold.changes.busy.take(customers_max))

    def checkpoint(self) -> bool:
        """Write everything that is folded into the file; return false when another write, or a read, prevented it."""
        if isinstance(self.fold, RebuildStore):
            self.fold.commit_held()
        if not self.database.checkpoint():
            return False
        self.fold.note_durable()
        return True

    def drop_leftovers(self) -> None:
        """Drop tables left by a compaction that did not finish."""
        self.fold.drop_leftovers()

    def finish_refolding(self) -> None:
        """Commit what a `RebuildStore` holds back, and compress everything that is written from now on."""
        if isinstance(self.fold, RebuildStore):
            self.fold.finish()
            self.database.compress_from_now_on()

    @contextmanager
    def compaction(self, paused: FoldPause, write_turn: WriteTurn) -> Iterator[Compaction]:
        """Prepare a compaction on a cursor of its own."""
        cursor = self.database.cursor()
        with closing(Compaction(cursor, paused, self.fold.load_generations, write_turn=write_turn)) as compaction:
            yield compaction

    def missing_rows(self) -> MissingRows | None:
        """Return which rows of usage are missing; None when none are."""
        with closing(self.database.cursor()) as cursor:
            return missing_rows(cursor)

    @property
    def numbers(self) -> NumbersStore:
        """The fold store of a store that was opened with "numbers first"."""
        if not isinstance(self.fold, NumbersStore):
            raise TypeError("this store was not opened to write the numbers first")
        return self.fold

    def begin_numbers(self, until: int) -> None:
        """Note, in an empty store, that the rows up to position `until` are missing."""
        self.numbers.begin_numbers(until)

    @contextmanager
    def row_filling(self, paused: FoldPause, write_turn: WriteTurn) -> Iterator[DuckDBRowFilling]:
        """Prepare the writing of missing rows, on a cursor of its own."""
        cursor = self.database.cursor()
        with closing(DuckDBRowFilling(cursor, paused, write_turn, self.fold.load_generations)) as filling:
            yield filling

    @contextmanager
    def preparation(self, write_turn: WriteTurn) -> Iterator[DuckDBPreparation]:
        """Begin to prepare a change of a backfill, on a cursor of its own."""
        with closing(DuckDBPreparation(self.database.cursor(), write_turn)) as preparation:
            yield preparation

    def _refuse_missing_rows(self) -> None:
        if self.missing_rows() is not None:
            raise RowsBeingWritten("the rows of usage are being written again; the store can be verified afterwards")

    @contextmanager
    def held(self) -> Iterator[DuckDBHeldStore]:
        """Hold the store at its present position, in a read transaction."""
        self._refuse_missing_rows()
        with held_cursor(self.database) as cursor:
            yield DuckDBHeldStore(cursor)

    @contextmanager
    def compared(self, folder: Path) -> Iterator[DuckDBComparison]:
        """Hold the store, with an empty one in `folder` attached beside it."""
        self._refuse_missing_rows()
        with attached_store(self.database, folder / STORE_FILE) as beside, held_cursor(self.database) as cursor:
            yield DuckDBComparison(cursor, beside)

    def retire(self) -> None:
        """Close the cursor of the fold. The database closes with the last snapshot."""
        self.fold.close()

    def close(self) -> None:
        """Close the database; every cursor on it is useless then."""
        self.fold.close()
        self.database.close()


class DuckDBOpener(msgspec.Struct, frozen=True):
    """Opens stores of DuckDB. `memory_limit` (in DuckDB's notation) and `threads` bound each of them."""

    memory_limit: str
    threads: int

    @property
    def formats(self) -> Mapping[str, int]:
        """The version of the schema."""
        return {"read_store": SCHEMA_VERSION}

    def open(
        self, folder: Path, log_id: str, check: Callable[[FoldStore], None], refolding: Refolding | None = None
    ) -> DuckDBReadStore:
        """Open the store in `folder`; see `projections.read_side.store.StoreOpener`."""
        path = folder / STORE_FILE
        database = DuckDBDatabase.open(
            path, DuckDBOptions(self.memory_limit, self.threads, compressed=refolding is None)
        )
        try:
            with translated_errors(path):
                cursor = database.cursor()
                if is_empty(cursor):
                    create_tables(cursor, log_id, CHAIN_START)
                check_schema(cursor, log_id)
                fold = _FOLD_STORES[_as_begun(cursor, refolding)](cursor)
                check(fold)
        except BaseException:
            database.close()
            raise
        return DuckDBReadStore(database, fold)
