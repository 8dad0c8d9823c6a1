"""Meter commands: create, update and delete."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from consumers.commands.handler import CommandHandler, CommandResult
from domain.event import Provenance
from domain.meters.meter import Meter
from domain.scope import Scope


class MeterCommands(CommandHandler):
    """Commands about meters. Each raises `InvalidInput` for invalid values; update and delete raise `NotFound`."""

    def create_meter(
        self, scope: Scope, code: str, fields: Mapping[str, Any], provenance: Provenance
    ) -> CommandResult[Meter]:
        """Create a meter. Raises `AlreadyExists` when the code is taken."""
        return self._execute(partial(Meter, scope, code), lambda meter: meter.create(fields, self._context(provenance)))

    def update_meter(
        self, scope: Scope, code: str, changes: Mapping[str, Any], provenance: Provenance
    ) -> CommandResult[Meter]:
        """Change the name, description or groups of a meter."""
        return self._execute(
            partial(Meter, scope, code), lambda meter: meter.update(changes, self._context(provenance))
        )

    def delete_meter(self, scope: Scope, code: str, provenance: Provenance) -> CommandResult[Meter]:
        """Delete a meter."""
        return self._execute(partial(Meter, scope, code), lambda meter: meter.delete(self._context(provenance)))
