"""Commands about correction runs: open, commit, revert."""

from __future__ import annotations

from domain.aggregate import CommandContext
from domain.command import AggregateCommand, SealOf
from domain.correction_runs.correction_run import CorrectionRun
from domain.correction_runs.event_filter import CorrectedEvents
from domain.correction_runs.events import CorrectionAction
from domain.correction_runs.set_members import SetMembers


class CorrectionRunCommand(AggregateCommand[CorrectionRun], frozen=True):
    """A command about one correction run."""

    name: str

    def blank(self, seal_of: SealOf) -> CorrectionRun:
        """Return the run without any events."""
        return CorrectionRun(self.scope, self.name)


class OpenCorrectionRun(CorrectionRunCommand, frozen=True):
    """Name a run, with its action and its filter. It changes no number. `members`: what one that amends sets."""

    action: CorrectionAction
    filter: CorrectedEvents
    members: SetMembers | None = None

    def apply(self, aggregate: CorrectionRun, context: CommandContext) -> None:
        """Open the run; `AlreadyExists` when the name is taken."""
        aggregate.open(self.action, self.filter, self.members, context)


class CommitCorrectionRun(CorrectionRunCommand, frozen=True):
    """Correct the events of the filter as they were previewed at a log position."""

    previewed_at: int

    def apply(self, aggregate: CorrectionRun, context: CommandContext) -> None:
        """Commit; no effect when it is committed already."""
        aggregate.commit(self.previewed_at, context)


class RevertCorrectionRun(CorrectionRunCommand, frozen=True):
    """Undo what the run did."""

    def apply(self, aggregate: CorrectionRun, context: CommandContext) -> None:
        """Revert; no effect when it is reverted already."""
        aggregate.revert(context)
