"""Shared budgets (tiers), derived from their facts. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from domain.budgets.events import BUDGET_CREATED, BUDGET_DELETED
from projections.queries.facts import Fact
from projections.views.customers import in_effect_order, with_fact


class SharedBudgetView(msgspec.Struct, frozen=True):
    """A shared budget at an instant. `fields`: those that are set (decimals and instants as text)."""

    budget_id: str
    created_at: datetime
    updated_at: datetime
    fields: Mapping[str, Any]


def shared_budget(budget_id: str, facts: Sequence[Fact], now: datetime) -> SharedBudgetView | None:
    """The budget at `now`; None when it does not exist then."""
    view: SharedBudgetView | None = None
    for fact in in_effect_order(facts):
        if fact.effective_at > now:
            break
        if fact.kind == BUDGET_DELETED:
            view = None
        elif view is None or fact.kind == BUDGET_CREATED:
            view = SharedBudgetView(budget_id, fact.effective_at, fact.effective_at, with_fact({}, fact))
        else:
            view = SharedBudgetView(budget_id, view.created_at, fact.effective_at, with_fact(view.fields, fact))
    return view


def tier_fields_at(facts: Sequence[Fact], instant: datetime) -> Mapping[str, Any] | None:
    """The fields that are set at an instant; None when the budget does not exist then."""
    view = shared_budget("", facts, instant)
    return None if view is None else view.fields
