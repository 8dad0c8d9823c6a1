"""Shared budget commands: create, update and delete."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from consumers.commands.handler import CommandHandler, CommandResult
from domain.budgets.shared_budget import SharedBudget
from domain.event import Provenance
from domain.scope import Scope


class BudgetCommands(CommandHandler):
    """Commands about shared budgets. Each raises `InvalidInput` for invalid values, all but create raise `NotFound`."""

    def create_budget(
        self, scope: Scope, budget_id: str, fields: Mapping[str, Any], provenance: Provenance
    ) -> CommandResult[SharedBudget]:
        """Create a shared budget. Raises `AlreadyExists` when the id is taken."""
        return self._execute(
            partial(SharedBudget, scope, budget_id), lambda budget: budget.create(fields, self._context(provenance))
        )

    def update_budget(
        self,
        scope: Scope,
        budget_id: str,
        changes: Mapping[str, Any],
        provenance: Provenance,
        replaced: frozenset[str] = frozenset(),
    ) -> CommandResult[SharedBudget]:
        """Set the fields named in `changes` and clear those that are None; `model_limits` as for customers."""
        return self.change_budget(scope, budget_id, lambda fields: changes, provenance, replaced)

    def change_budget(
        self,
        scope: Scope,
        budget_id: str,
        decide: Callable[[Mapping[str, Any]], Mapping[str, Any]],
        provenance: Provenance,
        replaced: frozenset[str] = frozenset(),
    ) -> CommandResult[SharedBudget]:
        """Update with the changes that `decide` computes from the fields as they are at that moment.

        What `decide` raises is raised here, and nothing is written. It is called again when another process wrote in
        between.
        """

        def change(budget: SharedBudget) -> None:
            budget.check_exists()
            budget.update(decide(budget.fields), self._context(provenance), replaced)

        return self._execute(partial(SharedBudget, scope, budget_id), change)

    def delete_budget(self, scope: Scope, budget_id: str, provenance: Provenance) -> CommandResult[SharedBudget]:
        """Delete a shared budget."""
        return self._execute(
            partial(SharedBudget, scope, budget_id), lambda budget: budget.delete(self._context(provenance))
        )
