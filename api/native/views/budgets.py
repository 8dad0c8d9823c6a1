"""Shared budgets as the native API shows them."""

from __future__ import annotations

from datetime import datetime

from api.native.models.budgets import BudgetView
from api.native.views.stored_fields import decimal_of, instant_in
from domain.scope import Scope
from projections.queries.snapshot import Snapshot
from projections.views.budgets import shared_budget


def budget_view(snapshot: Snapshot, scope: Scope, budget_id: str, now: datetime) -> BudgetView | None:
    """The shared budget as it is now; None when there is none with this id."""
    budget = shared_budget(budget_id, snapshot.facts(scope, "budget", budget_id), now)
    if budget is None:
        return None
    fields = budget.fields
    return BudgetView(
        position=snapshot.point().position,
        now=now,
        id=budget_id,
        created_at=budget.created_at,
        updated_at=budget.updated_at,
        name=fields.get("name"),
        period_limit_usd=decimal_of(fields, "period_limit_usd"),
        total_limit_usd=decimal_of(fields, "total_limit_usd"),
        soft_limit_usd=decimal_of(fields, "soft_limit_usd"),
        model_limits=fields.get("model_limits") or {},
        duration=fields.get("budget_duration"),
        alignment=fields.get("budget_alignment"),
        anchor=instant_in(fields, "budget_anchor"),
        requests_per_minute=fields.get("requests_per_minute"),
        tokens_per_minute=fields.get("tokens_per_minute"),
        parallel_requests_max=fields.get("parallel_requests_max"),
    )
