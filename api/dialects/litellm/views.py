"""Customers and budgets as LiteLLM shows them: JSON objects with every member present and money as floats."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final
from uuid import NAMESPACE_OID, uuid5
from zoneinfo import ZoneInfo

from api.dialects.litellm.budget_fields import dialect_only_fields, shown_limits
from domain.budgets.limits import BudgetLimits, budget_policy, effective_budget
from domain.values.periods import period_containing
from projections.views.budget_list import BudgetedCustomer
from projections.views.budgets import SharedBudgetView

#: The user that LiteLLM shows as the creator of a budget made with its master key.
CREATED_BY: Final = "default_user_id"
#: Relations of a budget row, which LiteLLM always shows as null.
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
    """Convert a customer to its JSON object, with the budget in effect: its own limits over those of its tier."""
    view, kept = customer.view, dialect_only_fields(customer.view.fields)
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
    kept = {**({} if tier is None else dialect_only_fields(tier.fields)), **dialect_only_fields(view.fields)}
    created_at = view.created_at or view.first_seen_at if tier is None else tier.created_at
    return {
        "budget_id": None if tier is None else tier.budget_id,
        **shown_limits(customer.limits, kept),
        **_NOT_KEPT,
        "budget_reset_at": None if customer.period is None else shown_instant(customer.period.end),
        "created_at": shown_instant(created_at or view.life.span.start),
    }


def budget_row(budget: SharedBudgetView, now: datetime) -> dict[str, Any]:
    """Convert a shared budget to its JSON object."""
    limits = effective_budget(budget.fields, {})
    policy = budget_policy(limits, _UTC_ZONE, budget.created_at)
    members = shown_limits(limits, dialect_only_fields(budget.fields))
    return {
        "budget_id": budget.budget_id,
        "max_budget": members.pop("max_budget"),
        **members,
        "budget_reset_at": None if policy is None else shown_instant(period_containing(policy, now).end),
        **_NOT_KEPT,
        "created_at": shown_instant(budget.created_at),
        "created_by": CREATED_BY,
        "updated_at": shown_instant(budget.updated_at),
        "updated_by": CREATED_BY,
        **dict.fromkeys(_RELATIONS),
    }


def shown_instant(instant: datetime) -> str:
    """Format an instant as RFC 3339 in UTC, with microseconds only where they are not 0."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
