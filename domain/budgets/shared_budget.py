"""A shared budget (a tier): limits that customers take on by naming it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domain.aggregate import Aggregate, Occasion
from domain.budgets.events import BudgetCreated, BudgetDeleted, BudgetUpdated
from domain.customers.fields import BUDGET_RULES, checked_changes, with_changes
from domain.errors import AlreadyExists, NotFound
from domain.event import LifecycleEvent
from domain.scope import Scope
from domain.streams import budget_stream
from domain.values.identifiers import checked_id


class SharedBudget(Aggregate):
    """The state of one shared budget id; `fields` as stored."""

    def __init__(self, scope: Scope, budget_id: str) -> None:
        super().__init__(budget_stream(scope, checked_id("budget_id", budget_id)))
        self.scope = scope
        self.budget_id = budget_id
        self.exists = False
        self.fields: dict[str, Any] = {}

    def create(self, changes: Mapping[str, Any], occasion: Occasion) -> None:
        """`AlreadyExists` when it is there."""
        if self.exists:
            raise AlreadyExists(f"budget {self.budget_id!r} exists")
        self._give(BudgetCreated(**self._about(occasion), fields=checked_changes(BUDGET_RULES, {}, changes)))

    def update(self, changes: Mapping[str, Any], occasion: Occasion, replaced: frozenset[str] = frozenset()) -> None:
        """Change fields: a key that is present sets, None clears. Nothing happens when nothing changes."""
        self.check_exists()
        changed = checked_changes(BUDGET_RULES, self.fields, changes, replaced)
        if changed:
            self._give(BudgetUpdated(**self._about(occasion), fields=changed))

    def delete(self, occasion: Occasion) -> None:
        """Its limits hold no longer for the customers that name it."""
        self.check_exists()
        self._give(BudgetDeleted(**self._about(occasion)))

    def check_exists(self) -> None:
        """`NotFound` when it is not there."""
        if not self.exists:
            raise NotFound(f"budget {self.budget_id!r} does not exist")

    def apply(self, event: LifecycleEvent) -> None:
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
                raise self._foreign(event)

    def _about(self, occasion: Occasion) -> dict[str, Any]:
        scope = {"tenant": self.scope.tenant, "environment": self.scope.environment}
        return {**self._place(occasion), **scope, "budget_id": self.budget_id}
