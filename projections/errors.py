"""Exceptions of the projections room.

ProjectionError
├── ReadStoreMismatch       the read store was folded from another log, or from another history of this one
│   └── ReadStoreOutdated   it has the tables of an older release; folding the log again makes those of this one
├── ReadStoreUnavailable    the storage under the read store refuses: full, read-only, or failing
├── ReadStoreCorrupted      the read store's files cannot be trusted; `rebuild` makes them again from the log
├── IdentityIndexCorrupted  the identity index's files cannot be trusted; it is made again from the log
└── HistoryGone             asked for a past that retention has removed
"""

from __future__ import annotations

from pathlib import Path


class ProjectionError(Exception):
    """Root of everything this room raises."""


class ReadStoreMismatch(ProjectionError):
    """The read store's running hash differs from the log's at the same position, or its log id does."""


class ReadStoreOutdated(ReadStoreMismatch):
    """The read store has the tables of an older release; folding the log again makes those of this one."""


class ReadStoreUnavailable(ProjectionError):
    """The storage under the read store refuses: full, read-only, or failing. Nothing is damaged by that."""


class ReadStoreCorrupted(ProjectionError):
    """The read store contradicts itself or cannot be read. The log is untouched: a rebuild makes it again."""


class IdentityIndexCorrupted(ProjectionError):
    """A file of the identity index is damaged, incomplete or of another log: `path` names it, `problem` says how."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(
            f"identity index {path}: {problem}; nothing is lost, 'meterfold rebuild' makes it again from the log"
        )
        self.path = path
        self.problem = problem


class HistoryGone(ProjectionError):
    """The question reaches behind the horizon that retention left; what is asked for exists no more."""
