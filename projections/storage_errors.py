"""Recognize storage problems (disk full, read-only, ...) in errors of DuckDB and the file system, with advice."""

from __future__ import annotations

from typing import Final

#: Texts of the operating system, also found in DuckDB's messages, and the advice to the operator.
_REFUSALS: Final = (
    ("No space left on device", "the disk under it is full: free some space"),
    ("Disk quota exceeded", "the disk quota of this user is used up: free some space"),
    ("Read-only file system", "the file system under it is read-only: mount it writable ('mount -o remount,rw ...')"),
    ("Permission denied", "this user may not write it: give this user the data folder ('chown -R ...')"),
    ("Operation not permitted", "this user may not write it: give this user the data folder ('chown -R ...')"),
    ("Too many open files", "too many files are open: raise the limit ('ulimit -n 4096')"),
)


def storage_refusal(error: BaseException | str) -> str | None:
    """The advice for a storage problem, as a clause; None when the error, or its text, is not one of storage."""
    text = str(error)
    return next((advice for words, advice in _REFUSALS if words in text), None)


def failure_text(error: BaseException) -> str:
    """The reason why the read store is not written; for a storage problem, the advice comes first."""
    advice = storage_refusal(error)
    what = f"{type(error).__name__}: {error}"
    return (
        what
        if advice is None
        else f"the read store cannot be written, {advice}; the fold then resumes by itself ({what})"
    )
