"""Commands that correct usage: void an event, restore a voided one. `domain.log.amendments` has the one that amends."""

from __future__ import annotations

from domain.aggregate import CommandContext
from domain.command import AggregateCommand, SealOf
from domain.corrections.correction import Correction


class CorrectionCommand(AggregateCommand[Correction], frozen=True):
    """A command about one usage event, which need not have arrived."""

    source: str
    event_id: str

    def blank(self, seal_of: SealOf) -> Correction:
        """Return the correction without any events."""
        return Correction(self.scope, self.source, self.event_id)


class VoidUsage(CorrectionCommand, frozen=True):
    """Void a usage event, whether it has arrived or not."""

    def apply(self, aggregate: Correction, context: CommandContext) -> None:
        """Void; no effect when voided already."""
        aggregate.void(context)


class RestoreUsage(CorrectionCommand, frozen=True):
    """Restore a voided event, so that it counts again."""

    def apply(self, aggregate: Correction, context: CommandContext) -> None:
        """Restore; no effect when not voided."""
        aggregate.restore(context)
