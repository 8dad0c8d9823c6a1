"""Usage correction commands: void an event, and restore a voided one."""

from __future__ import annotations

from functools import partial

from consumers.commands.handler import CommandHandler, CommandResult
from domain.corrections.correction import Correction
from domain.event import Provenance
from domain.scope import Scope


class CorrectionCommands(CommandHandler):
    """Commands that correct usage. Each raises `InvalidInput` for invalid values."""

    def void_usage(self, scope: Scope, source: str, event_id: str, provenance: Provenance) -> CommandResult[Correction]:
        """Void a usage event, whether it has arrived or not."""
        return self._execute(
            partial(Correction, scope, source, event_id), lambda one: one.void(self._context(provenance))
        )

    def restore_usage(
        self, scope: Scope, source: str, event_id: str, provenance: Provenance
    ) -> CommandResult[Correction]:
        """Restore a voided event, so that it counts again."""
        return self._execute(
            partial(Correction, scope, source, event_id), lambda one: one.restore(self._context(provenance))
        )
