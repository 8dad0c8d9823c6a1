"""Translation of SQLite errors into errors of the log, with messages that tell an operator what to do."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from domain.errors import LogCorrupted, LogError, LogUnavailable


def sqlite_cause(error: BaseException) -> BaseException:
    """The `sqlite3.Error` that caused an error of a library; the error itself if there is none."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, sqlite3.Error):
            return cause
        cause = cause.__cause__
    return error


def log_error_of(error: BaseException, path: Path, busy_timeout_seconds: float) -> LogError:
    """The `LogError` for a storage error of the file at `path`."""
    code = getattr(error, "sqlite_errorcode", None)
    primary = code & 0xFF if isinstance(code, int) else None
    if primary == sqlite3.SQLITE_FULL:
        return LogUnavailable(f"the disk under {path} is full and nothing was stored: free some space and try again")
    if primary in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH):
        return LogUnavailable(f"{path} or its folder is read-only: make both writable for this user")
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return LogUnavailable(
            f"another process held the lock of {path} for more than {busy_timeout_seconds} s: "
            "find the one that is stuck, or try again"
        )
    if primary == sqlite3.SQLITE_CANTOPEN:
        return LogUnavailable(f"{path} cannot be opened: check that its folder exists and is writable for this user")
    if primary == sqlite3.SQLITE_IOERR:
        return LogUnavailable(f"the disk under {path} failed to read or write ({error}): check it, then start again")
    if primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return LogCorrupted(f"{path} is no intact SQLite file ({error}): restore it from a backup")
    return LogUnavailable(f"{path} cannot be used: {error}")
