"""Opening a DuckDB file as a read store, and giving out cursors on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import duckdb
import msgspec

from projections.duckdb.storage.generations import KINDS, add_generation, refresh_views
from projections.duckdb.storage.schema import SCHEMA_VERSION, TABLES
from projections.duckdb.storage.storage_errors import storage_refusal
from projections.errors import (
    ProjectionError,
    ReadStoreCorrupted,
    ReadStoreMismatch,
    ReadStoreOutdated,
    ReadStoreUnavailable,
)

#: Checkpoints stop writers for as long as they take; they are asked for at quiet moments instead of at 16 MB.
CHECKPOINT_THRESHOLD: Final = "1GB"


class DuckDBOptions(msgspec.Struct, frozen=True):
    """`memory_limit` in DuckDB's words ("2GB"); `threads` at most. `compressed`: pack what is written, until asked
    to (`compress_from_now_on`): packing takes twice as long as writing, and a generation is packed
    when it is compacted.
    """

    memory_limit: str = "4GB"
    threads: int = 2
    compressed: bool = True


class DuckDBDatabase:
    """One read store: a file of its own, or a catalog attached to another one. Every thread takes its own cursor."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path, catalog: str | None = None) -> None:
        self._connection = connection
        self._path = path
        self._catalog = catalog

    @classmethod
    def open(cls, path: Path, options: DuckDBOptions) -> DuckDBDatabase:
        """The database in the file `path`, made when it is not there.

        Raises `ReadStoreCorrupted` when it cannot be read, `ReadStoreUnavailable` when the storage refuses.
        """
        try:
            connection = duckdb.connect(
                str(path),
                config={
                    "threads": options.threads,
                    "memory_limit": options.memory_limit,
                    "checkpoint_threshold": CHECKPOINT_THRESHOLD,
                    "force_compression": "auto" if options.compressed else "uncompressed",
                },
            )
        except (duckdb.Error, RuntimeError) as error:
            raise _refused(path, error) from error
        return cls(connection, path)

    def is_usable(self) -> bool:
        """False once an error of the storage has invalidated the database: it must be opened again."""
        try:
            self._connection.cursor().execute("SELECT 1")
        except duckdb.Error:
            return False
        return True

    def compress_from_now_on(self) -> None:
        """Pack what is written from here on."""
        self._connection.cursor().execute("SET force_compression = 'auto'")

    def attached(self, path: Path, catalog: str) -> DuckDBDatabase:
        """A second database file inside this one's process, so that both can be asked in one statement."""
        quoted = str(path).replace("'", "''")
        self._connection.cursor().execute(f"ATTACH '{quoted}' AS {catalog}")
        return DuckDBDatabase(self._connection, path, catalog)

    def detach(self, catalog: str) -> None:
        """Forget an attached database."""
        self._connection.cursor().execute(f"DETACH {catalog}")

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A connection of its own for the calling thread."""
        cursor = self._connection.cursor()
        if self._catalog is not None:
            cursor.execute(f"USE {self._catalog}")
        return cursor

    def write_ahead_bytes(self) -> int:
        """How much was written since the last checkpoint."""
        written_ahead = self._path.with_name(self._path.name + ".wal")
        try:
            return written_ahead.stat().st_size
        except FileNotFoundError:
            return 0

    def file_bytes(self) -> int:
        """How large the database file is, without what was written since the last checkpoint."""
        return self._path.stat().st_size

    def free_share(self) -> float:
        """Which part of the file holds nothing, and is there to be written again: 0 to 1."""
        found = self.cursor().execute(
            "SELECT free_blocks, total_blocks FROM pragma_database_size() WHERE database_name = current_database()"
        )
        free, total = found.fetchall()[0]
        return float(free) / total if total else 0.0

    def checkpoint(self) -> bool:
        """Fold the write-ahead file into the database; False when a transaction was in the way."""
        try:
            self.cursor().execute("CHECKPOINT")
        except duckdb.TransactionException:
            return False
        return True

    def close(self) -> None:
        """Close the file; cursors on it are of no use after this."""
        if self._catalog is None:
            self._connection.close()


@contextmanager
def opening(path: Path) -> Iterator[None]:
    """What DuckDB says of the database at `path` while it is looked through, as an error of this room."""
    try:
        yield
    except duckdb.Error as error:
        raise _refused(path, error) from error


def _refused(path: Path, error: Exception) -> ProjectionError:
    advice = storage_refusal(error)
    if advice is not None:
        return ReadStoreUnavailable(
            f"the read store {path} cannot be opened: {advice}, then start again; "
            f"nothing acknowledged is lost ({error})"
        )
    return ReadStoreCorrupted(
        f"the read store {path} cannot be opened ({error}); 'meterfold rebuild' makes a new one from the log"
    )


def create_tables(cursor: duckdb.DuckDBPyConnection, log_id: str, chain_start: bytes) -> None:
    """Make every table of an empty read store, in one transaction."""
    cursor.execute("BEGIN")
    for statement in TABLES:
        cursor.execute(statement)
    cursor.execute("INSERT INTO progress VALUES (?, ?, 0, NULL, ?, 0)", [SCHEMA_VERSION, log_id, chain_start])
    for number, kind in enumerate(KINDS, 1):
        add_generation(cursor, kind, number, "open")
    refresh_views(cursor)
    cursor.execute("COMMIT")


def is_empty(cursor: duckdb.DuckDBPyConnection) -> bool:
    """Whether nothing was ever made in this database."""
    found = cursor.execute(
        "SELECT count(*) FROM duckdb_tables() WHERE database_name = current_database() AND table_name = 'progress'"
    ).fetchall()
    return bool(found[0][0] == 0)


def check_schema(cursor: duckdb.DuckDBPyConnection, log_id: str) -> None:
    """Raise `ReadStoreMismatch` when the store belongs to another log or has tables of a newer version,
    `ReadStoreOutdated` when they are of an older one.
    """
    version, stored_log_id = cursor.execute("SELECT schema_version, log_id FROM progress").fetchall()[0]
    if stored_log_id != log_id:
        raise ReadStoreMismatch("the read store was folded from another log; 'meterfold rebuild' folds this one")
    if version > SCHEMA_VERSION:
        raise ReadStoreMismatch(
            f"the read store has schema {version}, written by a newer release; this one knows {SCHEMA_VERSION}: "
            "start the newer release, or let 'meterfold rebuild' fold the log for this one"
        )
    if version < SCHEMA_VERSION:
        raise ReadStoreOutdated(
            f"the read store has schema {version} of an older release; this one has {SCHEMA_VERSION}: "
            "'meterfold rebuild' folds the log for it"
        )
