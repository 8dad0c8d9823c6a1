"""Events of shared budgets.

In `fields` a present key was set, or cleared if its value is null; an absent key was not changed. A map that `patched`
names was merged (see `domain.facts.operations`).
"""

from __future__ import annotations

from typing import Any, Final

from domain.event import LifecycleEvent

#: Topics of these events in the log, which never change.
BUDGET_CREATED: Final = "budget.created"
BUDGET_UPDATED: Final = "budget.updated"
BUDGET_DELETED: Final = "budget.deleted"


class BudgetEvent(LifecycleEvent, frozen=True, kw_only=True):
    """An event of a shared budget (a tier): limits that customers refer to by id, each with its own spending."""

    tenant: str
    environment: str
    budget_id: str


class BudgetCreated(BudgetEvent, frozen=True, kw_only=True):
    """A shared budget was created."""

    fields: dict[str, Any]


class BudgetUpdated(BudgetEvent, frozen=True, kw_only=True):
    """Fields of a shared budget were set or cleared, maps patched."""

    fields: dict[str, Any]
    patched: tuple[str, ...] = ()


class BudgetDeleted(BudgetEvent, frozen=True, kw_only=True):
    """A shared budget was deleted; its limits no longer apply to the customers that refer to it."""
