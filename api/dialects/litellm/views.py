"""Customers and budgets as LiteLLM shows them: plain JSON objects, money as floats, nothing left out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final
from uuid import NAMESPACE_OID, uuid5
from zoneinfo import ZoneInfo

from api.dialects.litellm.budget_fields import own_fields, shown_limits
from domain.budgets.access import BudgetLimits, budget_policy, effective_budget
from domain.values.periods import period_containing
from projections.views.budget_list import BudgetedCustomer
from projections.views.shared_budgets import SharedBudgetView

#: Who LiteLLM says made a budget that was made with its first key.
MAKER: Final = "default_user_id"
#: Relations of a budget row; it never tells them.
_RELATIONS: Final = (
    "organization",
    "projects",
    "keys",
    "end_users",
    "tags",
    "model_access_groups",
    "team_membership",
    "organization_membership",
)
_NOT_KEPT: Final[dict[str, Any]] = {"allowed_models": [], "temp_budget_increase": None, "temp_budget_expiry": None}
_UTC_ZONE: Final = ZoneInfo("UTC")


def customer_object(customer: BudgetedCustomer, with_budget: bool = True) -> dict[str, Any]:
    """One customer with the budget that holds for it: its own limits over those of the one it names."""
    view, kept = customer.view, own_fields(customer.view.fields)
    permission = kept.get("object_permission")
    permission_id = None if permission is None else str(uuid5(NAMESPACE_OID, view.customer_id))
    shown: dict[str, Any] = {
        "user_id": view.customer_id,
        "blocked": view.blocked,
        "alias": view.fields.get("name"),
        "spend": float(customer.spent_usd),
        "allowed_model_region": view.fields.get("allowed_region"),
        "default_model": view.fields.get("default_model"),
        "models": kept.get("models") or [],
        "budget_id": None if customer.tier is None else customer.tier.budget_id,
        "litellm_budget_table": _budget_table(customer) if with_budget else None,
        "object_permission_id": permission_id,
        "object_permission": None if permission is None else {"object_permission_id": permission_id, **permission},
    }
    if view.fields.get("metadata"):
        shown["metadata"] = view.fields["metadata"]
    return shown


def _budget_table(customer: BudgetedCustomer) -> dict[str, Any] | None:
    tier, view = customer.tier, customer.view
    if tier is None and customer.limits == BudgetLimits():
        return None
    kept = {**({} if tier is None else own_fields(tier.fields)), **own_fields(view.fields)}
    created_at = view.created_at or view.first_seen_at if tier is None else tier.created_at
    return {
        "budget_id": None if tier is None else tier.budget_id,
        **shown_limits(customer.limits, kept),
        **_NOT_KEPT,
        "budget_reset_at": None if customer.period is None else shown_instant(customer.period.end),
        "created_at": shown_instant(created_at or view.life.span.start),
    }


def budget_row(budget: SharedBudgetView, now: datetime) -> dict[str, Any]:
    """One shared budget."""
    limits = effective_budget(budget.fields, {})
    policy = budget_policy(limits, _UTC_ZONE, budget.created_at)
    members = shown_limits(limits, own_fields(budget.fields))
    return {
        "budget_id": budget.budget_id,
        "max_budget": members.pop("max_budget"),
        **members,
        "budget_reset_at": None if policy is None else shown_instant(period_containing(policy, now).end),
        **_NOT_KEPT,
        "created_at": shown_instant(budget.created_at),
        "created_by": MAKER,
        "updated_at": shown_instant(budget.updated_at),
        "updated_by": MAKER,
        **dict.fromkeys(_RELATIONS),
    }


def shown_instant(instant: datetime) -> str:
    """RFC 3339, UTC; microseconds only where there are some."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
