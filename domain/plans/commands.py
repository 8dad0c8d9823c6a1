"""Commands about plans: create, update, delete."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from domain.aggregate import CommandContext
from domain.command import EffectiveDatedCommand, SealOf
from domain.plans.plan import Plan


class PlanCommand(EffectiveDatedCommand[Plan], frozen=True):
    """A command about one plan."""

    code: str

    def blank(self, seal_of: SealOf) -> Plan:
        """Return the plan without any events."""
        return Plan(self.scope, self.code)


class CreatePlan(PlanCommand, frozen=True):
    """Create a plan. `AlreadyExists` when the code is taken."""

    fields: Mapping[str, Any]

    def apply(self, aggregate: Plan, context: CommandContext) -> None:
        """Create the plan with its fields."""
        aggregate.create(self.fields, context)


class UpdatePlan(PlanCommand, frozen=True):
    """Change the name, description or charges of a plan. `read`: see `DefinedAggregate.check_read`."""

    changes: Mapping[str, Any]
    read: Mapping[str, Any] = msgspec.field(default_factory=dict)

    def apply(self, aggregate: Plan, context: CommandContext) -> None:
        """Change fields; no effect when nothing changes."""
        aggregate.check_read(self.read, context)
        aggregate.update(self.changes, context)


class DeletePlan(PlanCommand, frozen=True):
    """Delete a plan."""

    def apply(self, aggregate: Plan, context: CommandContext) -> None:
        """Delete the plan; its subscriptions have no charges from then on."""
        aggregate.delete(context)
