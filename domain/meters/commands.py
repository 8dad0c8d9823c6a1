"""Commands about meters: create, update, delete."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domain.aggregate import CommandContext
from domain.command import EffectiveDatedCommand, SealOf
from domain.meters.meter import Meter


class MeterCommand(EffectiveDatedCommand[Meter], frozen=True):
    """A command about one custom meter."""

    code: str

    def blank(self, seal_of: SealOf) -> Meter:
        """Return the meter without any events."""
        return Meter(self.scope, self.code)


class CreateMeter(MeterCommand, frozen=True):
    """Create a meter. `AlreadyExists` when the code is taken."""

    fields: Mapping[str, Any]

    def apply(self, aggregate: Meter, context: CommandContext) -> None:
        """Create the meter with its definition."""
        aggregate.create(self.fields, context)


class UpdateMeter(MeterCommand, frozen=True):
    """Change the name, description or groups of a meter."""

    changes: Mapping[str, Any]

    def apply(self, aggregate: Meter, context: CommandContext) -> None:
        """Change fields; no effect when nothing changes."""
        aggregate.update(self.changes, context)


class DeleteMeter(MeterCommand, frozen=True):
    """Delete a meter."""

    def apply(self, aggregate: Meter, context: CommandContext) -> None:
        """Delete the meter; the events that it counted stay."""
        aggregate.delete(context)
