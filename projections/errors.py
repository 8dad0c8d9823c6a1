"""Exceptions of the projections package.

ProjectionError
├── ReadStoreMismatch       the read store was folded from another log, or from another history of this one
│   └── ReadStoreOutdated   the read store has the schema of an older release; a rebuild makes the current one
├── ReadStoreUnavailable    the storage under the read store is full, read-only or failing
│   └── RowsBeingWritten    the read store has all numbers, and not yet all rows of usage
├── ReadStoreCorrupted      the read store is damaged; a rebuild makes it again from the log
├── IdentityIndexCorrupted  the identity index is damaged; a rebuild makes it again from the log
└── HistoryGone             reserved: row retention is not available yet, so nothing raises it
"""

from __future__ import annotations

from pathlib import Path


class ProjectionError(Exception):
    """Base of the exceptions defined in projections."""


class ReadStoreMismatch(ProjectionError):
    """The running hash of the read store differs from that of the log at the same position, or its log id does."""


class ReadStoreOutdated(ReadStoreMismatch):
    """The read store has the schema of an older release; a rebuild from the log makes the current one."""


class ReadStoreUnavailable(ProjectionError):
    """The storage under the read store is full, read-only or failing. No data is damaged."""


class RowsBeingWritten(ReadStoreUnavailable):
    """The read store has all numbers, and not yet all rows of usage: what is answered from rows has to wait."""


class ReadStoreCorrupted(ProjectionError):
    """The read store is inconsistent or unreadable. The log is not affected: a rebuild makes the store again."""


class IdentityIndexCorrupted(ProjectionError):
    """A file of the identity index (`path`) is damaged, incomplete or of another log; `problem` says which."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(
            f"identity index {path}: {problem}; no data is lost, 'meterfold replay' makes it again from the log"
        )
        self.path = path
        self.problem = problem


class HistoryGone(ProjectionError):
    """The query needs history that retention has removed. Reserved: row retention is not available yet."""
