"""The event log of the embedded engine: the SQLite recorder of the `eventsourcing` library with more guarantees.

In addition to the library: positions survive VACUUM and are never re-used, a stream has no gaps, every commit is
synced to disk, and a failed commit leaves no open transaction that would lock other writers out.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from eventsourcing.persistence import ConnectionPoolClosedError, IntegrityError, PersistenceError, StoredEvent
from eventsourcing.sqlite import (
    SQLiteApplicationRecorder,
    SQLiteConnection,
    SQLiteConnectionPool,
    SQLiteDatastore,
)

from domain.errors import Fenced, LogUnavailable
from domain.log.records import LogRecord, NewRecord
from domain.log.sqlite.errors import log_error_of, sqlite_cause

BUSY_TIMEOUT_SECONDS: Final = 30
POOL_SIZE: Final = 8
POOL_OVERFLOW_MAX: Final = 24
READ_BYTES_MAX: Final = 64 * 1024 * 1024
#: The most streams in one query.
QUERIED_STREAMS_MAX: Final = 500
WAL_BYTES_KEPT_MAX: Final = 64 * 1024 * 1024

# The recorder's own `SELECT rowid, *` reads a column named rowid; values of a declared one survive VACUUM.
_CREATE_TABLE: Final = """
CREATE TABLE IF NOT EXISTS stored_events (
    rowid INTEGER PRIMARY KEY AUTOINCREMENT,
    originator_id TEXT NOT NULL,
    originator_version INTEGER NOT NULL,
    topic TEXT NOT NULL,
    state BLOB NOT NULL,
    UNIQUE (originator_id, originator_version)
)"""

# Without it a writer that knows a later head than the log, which was restored from a backup, would leave a gap.
_CREATE_GAP_GUARD: Final = """
CREATE TRIGGER IF NOT EXISTS stored_events_versions_are_consecutive BEFORE INSERT ON stored_events
WHEN NEW.originator_version <> 1 AND NOT EXISTS (
    SELECT 1 FROM stored_events
    WHERE originator_id = NEW.originator_id AND originator_version = NEW.originator_version - 1
) BEGIN SELECT RAISE(ABORT, 'the version before is not there'); END"""


class _LogConnection(SQLiteConnection):
    def roll_back_open_transaction(self) -> None:
        """Roll back a transaction whose commit failed (disk full): it still holds the write lock."""
        if self._sqlite_conn.in_transaction:
            self._sqlite_conn.rollback()


class _LogConnectionPool(SQLiteConnectionPool):
    def _create_connection(self) -> SQLiteConnection:
        return _LogConnection(open_connection(self.db_name), max_age=None)


class _LogDatastore(SQLiteDatastore):
    def __init__(self, path: Path) -> None:
        self._append_lock = threading.Lock()
        super().__init__(str(path), originator_id_type="text")
        self.pool = _LogConnectionPool(
            db_name=str(path),
            lock_timeout=BUSY_TIMEOUT_SECONDS,
            pool_size=POOL_SIZE,
            max_overflow=POOL_OVERFLOW_MAX,
            pool_timeout=BUSY_TIMEOUT_SECONDS,
        )

    @contextmanager
    def get_connection(self, *, commit: bool) -> Iterator[SQLiteConnection]:
        # The pool's own writer lock makes readers queue behind waiting writers, and stays locked for ever
        # when opening a connection fails; so the pool is used without it, and writers queue here.
        with self._write_lock() if commit else _no_lock():
            connection = self.pool.get_connection(is_writer=None)
            try:
                yield connection
            finally:
                if isinstance(connection, _LogConnection):
                    connection.roll_back_open_transaction()
                self.pool.put_connection(connection)

    @contextmanager
    def _write_lock(self) -> Iterator[None]:
        if not self._append_lock.acquire(timeout=BUSY_TIMEOUT_SECONDS):
            raise LogUnavailable(f"earlier appends took more than {BUSY_TIMEOUT_SECONDS} s: the disk is too slow")
        try:
            yield
        finally:
            self._append_lock.release()


class _LogRecorder(SQLiteApplicationRecorder):
    def __init__(self, datastore: SQLiteDatastore) -> None:
        super().__init__(datastore)
        self.insert_events_statement = (
            "INSERT INTO stored_events (originator_id, originator_version, topic, state) VALUES (?,?,?,?)"
        )

    def construct_create_table_statements(self) -> list[str]:
        return [_CREATE_TABLE, _CREATE_GAP_GUARD]


_HEAD_VERSIONS: Final = """SELECT originator_id, max(originator_version) FROM stored_events
    WHERE originator_id IN (SELECT value FROM json_each(?)) GROUP BY originator_id"""


_OF_TOPIC: Final = """SELECT rowid, originator_id, originator_version, topic, state FROM stored_events
    WHERE rowid > ? AND topic = ? ORDER BY rowid LIMIT ?"""
_OF_STREAMS: Final = """SELECT originator_id, originator_version, topic, state FROM stored_events
    WHERE (originator_id, originator_version) > (?, ?) AND originator_id < ?
    ORDER BY originator_id, originator_version LIMIT ?"""


@contextmanager
def _no_lock() -> Iterator[None]:
    yield


def open_connection(path: str) -> sqlite3.Connection:
    """Open a connection in write-ahead mode whose commits are synced to disk before they return."""
    connection = sqlite3.connect(
        path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=64
    )
    try:
        mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
        if mode.lower() != "wal":
            connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA fullfsync=ON")  # where fsync alone does not reach the platter (macOS)
        connection.execute(f"PRAGMA journal_size_limit={WAL_BYTES_KEPT_MAX}")
    except sqlite3.Error:
        connection.close()
        raise
    connection.row_factory = sqlite3.Row
    return connection


class SQLiteEventLog:
    """An `EventLog` in one SQLite file. Several threads and several processes may append and read.

    One `read` loads at most `read_bytes_max` bytes of state (but at least one record if there is one), so it may
    return fewer than `limit` records although more exist: read until nothing is returned.
    """

    def __init__(
        self, path: Path, read_bytes_max: int = READ_BYTES_MAX, on_append: Callable[[], None] = lambda: None
    ) -> None:
        """Open the log at `path` and create it if absent; raise `LogUnavailable` if that fails.

        `on_append` is called after every append through this object, once its records can be read.
        """
        self._path = path
        self._on_append = on_append
        self._read_bytes_max = read_bytes_max
        self._datastore = _LogDatastore(path)
        self._recorder = _LogRecorder(self._datastore)
        self._watch_lock = threading.Lock()
        with self._storage_errors_translated():
            self._recorder.create_table()
            self._watch = open_connection(str(path))

    def append(self, records: Sequence[NewRecord]) -> list[int]:
        """Store all records or none, synced to disk, in this order; return their positions.

        `Fenced` if a (stream, version) is taken or the version before it is missing; `LogUnavailable` if storage
        fails. After either, nothing of `records` is stored.
        """
        if not records:
            return []
        stored = [StoredEvent(new.stream, new.version, new.topic, new.state) for new in records]
        with self._storage_errors_translated():
            try:
                positions = self._recorder.insert_events(stored)
            except IntegrityError as error:
                raise Fenced(_fenced_message(records)) from error
        self._on_append()
        return list(positions or ())

    def read(self, after: int, limit: int, until: int | None = None) -> list[LogRecord]:
        """Up to `limit` records with `after` < position (and <= `until`), in position order."""
        with self._storage_errors_translated():
            stop = self._last_within_bytes(after, limit, until)
            if stop is None:
                return []
            found = self._recorder.select_notifications(after, limit, stop, inclusive_of_start=False)
        return [
            LogRecord(one.id, str(one.originator_id), one.originator_version, one.topic, one.state) for one in found
        ]

    def records_of_topic(self, topic: str, after: int, limit: int) -> list[LogRecord]:
        """Up to `limit` records of one topic with `after` < position, in position order."""
        with self._storage_errors_translated(), self._datastore.transaction(commit=False) as cursor:
            cursor.execute(_OF_TOPIC, (after, topic, limit))
            return [LogRecord(position, str(stream), *rest) for position, stream, *rest in cursor.fetchall()]

    def stream(self, stream: str, after_version: int = 0, limit: int | None = None) -> list[LogRecord]:
        """The first `limit` records of one stream with a version above `after_version`, in order, with position 0."""
        with self._storage_errors_translated():
            return [
                _without_position(one) for one in self._recorder.select_events(stream, gt=after_version, limit=limit)
            ]

    def records_of_streams(self, prefix: str, after: tuple[str, int], limit: int) -> list[LogRecord]:
        """The first `limit` records of the streams whose name begins with `prefix`, in order of name and version.

        `after`: the name and version behind which to begin. The records have position 0.
        """
        with self._storage_errors_translated(), self._datastore.transaction(commit=False) as cursor:
            cursor.execute(_OF_STREAMS, (*max(after, (prefix, 0)), prefix[:-1] + chr(ord(prefix[-1]) + 1), limit))
            return [LogRecord(0, str(stream), *rest) for stream, *rest in cursor.fetchall()]

    def head_version(self, stream: str) -> int:
        """The last version of a stream; 0 if it has no record."""
        return self._number("SELECT max(originator_version) FROM stored_events WHERE originator_id = ?", (stream,))

    def head_versions(self, streams: Sequence[str]) -> dict[str, int]:
        """The last version of each of these streams that has a record."""
        found: dict[str, int] = {}
        with self._storage_errors_translated(), self._datastore.transaction(commit=False) as cursor:
            for first in range(0, len(streams), QUERIED_STREAMS_MAX):
                asked = json.dumps(list(streams[first : first + QUERIED_STREAMS_MAX]))
                cursor.execute(_HEAD_VERSIONS, (asked,))
                found |= {str(stream): int(version) for stream, version in cursor.fetchall()}
        return found

    def last_record(self, stream: str) -> LogRecord | None:
        """The last record of a stream, with position 0; None if it has no record."""
        with self._storage_errors_translated():
            found = self._recorder.select_events(stream, desc=True, limit=1)
        return _without_position(found[0]) if found else None

    def head_position(self) -> int:
        """The last position; 0 if the log is empty."""
        return self._number("SELECT max(rowid) FROM stored_events", ())

    def change_counter(self) -> int:
        """A number that changes with every append, also by other processes. Takes a few microseconds."""
        with self._watch_lock, self._storage_errors_translated():
            return int(self._watch.execute("PRAGMA data_version").fetchone()[0])

    def close(self) -> None:
        """Close every connection; may be called twice."""
        self._datastore.close()
        with self._watch_lock:
            self._watch.close()

    def _last_within_bytes(self, after: int, limit: int, until: int | None) -> int | None:
        """The last position to load, or None. Lengths are read without loading the states."""
        lengths = "SELECT rowid, length(state) FROM stored_events WHERE rowid > ? AND rowid <= ? ORDER BY 1 LIMIT ?"
        last: int | None = None
        loaded_bytes = 0
        with self._datastore.transaction(commit=False) as cursor:
            cursor.execute(lengths, (after, until if until is not None else 2**63 - 1, limit))
            for position, state_bytes in cursor.fetchall():
                loaded_bytes += state_bytes
                if last is not None and loaded_bytes > self._read_bytes_max:
                    break
                last = position
        return last

    def _number(self, query: str, parameters: tuple[str, ...]) -> int:
        with self._storage_errors_translated(), self._datastore.transaction(commit=False) as cursor:
            cursor.execute(query, parameters)
            return int(cursor.fetchone()[0] or 0)

    @contextmanager
    def _storage_errors_translated(self) -> Iterator[None]:
        try:
            yield
        except ConnectionPoolClosedError as error:
            raise LogUnavailable(f"{self._path} was closed by this process") from error
        except (sqlite3.Error, PersistenceError) as error:
            raise log_error_of(sqlite_cause(error), self._path, BUSY_TIMEOUT_SECONDS) from error


def _without_position(stored: StoredEvent) -> LogRecord:
    return LogRecord(0, str(stored.originator_id), stored.originator_version, stored.topic, stored.state)


def _fenced_message(records: Sequence[NewRecord]) -> str:
    first = records[0]
    others = f" (or one of {len(records) - 1} more)" if len(records) > 1 else ""
    return f"version {first.version} of stream {first.stream!r}{others} is taken or does not follow the stream's head"
