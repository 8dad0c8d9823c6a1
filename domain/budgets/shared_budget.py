"""The shared budget aggregate (a tier): limits that apply to every customer that refers to its id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domain.aggregate import Aggregate, CommandContext
from domain.budgets.events import BudgetCreated, BudgetDeleted, BudgetUpdated
from domain.customers.fields import BUDGET_RULES, checked_changes, with_changes
from domain.errors import AlreadyExists, NotFound
from domain.event import LifecycleEvent
from domain.scope import Scope
from domain.streams import budget_stream
from domain.values.identifiers import checked_id


class SharedBudget(Aggregate):
    """The state of one shared budget id; `fields` are in stored form."""

    def __init__(self, scope: Scope, budget_id: str) -> None:
        super().__init__(budget_stream(scope, checked_id("budget_id", budget_id)))
        self.scope = scope
        self.budget_id = budget_id
        self.exists = False
        self.fields: dict[str, Any] = {}

    def create(self, changes: Mapping[str, Any], context: CommandContext) -> None:
        """Create the budget; `AlreadyExists` when it exists."""
        if self.exists:
            raise AlreadyExists(f"budget {self.budget_id!r} exists already")
        self._emit(BudgetCreated(**self._event_fields(context), fields=checked_changes(BUDGET_RULES, {}, changes)))

    def update(
        self, changes: Mapping[str, Any], context: CommandContext, replaced: frozenset[str] = frozenset()
    ) -> None:
        """Change fields: a present key sets the field, None clears it; no effect when nothing changes."""
        self.check_exists()
        changed = checked_changes(BUDGET_RULES, self.fields, changes, replaced)
        if changed:
            self._emit(BudgetUpdated(**self._event_fields(context), fields=changed))

    def delete(self, context: CommandContext) -> None:
        """Delete the budget; its limits no longer apply to the customers that refer to it."""
        self.check_exists()
        self._emit(BudgetDeleted(**self._event_fields(context)))

    def check_exists(self) -> None:
        """Raise `NotFound` when the budget does not exist."""
        if not self.exists:
            raise NotFound(f"budget {self.budget_id!r} does not exist")

    def apply(self, event: LifecycleEvent) -> None:
        """Apply a budget event."""
        match event:
            case BudgetCreated():
                self.exists = True
                self.fields = with_changes({}, event.fields)
            case BudgetUpdated():
                self.fields = with_changes(self.fields, event.fields)
            case BudgetDeleted():
                self.exists = False
                self.fields = {}
            case _:
                raise self._unexpected_event(event)

    def _event_fields(self, context: CommandContext) -> dict[str, Any]:
        scope = {"tenant": self.scope.tenant, "environment": self.scope.environment}
        return {**self._common_fields(context), **scope, "budget_id": self.budget_id}
