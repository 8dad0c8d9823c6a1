"""Commands that correct usage: void an event, restore a voided one. `domain.log.amendments` has the one that amends."""

from __future__ import annotations

from domain.aggregate import CommandContext
from domain.command import AggregateCommand, SealOf
from domain.corrections.correction import Correction
from domain.corrections.replacement import Replacement


class CorrectionCommand(AggregateCommand[Correction], frozen=True):
    """A command about one usage event, which need not have arrived."""

    source: str
    event_id: str

    def blank(self, seal_of: SealOf) -> Correction:
        """Return the correction without any events."""
        return Correction(self.scope, self.source, self.event_id)


class VoidUsage(CorrectionCommand, frozen=True):
    """Void a usage event, whether it has arrived or not.

    `after_run`: a correction run was the last to void or restore the event, so it is recorded in any case.
    """

    after_run: bool = False

    def apply(self, aggregate: Correction, context: CommandContext) -> None:
        """Void; no effect when voided already."""
        aggregate.void(context, self.after_run)


class RestoreUsage(CorrectionCommand, frozen=True):
    """Restore a voided event, so that it counts again. `after_run`: as of `VoidUsage`."""

    after_run: bool = False

    def apply(self, aggregate: Correction, context: CommandContext) -> None:
        """Restore; no effect when not voided."""
        aggregate.restore(context, self.after_run)


class ReplaceUsage(AggregateCommand[Replacement], frozen=True):
    """Amend counted events, each to be the event that was received as a conflict with it; both by their locators."""

    counted: tuple[int, ...]
    received: tuple[int, ...]

    def blank(self, seal_of: SealOf) -> Replacement:
        """Return the replacement without any events."""
        return Replacement(self.scope, self.received[0])

    def apply(self, aggregate: Replacement, context: CommandContext) -> None:
        """Replace; no effect when it was done already."""
        aggregate.replace(self.counted, self.received, context)
