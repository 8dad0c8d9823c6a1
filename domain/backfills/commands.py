"""Commands about backfills: open, commit, revert, cancel. Events are loaded by the intake, not by a command."""

from __future__ import annotations

from domain.aggregate import CommandContext
from domain.backfills.backfill_range import BackfillMode, BackfillRange
from domain.backfills.backfills import Backfills
from domain.command import AggregateCommand, SealOf


class BackfillCommand(AggregateCommand[Backfills], frozen=True):
    """A command about one backfill."""

    name: str

    def blank(self, seal_of: SealOf) -> Backfills:
        """Return the backfills of the scope without any events."""
        return Backfills(self.scope)


class OpenBackfill(BackfillCommand, frozen=True):
    """Name a backfill, with its range. It changes no number."""

    range: BackfillRange
    mode: BackfillMode

    def apply(self, aggregate: Backfills, context: CommandContext) -> None:
        """Open the backfill; `AlreadyExists` when the name is taken, refused while another open one overlaps."""
        aggregate.open(self.name, self.range, self.mode, context)


class CommitBackfill(BackfillCommand, frozen=True):
    """Count what was loaded, as previewed at a log position, when `blocks` blocks were loaded."""

    previewed_at: int
    blocks: int

    def apply(self, aggregate: Backfills, context: CommandContext) -> None:
        """Commit; no effect when it is committed already."""
        aggregate.commit(self.name, self.previewed_at, self.blocks, context)


class RevertBackfill(BackfillCommand, frozen=True):
    """Take a committed backfill back."""

    def apply(self, aggregate: Backfills, context: CommandContext) -> None:
        """Revert; no effect when it is reverted already, refused while a later one overlaps."""
        aggregate.revert(self.name, context)


class CancelBackfill(BackfillCommand, frozen=True):
    """Give an open backfill up."""

    def apply(self, aggregate: Backfills, context: CommandContext) -> None:
        """Cancel; no effect when it is cancelled already, refused once it is committed."""
        aggregate.cancel(self.name, context)
