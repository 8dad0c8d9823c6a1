"""Events of shared budgets.

`fields` maps: a key that is present was set, to null when it was cleared; an absent key was left alone.
"""

from __future__ import annotations

from typing import Any, Final

from domain.event import LifecycleEvent

#: Topics of these events in the log, which never change.
BUDGET_CREATED: Final = "budget.created"
BUDGET_UPDATED: Final = "budget.updated"
BUDGET_DELETED: Final = "budget.deleted"


class BudgetEvent(LifecycleEvent, frozen=True, kw_only=True):
    """A shared budget (a tier): a template of limits that customers name by id; each has its own spending."""

    tenant: str
    environment: str
    budget_id: str


class BudgetCreated(BudgetEvent, frozen=True, kw_only=True):
    fields: dict[str, Any]


class BudgetUpdated(BudgetEvent, frozen=True, kw_only=True):
    fields: dict[str, Any]


class BudgetDeleted(BudgetEvent, frozen=True, kw_only=True): ...
