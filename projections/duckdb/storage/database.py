"""The DuckDB file of a read store: opening, cursors, checkpoints, and the checks of its schema.

The file is attached without a write-ahead log: a commit changes memory only, and a checkpoint writes all that was
committed since the last one, in one durable step. What a crash loses is folded again from the event log.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import duckdb
import msgspec

from projections.duckdb.storage.generations import GENERATION_KINDS, add_generation, refresh_views
from projections.duckdb.storage.missing_rows import schema_version
from projections.duckdb.storage.schema import SCHEMA_VERSION, TABLES
from projections.errors import (
    ProjectionError,
    ReadStoreCorrupted,
    ReadStoreMismatch,
    ReadStoreOutdated,
    ReadStoreUnavailable,
)
from projections.storage_errors import storage_refusal

#: A commit that has written so much since the last checkpoint would make one; only flushes make them here.
CHECKPOINT_THRESHOLD: Final = "1000TB"
#: The catalog of the store in use, within its DuckDB process.
READ_STORE: Final = "read_store"


class DuckDBOptions(msgspec.Struct, frozen=True):
    """Options of a read store's database.

    `memory_limit` is in DuckDB's notation ("2GB"), `threads` a maximum. With `compressed` false, data is written
    uncompressed until `compress_from_now_on`: compression takes twice as long as writing, and compaction compresses
    every generation anyway.
    """

    memory_limit: str = "4GB"
    threads: int = 2
    compressed: bool = True


class DuckDBDatabase:
    """The database of one read store: a file, attached as a catalog. Each thread takes its own cursor."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path, catalog: str) -> None:
        self._connection = connection
        self._path = path
        self._catalog = catalog

    @classmethod
    def open(cls, path: Path, options: DuckDBOptions) -> DuckDBDatabase:
        """Open the database file at `path`, creating it if absent.

        Raises `ReadStoreCorrupted` when it cannot be read, `ReadStoreUnavailable` when the storage under it fails.
        """
        try:
            connection = duckdb.connect(
                config={
                    "threads": options.threads,
                    "memory_limit": options.memory_limit,
                    "checkpoint_threshold": CHECKPOINT_THRESHOLD,
                    "temp_directory": f"{path}.tmp",
                    "force_compression": "auto" if options.compressed else "uncompressed",
                },
            )
            _attach(connection, path, READ_STORE)
        except (duckdb.Error, RuntimeError) as error:
            raise _refused(path, error) from error
        return cls(connection, path, READ_STORE)

    def is_usable(self) -> bool:
        """Return false once a storage error has invalidated the database; it must be opened again then."""
        try:
            self.cursor().execute("SELECT count(*) FROM progress")
        except duckdb.Error:
            return False
        return True

    def compress_from_now_on(self) -> None:
        """Compress everything that is written from now on."""
        self._connection.cursor().execute("SET force_compression = 'auto'")

    def attach(self, path: Path, catalog: str) -> DuckDBDatabase:
        """Attach another database file as `catalog`, so that one statement can query both."""
        _attach(self._connection.cursor(), path, catalog)
        return DuckDBDatabase(self._connection, path, catalog)

    def detach(self, catalog: str) -> None:
        """Detach an attached database."""
        self._connection.cursor().execute(f"DETACH {catalog}")

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """Return a new cursor, for one thread."""
        cursor = self._connection.cursor()
        cursor.execute(f"USE {self._catalog}")
        return cursor

    def file_bytes(self) -> int:
        """Return the size of the database file."""
        return self._path.stat().st_size

    def free_share(self) -> float:
        """Return the share of the file's blocks that are free for reuse: 0 to 1."""
        found = self.cursor().execute(
            "SELECT free_blocks, total_blocks FROM pragma_database_size() WHERE database_name = current_database()"
        )
        free, total = found.fetchall()[0]
        return float(free) / total if total else 0.0

    def checkpoint(self) -> bool:
        """Write all that is committed into the file; return false when another transaction prevented it.

        One that writes does, and one that reads since before the last update or change of the catalog. Commits wait
        meanwhile. After a crash in the middle of it the file holds what it held before.
        """
        try:
            self.cursor().execute("CHECKPOINT")
        except duckdb.TransactionException:
            return False
        return True

    def close(self) -> None:
        """Close the file, with a checkpoint where that is possible; cursors on it cannot be used any more."""
        if self._catalog == READ_STORE:
            self._connection.close()


def _attach(connection: duckdb.DuckDBPyConnection, path: Path, catalog: str) -> None:
    quoted = str(path).replace("'", "''")
    connection.execute(f"ATTACH '{quoted}' AS {catalog} (RECOVERY_MODE no_wal_writes)")


@contextmanager
def translated_errors(path: Path) -> Iterator[None]:
    """Raise DuckDB's errors within the context as `ReadStoreUnavailable` or `ReadStoreCorrupted` of `path`."""
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
        f"the read store {path} cannot be opened ({error}); run 'meterfold replay' to make a new one from the log"
    )


def create_tables(cursor: duckdb.DuckDBPyConnection, log_id: str, chain_start: bytes) -> None:
    """Create every table of an empty read store, in one transaction."""
    cursor.execute("BEGIN")
    for statement in TABLES:
        cursor.execute(statement)
    cursor.execute("INSERT INTO progress VALUES (?, ?, 0, NULL, ?, 0)", [SCHEMA_VERSION, log_id, chain_start])
    for number, kind in enumerate(GENERATION_KINDS, 1):
        add_generation(cursor, kind, number, "open")
    refresh_views(cursor)
    cursor.execute("COMMIT")


def is_empty(cursor: duckdb.DuckDBPyConnection) -> bool:
    """Return whether the database has no tables yet."""
    found = cursor.execute(
        "SELECT count(*) FROM duckdb_tables() WHERE database_name = current_database() AND table_name = 'progress'"
    ).fetchall()
    return bool(found[0][0] == 0)


def check_schema(cursor: duckdb.DuckDBPyConnection, log_id: str) -> None:
    """Raise `ReadStoreMismatch` when the store belongs to another log or has a newer schema, `ReadStoreOutdated` when
    its schema is older.
    """
    version, stored_log_id = schema_version(cursor), cursor.execute("SELECT log_id FROM progress").fetchall()[0][0]
    if stored_log_id != log_id:
        raise ReadStoreMismatch("the read store was folded from another log; run 'meterfold replay' to fold this one")
    if version > SCHEMA_VERSION:
        raise ReadStoreMismatch(
            f"the read store has schema {version}, written by a newer release; this one knows {SCHEMA_VERSION}: "
            "start the newer release, or run 'meterfold replay' to fold the log for this one"
        )
    if version < SCHEMA_VERSION:
        raise ReadStoreOutdated(
            f"the read store has schema {version} of an older release; this one has {SCHEMA_VERSION}: "
            "run 'meterfold replay' to fold the log for it"
        )
