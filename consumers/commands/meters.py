"""Commands about meters."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from consumers.commands.handler import CommandHandler, CommandResult
from domain.event import Provenance
from domain.meters.meter import Meter
from domain.scope import Scope


class MeterCommands(CommandHandler):
    """Each raises `InvalidInput` for values that break a rule; update and delete raise `NotFound`."""

    def create_meter(
        self, scope: Scope, code: str, fields: Mapping[str, Any], provenance: Provenance
    ) -> CommandResult[Meter]:
        """`AlreadyExists` when the code is taken."""
        return self._carry_out(
            partial(Meter, scope, code), lambda meter: meter.create(fields, self._occasion(provenance))
        )

    def update_meter(
        self, scope: Scope, code: str, changes: Mapping[str, Any], provenance: Provenance
    ) -> CommandResult[Meter]:
        """Change name, description or groups."""
        return self._carry_out(
            partial(Meter, scope, code), lambda meter: meter.update(changes, self._occasion(provenance))
        )

    def delete_meter(self, scope: Scope, code: str, provenance: Provenance) -> CommandResult[Meter]:
        return self._carry_out(partial(Meter, scope, code), lambda meter: meter.delete(self._occasion(provenance)))
