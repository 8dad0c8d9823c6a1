"""Inspection of processes at the moment they are killed, from outside.

SIGSTOP first: a process that stands still can be looked at, and SIGKILL then takes it without one more step. A thread
inside a system call stops when the call returns, and would have died there too. So a look at the frozen process is
a look at the moment of its death, and changes nothing in how it dies. Needs Linux (/proc and the layout of a lock).
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import sqlite3
import struct
import time
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path

import duckdb
import msgspec

FREEZE_SECONDS_MAX = 20.0
#: A child that outlives its owner has this long to notice.
ORPHAN_SECONDS_MAX = 10.0
_POLL_SECONDS = 0.001

# Which bytes of log.sqlite-shm stand for which lock: https://www.sqlite.org/walformat.html, "locks".
_APPEND_LOCK_BYTE = 120
_CHECKPOINT_LOCK_BYTE = 121
_LOCK_LAYOUT = "hhqqi4x"


class Moment(msgspec.Struct, frozen=True):
    """The activity of some processes at one moment.

    `appending`: one held the write lock of the log, which it has from the BEGIN of an append until the commit is
    synced and the lock let go.
    `checkpointing`: one held the log's checkpoint lock, or the read store's file was written later than its
    write-ahead file: a checkpoint writes the one and then removes the other.
    """

    appending: bool
    checkpointing: bool


def freeze(pids: Iterable[int]) -> None:
    """Stop these processes where they are, and wait until each of their threads stands still."""
    waiting = list(pids)
    for pid in waiting:
        _send(pid, signal.SIGSTOP)
    deadline = time.monotonic() + FREEZE_SECONDS_MAX
    while any(not set(_thread_states(pid)) <= set("TtZX") for pid in waiting):
        assert time.monotonic() < deadline, f"processes {waiting} did not stop"
        time.sleep(_POLL_SECONDS)


def thaw(pids: Iterable[int]) -> None:
    """Let these frozen processes run on."""
    for pid in pids:
        _send(pid, signal.SIGCONT)


def kill(pids: Iterable[int]) -> None:
    """SIGKILL to each."""
    for pid in pids:
        _send(pid, signal.SIGKILL)


def wait_gone(pids: Iterable[int]) -> None:
    """Wait until none of these runs any more: a child has to end with its owner."""
    waiting = list(pids)
    deadline = time.monotonic() + ORPHAN_SECONDS_MAX
    while waiting := [pid for pid in waiting if set(_thread_states(pid)) - set("ZX")]:
        assert time.monotonic() < deadline, f"children {waiting} outlived their owner by {ORPHAN_SECONDS_MAX} s"
        time.sleep(_POLL_SECONDS)


def moment_of(pids: Iterable[int], log: Path, store: Path) -> Moment:
    """The activity of these frozen processes."""
    among = set(pids)
    checkpointing = holder_of(log, _CHECKPOINT_LOCK_BYTE) in among or is_half_written(store)
    return Moment(holder_of(log, _APPEND_LOCK_BYTE) in among, checkpointing)


def appender(log: Path) -> int | None:
    """The process that is in the middle of an append to the log."""
    return holder_of(log, _APPEND_LOCK_BYTE)


def holder_of(log: Path, lock_byte: int) -> int | None:
    """The process that holds a write-ahead lock of the log exclusively, of those that are not this one.

    This process must have no connection to the log: closing a file here would let go of its locks.
    """
    asked = struct.pack(_LOCK_LAYOUT, fcntl.F_WRLCK, os.SEEK_SET, lock_byte, 1, 0)
    try:
        descriptor = os.open(f"{log}-shm", os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        kind, _, _, _, pid = struct.unpack(_LOCK_LAYOUT, fcntl.fcntl(descriptor, fcntl.F_GETLK, asked))
    finally:
        os.close(descriptor)
    return int(pid) if kind == fcntl.F_WRLCK else None


def is_half_written(store: Path) -> bool:
    """Whether a checkpoint has begun to write the read store, and has not yet removed its write-ahead file."""
    try:
        ahead = Path(f"{store}.wal").stat()
        return ahead.st_size > 0 and store.stat().st_mtime_ns > ahead.st_mtime_ns
    except FileNotFoundError:
        return False


def is_log_ahead(log: Path, store: Path, scratch: Path) -> bool:
    """Whether the log holds records that the read store has not folded, both as they lie there.

    Looked at in copies: opening the files themselves would already repair them.
    """
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    for path in (log, Path(f"{log}-wal"), store, Path(f"{store}.wal")):
        if path.exists():
            shutil.copyfile(path, scratch / path.name)
    with closing(sqlite3.connect(scratch / log.name)) as records, duckdb.connect(str(scratch / store.name)) as folded:
        head = records.execute("SELECT max(rowid) FROM stored_events").fetchone()[0]
        position = folded.execute("SELECT position FROM progress").fetchall()[0][0]
    assert head >= position, f"the read store has folded {position}, and the log ends at {head}"
    return bool(head > position)


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _thread_states(pid: int) -> list[str]:
    """One letter for each thread of a process, as in ps; none when it is gone."""
    states = []
    with suppress(FileNotFoundError, ProcessLookupError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with suppress(FileNotFoundError, ProcessLookupError):
                states.append((thread / "stat").read_text().rpartition(")")[2].split()[0])
    return states
