"""Commands about shared budgets: create, update, delete."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from domain.aggregate import CommandContext
from domain.budgets.shared_budget import SharedBudget
from domain.command import EffectiveDatedCommand, SealOf


class BudgetCommand(EffectiveDatedCommand[SharedBudget], frozen=True):
    """A command about one shared budget."""

    budget_id: str

    def blank(self, seal_of: SealOf) -> SharedBudget:
        """Return the budget without any events."""
        return SharedBudget(self.scope, self.budget_id)


class CreateBudget(BudgetCommand, frozen=True):
    """Create a shared budget. `AlreadyExists` when the id is taken."""

    fields: Mapping[str, Any] = {}

    def apply(self, aggregate: SharedBudget, context: CommandContext) -> None:
        """Create the budget with its fields."""
        aggregate.create(self.fields, context)


class UpdateBudget(BudgetCommand, frozen=True):
    """Set the fields named in `changes` and clear those that are None; `replaced` as for customers."""

    changes: Mapping[str, Any] = {}
    replaced: frozenset[str] = frozenset()

    def apply(self, aggregate: SharedBudget, context: CommandContext) -> None:
        """Change fields; no effect when nothing changes."""
        aggregate.update(self.changes, context, self.replaced)


class UpdateBudgetBy(BudgetCommand, frozen=True):
    """Update with the changes that `decide` computes from the fields as they are at that moment.

    `decide` is a pure function; what it raises refuses the command. It is not called for a budget that does not exist.
    """

    decide: Callable[[Mapping[str, Any]], Mapping[str, Any]]
    replaced: frozenset[str] = frozenset()

    def apply(self, aggregate: SharedBudget, context: CommandContext) -> None:
        """Compute the changes, and update."""
        aggregate.check_exists()
        aggregate.update(self.decide(aggregate.state_for(context)), context, self.replaced)


class DeleteBudget(BudgetCommand, frozen=True):
    """Delete a shared budget."""

    def apply(self, aggregate: SharedBudget, context: CommandContext) -> None:
        """Delete the budget; its limits no longer apply."""
        aggregate.delete(context)
