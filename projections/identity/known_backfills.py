"""Backfills of one fold, in memory: their blocks, and what became of them."""

from __future__ import annotations

import msgspec

#: A scope key and a name.
BackfillKey = tuple[int, str]


class KnownBackfill(msgspec.Struct):
    """A backfill. `blocks`: the log positions of what it loaded. `committed_at`: None before its commit."""

    blocks: list[int] = msgspec.field(default_factory=list)
    committed_at: int | None = None
    ended: bool = False

    @property
    def is_open(self) -> bool:
        """Whether events can be loaded into it."""
        return self.committed_at is None and not self.ended


class KnownBackfills:
    """The backfills of all scopes."""

    def __init__(self) -> None:
        self._known: dict[BackfillKey, KnownBackfill] = {}

    def open(self, scope_key: int, name: str) -> None:
        """Add a backfill."""
        self._known[scope_key, name] = KnownBackfill()

    def find(self, scope_key: int, name: str) -> KnownBackfill | None:
        """Return a backfill; None when there is none of this name."""
        return self._known.get((scope_key, name))

    def uncommitted_blocks(self) -> list[int]:
        """Return the log positions of blocks that were loaded and have not claimed anything."""
        waiting = (one for one in self._known.values() if one.committed_at is None)
        return [position for one in waiting for position in one.blocks]

    def get(self, scope_key: int, name: str) -> KnownBackfill:
        """Return a backfill that was opened."""
        return self._known[scope_key, name]
