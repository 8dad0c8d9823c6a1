"""What an error of DuckDB or of the file system says about the storage underneath, and what to do about it."""

from __future__ import annotations

from typing import Final

#: What the operating system says, in DuckDB's messages as in its own, and what an operator does then.
_REFUSALS: Final = (
    ("No space left on device", "the disk under it is full: free some space"),
    ("Disk quota exceeded", "the disk quota of this user is used up: free some space"),
    ("Read-only file system", "the file system under it is read-only: mount it writable ('mount -o remount,rw ...')"),
    ("Permission denied", "this user may not write it: give this user the data folder ('chown -R ...')"),
    ("Operation not permitted", "this user may not write it: give this user the data folder ('chown -R ...')"),
    ("Too many open files", "too many files are open: raise the limit ('ulimit -n 4096')"),
)


def storage_refusal(error: BaseException) -> str | None:
    """Which storage refused, as a clause that says what to do; None when the storage is not to blame."""
    text = str(error)
    return next((advice for words, advice in _REFUSALS if words in text), None)
