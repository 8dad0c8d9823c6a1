"""Commands about re-pricing runs: open, commit, revert."""

from __future__ import annotations

from domain.aggregate import CommandContext
from domain.command import AggregateCommand, SealOf
from domain.repricings.repricing import Repricing
from domain.repricings.repricing_range import RepricingRange


class RepricingCommand(AggregateCommand[Repricing], frozen=True):
    """A command about one re-pricing run."""

    name: str

    def blank(self, seal_of: SealOf) -> Repricing:
        """Return the run without any events."""
        return Repricing(self.scope, self.name)


class OpenRepricing(RepricingCommand, frozen=True):
    """Name a run, with its range. It changes no number."""

    range: RepricingRange

    def apply(self, aggregate: Repricing, context: CommandContext) -> None:
        """Open the run; `AlreadyExists` when the name is taken."""
        aggregate.open(self.range, context)


class CommitRepricing(RepricingCommand, frozen=True):
    """Give the range the costs that were previewed at a log position."""

    previewed_at: int

    def apply(self, aggregate: Repricing, context: CommandContext) -> None:
        """Commit; no effect when it is committed already."""
        aggregate.commit(self.previewed_at, context)


class RevertRepricing(RepricingCommand, frozen=True):
    """Give the range the costs that it had before the run."""

    def apply(self, aggregate: Repricing, context: CommandContext) -> None:
        """Revert; no effect when it is reverted already."""
        aggregate.revert(context)
