"""The store of personal-data keys of the embedded engine: a SQLite file that only its owner can read."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from domain.errors import PersonalKeyMissing
from domain.log.sqlite.errors import log_error_of

KEY_BYTES: Final = 32
BUSY_TIMEOUT_SECONDS: Final = 30
_CREATE_NOTE: Final = "CREATE TABLE IF NOT EXISTS key_store_of (log_id TEXT NOT NULL)"
_CREATE_TABLE: Final = "CREATE TABLE IF NOT EXISTS personal_keys (key_id TEXT PRIMARY KEY, key BLOB) WITHOUT ROWID"


class SQLiteKeyStore:
    """`PersonalKeys` in the SQLite file at `path`. A row without a key is the tombstone of a destroyed key.

    It uses a rollback journal that is deleted, not a write-ahead log, and secure deletion, so that the bytes of a
    destroyed key are overwritten in the file and remain in no other one.
    """

    def __init__(self, path: Path, randomness: Callable[[int], bytes]) -> None:
        self._path = path
        self._randomness = randomness
        self._lock = threading.RLock()
        with self._storage_errors_translated():
            _make_private(path)
            self._connection = sqlite3.connect(
                path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False
            )
            self._connection.execute("PRAGMA journal_mode=DELETE")
            self._connection.execute("PRAGMA synchronous=EXTRA")  # also syncs the folder when the journal is deleted
            self._connection.execute("PRAGMA fullfsync=ON")
            self._connection.execute("PRAGMA secure_delete=ON")
            self._connection.execute(_CREATE_TABLE)

    def key_for(self, key_id: str) -> bytes | None:
        """The key; None if it was destroyed or never made here."""
        with self._lock, self._storage_errors_translated():
            found = self._connection.execute("SELECT key FROM personal_keys WHERE key_id = ?", (key_id,)).fetchone()
        return None if found is None else found[0]

    def create(self, key_id: str) -> bytes:
        """Make the key, or return the one that exists; raise `PersonalKeyMissing` if it was destroyed."""
        fresh = self._randomness(KEY_BYTES)
        with self._lock, self._storage_errors_translated():
            self._connection.execute(
                "INSERT INTO personal_keys (key_id, key) VALUES (?, ?) ON CONFLICT (key_id) DO NOTHING", (key_id, fresh)
            )
        key = self.key_for(key_id)
        if key is None:
            raise PersonalKeyMissing(f"the key {key_id} of personal data was destroyed and cannot be made again")
        return key

    @contextmanager
    def together(self) -> Iterator[None]:
        """A transaction for several keys, with one commit at its end."""
        with self._lock:
            with self._storage_errors_translated():
                # Take the write lock at once: if two transactions hold read locks, SQLite lets neither start writing.
                self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.rollback()
                raise
            with self._storage_errors_translated():
                self._commit()

    def _commit(self) -> None:
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error:
            self._connection.rollback()
            raise

    def destroy(self, key_id: str) -> None:
        """Delete the key and leave a tombstone."""
        with self._lock, self._storage_errors_translated():
            self._connection.execute(
                "INSERT INTO personal_keys (key_id) VALUES (?) ON CONFLICT (key_id) DO UPDATE SET key = NULL",
                (key_id,),
            )

    def note_log(self, log_id: str) -> None:
        """Note the log that this store belongs to; see `StoredKeys`."""
        with self._lock:
            if StoredKeys(self._path).log_id() == log_id:
                return
            with self.together():
                self._connection.execute(_CREATE_NOTE)
                self._connection.execute("DELETE FROM key_store_of")
                self._connection.execute("INSERT INTO key_store_of VALUES (?)", (log_id,))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def _storage_errors_translated(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise log_error_of(error, self._path, BUSY_TIMEOUT_SECONDS) from error


class StoredKeys:
    """What the key store at `path` holds, without opening it for writing. A missing file holds nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def log_id(self) -> str | None:
        """The id of the log that the store belongs to; None when none was noted."""
        found = self._first("SELECT log_id FROM key_store_of", (), "key_store_of")
        return None if found is None else str(found)

    def knows(self, key_id: str) -> bool:
        """Whether the store holds the key or the tombstone of it."""
        return self._first("SELECT 1 FROM personal_keys WHERE key_id = ?", (key_id,), "personal_keys") is not None

    def _first(self, query: str, parameters: tuple[str, ...], table: str) -> Any:
        if not self._path.exists():
            return None
        try:
            uri = f"{self._path.absolute().as_uri()}?mode=ro"
            with closing(sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_SECONDS)) as connection:
                if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone():
                    return None
                found = connection.execute(query, parameters).fetchone()
        except sqlite3.Error as error:
            raise log_error_of(error, self._path, BUSY_TIMEOUT_SECONDS) from error
        return None if found is None else found[0]


def _make_private(path: Path) -> None:
    """Create the file with mode 0600 while it is empty; SQLite gives its journal the same mode."""
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)
