"""The SQLite event log passes the conformance suite, and survives failures of a file shared by processes."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
from collections.abc import Callable, Iterator
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from domain.errors import Fenced, LogCorrupted, LogUnavailable
from domain.log.records import EventLog, LogRecord
from domain.log.sqlite.event_log import SQLiteEventLog
from tests.domain.log.event_log_conformance import CONFORMANCE, record
from tests.fakes.event_log import InMemoryEventLog


@pytest.fixture(params=["sqlite", "memory"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EventLog]:
    opened: EventLog = SQLiteEventLog(tmp_path / "log.sqlite") if request.param == "sqlite" else InMemoryEventLog()
    yield opened
    opened.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.sqlite"


@pytest.mark.parametrize("conforms", CONFORMANCE, ids=lambda check: check.__name__)
def test_a_log_conforms(conforms: Callable[[EventLog], None], log: EventLog) -> None:
    conforms(log)


def test_what_was_appended_is_there_after_opening_again(path: Path) -> None:
    first = SQLiteEventLog(path)
    first.append([record("a", 1, b"kept")])
    first.close()

    again = SQLiteEventLog(path)

    assert again.read(0, 10) == [LogRecord(1, "a", 1, "topic", b"kept")]
    assert again.append([record("a", 2)]) == [2]
    again.close()


def test_every_connection_writes_ahead_and_syncs_each_commit(path: Path) -> None:
    log = SQLiteEventLog(path)
    with log._datastore.transaction(commit=False) as first, log._datastore.transaction(commit=False) as second:
        for cursor in (first, second):
            for pragma, value in (("journal_mode", "wal"), ("synchronous", 2), ("fullfsync", 1)):
                cursor.execute(f"PRAGMA {pragma}")
                assert cursor.fetchone()[0] == value, pragma
    log.close()


def test_a_position_is_never_used_again_whatever_somebody_did_to_the_file(path: Path) -> None:
    log = SQLiteEventLog(path)
    log.append([record("a", version) for version in range(1, 4)])
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("DELETE FROM stored_events WHERE rowid <> 2")
    other.execute("VACUUM")
    other.close()

    assert log.read(0, 10) == [LogRecord(2, "a", 2, "topic", b"x")]
    assert log.append([record("b", 1)]) == [4]
    log.close()


def test_a_read_loads_no_more_bytes_than_it_may_and_still_moves_on(path: Path) -> None:
    log = SQLiteEventLog(path, read_bytes_max=1_000)
    log.append([record("a", version, bytes(400 if version < 4 else 5_000)) for version in range(1, 6)])

    assert [one.position for one in log.read(0, 10)] == [1, 2]
    assert [one.position for one in log.read(2, 10)] == [3]
    assert [one.position for one in log.read(3, 10)] == [4], "a record larger than the bound must still be read"
    assert [one.position for one in log.read(4, 10)] == [5]
    log.close()


def test_the_change_counter_moves_for_another_opening_of_the_same_file(path: Path) -> None:
    watching, writing = SQLiteEventLog(path), SQLiteEventLog(path)
    before = watching.change_counter()

    writing.append([record("a", 1)])

    assert watching.change_counter() != before
    assert watching.read(0, 10) == [LogRecord(1, "a", 1, "topic", b"x")]
    watching.close()
    writing.close()


def _append_from_a_process(path: Path, name: str, count: int, started: Barrier) -> None:
    log = SQLiteEventLog(path)
    started.wait()
    for number in range(count):
        log.append([record(f"own/{name}", number + 1), record(f"own/{name}/second", number + 1)])
        while True:
            try:
                log.append([record("shared", log.head_version("shared") + 1, name.encode())])
                break
            except Fenced:
                continue
    log.close()


def test_processes_that_open_and_append_together_lose_nothing(path: Path) -> None:
    processes_count, count = 3, 20
    spawn = multiprocessing.get_context("spawn")
    started = spawn.Barrier(processes_count)
    processes = [
        spawn.Process(target=_append_from_a_process, args=(path, str(index), count, started))
        for index in range(processes_count)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0

    log = SQLiteEventLog(path)
    records = log.read(0, 10_000)
    assert [one.position for one in records] == list(range(1, processes_count * count * 3 + 1))
    for index in range(processes_count):
        assert [one.version for one in log.stream(f"own/{index}")] == list(range(1, count + 1))
    shared = log.stream("shared")
    assert [one.version for one in shared] == list(range(1, processes_count * count + 1))
    assert {name: sum(one.state == name for one in shared) for name in (b"0", b"1", b"2")} == {
        b"0": count,
        b"1": count,
        b"2": count,
    }
    log.close()


def test_a_full_disk_stores_nothing_and_raises_until_there_is_room(path: Path) -> None:
    log = SQLiteEventLog(path)
    log.append([record("a", 1)])
    with log._datastore.transaction(commit=False) as cursor:
        cursor.execute("PRAGMA max_page_count")
        room = cursor.fetchone()[0]
        cursor.execute("PRAGMA max_page_count=10")

    with pytest.raises(LogUnavailable, match=r"disk under .*log\.sqlite is full.*free some space"):
        log.append([record("a", 2, bytes(1_000_000))])

    with log._datastore.transaction(commit=False) as cursor:
        cursor.execute(f"PRAGMA max_page_count={room}")
    assert log.head_position() == 1
    assert log.append([record("a", 2, bytes(1_000_000))]) == [2]
    log.close()


def test_a_lock_held_for_too_long_is_reported(path: Path) -> None:
    log = SQLiteEventLog(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with log._datastore.transaction(commit=False) as cursor:
        cursor.execute("PRAGMA busy_timeout=20")

    with pytest.raises(LogUnavailable, match="another process held the lock"):
        log.append([record("a", 1)])

    other.rollback()
    other.close()
    assert log.append([record("a", 1)]) == [1]
    log.close()


def test_a_transaction_left_open_by_a_failed_commit_is_rolled_back(path: Path) -> None:
    log, other = SQLiteEventLog(path), SQLiteEventLog(path)
    with log._datastore.get_connection(commit=True) as connection:
        connection.cursor().execute("BEGIN IMMEDIATE")

    with other._datastore.transaction(commit=False) as cursor:
        cursor.execute("PRAGMA busy_timeout=20")
    assert other.append([record("a", 1)]) == [1]
    log.close()
    other.close()


def test_a_log_that_is_no_database_is_corrupted(path: Path) -> None:
    path.write_bytes(b"this is a text file, and a long one at that" * 100)

    with pytest.raises(LogCorrupted, match="restore it from a backup"):
        SQLiteEventLog(path)


def test_a_log_in_a_folder_that_is_not_there_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(LogUnavailable, match="check that its folder exists"):
        SQLiteEventLog(tmp_path / "absent" / "log.sqlite")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_log_is_unavailable(path: Path) -> None:
    SQLiteEventLog(path).close()
    path.chmod(0o400)

    with pytest.raises(LogUnavailable, match="read-only"):
        SQLiteEventLog(path).append([record("a", 1)])


def test_a_file_made_read_only_by_sqlite_itself_is_unavailable(path: Path) -> None:
    log = SQLiteEventLog(path)
    with log._datastore.transaction(commit=False) as cursor:
        cursor.execute("PRAGMA query_only=ON")

    with pytest.raises(LogUnavailable, match="read-only: make both writable"):
        log.append([record("a", 1)])
    log.close()


def test_a_closed_log_raises(path: Path) -> None:
    log = SQLiteEventLog(path)
    log.close()
    log.close()

    with pytest.raises(LogUnavailable, match="was closed"):
        log.head_position()


def test_readers_do_not_wait_for_a_writer(path: Path) -> None:
    log = SQLiteEventLog(path)
    log.append([record("a", 1)])

    with log._datastore.transaction(commit=True) as cursor:
        cursor.execute("INSERT INTO stored_events VALUES (99, 'held', 1, 'topic', x'00')")
        seen = log.read(0, 10)

    assert seen == [LogRecord(1, "a", 1, "topic", b"x")]
    log.close()
