"""The shared budget aggregate (a tier): limits that apply to every customer that refers to its id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domain.aggregate import CommandContext
from domain.budgets.events import BudgetCreated, BudgetDeleted, BudgetUpdated
from domain.customers.fields import BUDGET_RULES, check_state, checked_fields, patched_fields, with_whole_maps
from domain.errors import AlreadyExists, NotFound
from domain.event import LifecycleEvent
from domain.facts.aggregate import EffectiveDatedAggregate, check_deletion
from domain.scope import Scope
from domain.streams import budget_stream
from domain.values.identifiers import checked_id


class SharedBudget(EffectiveDatedAggregate):
    """The state of one shared budget id. It exists from the effective instant of its creation on."""

    def __init__(self, scope: Scope, budget_id: str) -> None:
        super().__init__(budget_stream(scope, checked_id("budget_id", budget_id)))
        self.scope = scope
        self.budget_id = budget_id

    def create(self, changes: Mapping[str, Any], context: CommandContext) -> None:
        """Create the budget; `AlreadyExists` when it exists."""
        if self.alive:
            raise AlreadyExists(f"budget {self.budget_id!r} exists already")
        fields = checked_fields(BUDGET_RULES, with_whole_maps(changes))
        fields = {name: value for name, value in fields.items() if value is not None}
        check_state(BUDGET_RULES, fields, fields)
        self._emit(BudgetCreated(**self._event_fields(context), fields=fields))

    def update(
        self, changes: Mapping[str, Any], context: CommandContext, replaced: frozenset[str] = frozenset()
    ) -> None:
        """Change fields: a present key sets the field, None clears it. Maps are patched unless they are in `replaced`.

        No effect when nothing changes and the command names no instant.
        """
        self.check_exists()
        patched = patched_fields(changes, replaced)
        fields = checked_fields(BUDGET_RULES, changes, patched)
        after = self._timeline_with(fields, patched, context)
        if after is None:
            return
        for state in after.since(self.effective(context)):
            check_state(BUDGET_RULES, state, fields)
        self._emit(BudgetUpdated(**self._event_fields(context), fields=fields, patched=patched))

    def delete(self, context: CommandContext) -> None:
        """Delete the budget, not in the future; its limits no longer apply to the customers that refer to it."""
        self.check_exists()
        check_deletion(context)
        self._emit(BudgetDeleted(**self._event_fields(context)))

    def check_exists(self) -> None:
        """Raise `NotFound` when the budget does not exist."""
        if not self.alive:
            raise NotFound(f"budget {self.budget_id!r} does not exist")

    def apply(self, event: LifecycleEvent) -> None:
        """Apply a budget event."""
        match event:
            case BudgetCreated():
                self._apply_creation(event, event.fields)
            case BudgetUpdated():
                self._apply_fact(event, event.fields, event.patched)
            case BudgetDeleted():
                self._apply_deletion(event)
            case _:
                raise self._unexpected_event(event)

    def _event_fields(self, context: CommandContext) -> dict[str, Any]:
        scope = {"tenant": self.scope.tenant, "environment": self.scope.environment}
        return {**self._common_fields(context, self.effective(context)), **scope, "budget_id": self.budget_id}
