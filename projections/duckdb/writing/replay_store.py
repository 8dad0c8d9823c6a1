"""A fold store for a replay in one pass: a rebuild store whose checkpoints stay, so that it goes on after a kill."""

from __future__ import annotations

from projections.duckdb.writing.rebuild_store import RebuildStore


class ReplayStore(RebuildStore):
    """A `RebuildStore` in which everything is whole at each checkpoint: opened again, it goes on from there."""

    def durable_position(self) -> int:
        """Return the position up to which everything is in the file: that is kept after a crash."""
        return super(RebuildStore, self).durable_position()

    def commit_held(self) -> None:
        """Commit what is held back, with the pending day deltas, which a checkpoint has to write too."""
        if self._rebuilding:
            self.begin()
            self._add_pending_days()
        super().commit_held()
