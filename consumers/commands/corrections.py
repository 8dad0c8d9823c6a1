"""Commands that correct usage: void an event, and restore a voided one."""

from __future__ import annotations

from functools import partial

from consumers.commands.handler import CommandHandler, CommandResult
from domain.corrections.correction import Correction
from domain.event import Provenance
from domain.scope import Scope


class CorrectionCommands(CommandHandler):
    """Each raises `InvalidInput` for values that break a rule."""

    def void_usage(self, scope: Scope, source: str, event_id: str, provenance: Provenance) -> CommandResult[Correction]:
        """Make an event count for nothing, be it there or still to come."""
        return self._carry_out(
            partial(Correction, scope, source, event_id), lambda one: one.void(self._occasion(provenance))
        )

    def restore_usage(
        self, scope: Scope, source: str, event_id: str, provenance: Provenance
    ) -> CommandResult[Correction]:
        """Take a void back."""
        return self._carry_out(
            partial(Correction, scope, source, event_id), lambda one: one.restore(self._occasion(provenance))
        )
