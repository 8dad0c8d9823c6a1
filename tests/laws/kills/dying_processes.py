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

from tests.laws.kills.watched_files import WatchedFiles

FREEZE_SECONDS_MAX = 20.0
#: A child that outlives its owner has this long to notice.
ORPHAN_SECONDS_MAX = 10.0
_POLL_SECONDS = 0.001

# Which bytes of log.sqlite-shm stand for which lock: https://www.sqlite.org/walformat.html, "locks".
_APPEND_LOCK_BYTE = 120
_CHECKPOINT_LOCK_BYTE = 121
_LOCK_LAYOUT = "hhqqi4x"

# Places in /proc/PID/task/TID/stat after the name of the thread: proc_pid_stat(5).
_STATE = 0
_NICE = 16


class Moment(msgspec.Struct, frozen=True):
    """The activity of some processes at one moment.

    `appending`: one held the write lock of the log, which it has from the BEGIN of an append until the commit is
    synced and the lock let go.
    `checkpointing`: one held the log's checkpoint lock.
    `flushing`: the owner was among them, and had left files of the read side half written, as `WatchedFiles` says. (A
    merge of runs of the identity index, or of a generation too large for memory, does that too.)
    `merging`: the owner was among them, and one of its threads had the low priority at which it merges generations.
    """

    appending: bool
    checkpointing: bool
    flushing: bool
    merging: bool

    @property
    def keeping_up(self) -> bool:
        """Whether a flush or a merge was going on."""
        return self.flushing or self.merging


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


def moment_of(pids: Iterable[int], owner: int, log: Path, files: WatchedFiles) -> Moment:
    """The activity of these frozen processes."""
    among = set(pids)
    return Moment(
        appending=holder_of(log, _APPEND_LOCK_BYTE) in among,
        checkpointing=holder_of(log, _CHECKPOINT_LOCK_BYTE) in among,
        flushing=owner in among and files.are_half_written(),
        merging=owner in among and is_merging(owner),
    )


def is_merging(pid: int) -> bool:
    """Whether a thread of this process has a lower priority than its first one."""
    nice = {thread: int(state[_NICE]) for thread, state in _thread_stats(pid).items()}
    return max(nice.values(), default=0) > nice.get(pid, 0)


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


def is_log_ahead(log: Path, store: Path, scratch: Path) -> bool:
    """Whether the log holds records that the read store has not folded, both as they lie there.

    Looked at in copies: opening the files themselves would already repair them.
    """
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    for path in (log, Path(f"{log}-wal"), store):
        if path.exists():
            shutil.copyfile(path, scratch / path.name)
    with closing(sqlite3.connect(scratch / log.name)) as records, duckdb.connect(str(scratch / store.name)) as folded:
        head = records.execute("SELECT max(rowid) FROM stored_events").fetchone()[0]
        position = folded.execute("SELECT position FROM progress").fetchall()[0][0] if _has_tables(folded) else 0
    assert head >= position, f"the read store has folded {position}, and the log ends at {head}"
    return bool(head > position)


def _has_tables(store: duckdb.DuckDBPyConnection) -> bool:
    """False before the first flush."""
    found = store.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'progress'").fetchall()
    return bool(found[0][0])


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _thread_states(pid: int) -> list[str]:
    """One letter for each thread of a process, as in ps; none when it is gone."""
    return [stat[_STATE] for stat in _thread_stats(pid).values()]


def _thread_stats(pid: int) -> dict[int, list[str]]:
    """What /proc tells of each thread of a process, from its state on; nothing when it is gone."""
    stats = {}
    with suppress(FileNotFoundError, ProcessLookupError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with suppress(FileNotFoundError, ProcessLookupError):
                stats[int(thread.name)] = (thread / "stat").read_text().rpartition(")")[2].split()
    return stats
