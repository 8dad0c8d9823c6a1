"""Commands about shared budgets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from consumers.commands.handler import CommandHandler, CommandResult
from domain.budgets.shared_budget import SharedBudget
from domain.event import Provenance
from domain.scope import Scope


class BudgetCommands(CommandHandler):
    """Each raises `InvalidInput` for values that break a rule; update and delete raise `NotFound`."""

    def create_budget(
        self, scope: Scope, budget_id: str, fields: Mapping[str, Any], provenance: Provenance
    ) -> CommandResult[SharedBudget]:
        """`AlreadyExists` when the id is taken."""
        return self._carry_out(
            partial(SharedBudget, scope, budget_id), lambda budget: budget.create(fields, self._occasion(provenance))
        )

    def update_budget(
        self,
        scope: Scope,
        budget_id: str,
        changes: Mapping[str, Any],
        provenance: Provenance,
        replaced: frozenset[str] = frozenset(),
    ) -> CommandResult[SharedBudget]:
        """Set the fields named in `changes`, clear those that are None; `model_limits` as for customers."""
        return self.change_budget(scope, budget_id, lambda fields: changes, provenance, replaced)

    def change_budget(
        self,
        scope: Scope,
        budget_id: str,
        decide: Callable[[Mapping[str, Any]], Mapping[str, Any]],
        provenance: Provenance,
        replaced: frozenset[str] = frozenset(),
    ) -> CommandResult[SharedBudget]:
        """Update by what `decide` makes of the stored fields as they are when the change is made.

        What `decide` raises is raised here, and nothing happened. It is asked again when another process came between.
        """

        def change(budget: SharedBudget) -> None:
            budget.check_exists()
            budget.update(decide(budget.fields), self._occasion(provenance), replaced)

        return self._carry_out(partial(SharedBudget, scope, budget_id), change)

    def delete_budget(self, scope: Scope, budget_id: str, provenance: Provenance) -> CommandResult[SharedBudget]:
        return self._carry_out(
            partial(SharedBudget, scope, budget_id), lambda budget: budget.delete(self._occasion(provenance))
        )
