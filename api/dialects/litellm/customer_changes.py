"""What a request makes of a customer and of the budget it names, as one change.

Where a budget member goes: a customer that has set such a limit itself (here, or through another API) keeps its own;
else the budget it names is changed, for everybody who names it; else it gets a budget of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from api.dialects.litellm.budget_fields import (
    BUDGET_MEMBERS,
    PERIOD_FIELDS,
    native_changes,
    own_fields,
    with_own_fields,
)
from api.dialects.litellm.models.requests import NewCustomerRequest, UpdateCustomerRequest
from consumers.commands.budgeted_customers import BudgetedChange, BudgetOf
from domain.customers.fields import LIMITS_AS_ONE
from domain.values.json_numbers import plain_json

_REPLACED: Final = frozenset({"metadata", "model_limits"})
#: The members that stand or fall with the period.
_OF_PERIOD: Final = ("max_budget", "budget_duration", "budget_reset_at")
_NATIVE_OF: Final = {
    "soft_budget": "soft_limit_usd",
    "max_parallel_requests": "parallel_requests_max",
    "tpm_limit": "tokens_per_minute",
    "rpm_limit": "requests_per_minute",
    "model_max_budget": "model_limits",
}


def creation(
    given: NewCustomerRequest, budget_of: BudgetOf, own_budget_id: str, now: datetime, any_duration: bool
) -> BudgetedChange:
    """A new customer: on the budget it names, its own limits over those; or on a budget of its own, if it has limits.

    `budget_of` tells the native fields of budgets; `own_budget_id`: what one of its own is to be called.
    """
    members = {name: value for name, value in given.given.items() if value is not None}
    changes = _profile(members, {})
    if "spend" in members:
        changes["opening_spend_usd"] = members["spend"]
    budget = {name: members[name] for name in BUDGET_MEMBERS if name in members}
    if given.budget_id is not None:
        own = _own_limits(budget, changes, budget_of(given.budget_id), now, any_duration)
        return BudgetedChange({**changes, **own, "budget_id": given.budget_id}, given.blocked, given.budget_id)
    if not budget:
        return BudgetedChange(changes, given.blocked)
    tier = native_changes(budget, {}, now, any_duration)
    return BudgetedChange(
        {**changes, "budget_id": own_budget_id}, given.blocked, own_budget_id, tier, budget_is_new=True
    )


def update(
    given: UpdateCustomerRequest,
    customer: Mapping[str, Any],
    budget_of: BudgetOf,
    own_budget_id: str,
    now: datetime,
    any_duration: bool,
) -> BudgetedChange:
    """A change of a customer with these native fields. `budget_of` and `own_budget_id` as for a creation."""
    sent = given.given
    members = {name: value for name, value in sent.items() if value is not None}
    changes = _profile(members, customer)
    budget = {name: members[name] for name in BUDGET_MEMBERS if name in members}
    tier = budget_of(customer.get("budget_id"))
    present = customer.get("budget_id") if tier is not None else None
    moves_to = given.budget_id if "budget_id" in sent else present
    if "budget_id" in sent and moves_to != customer.get("budget_id"):
        changes["budget_id"] = moves_to
    if not budget:
        return BudgetedChange(changes, given.blocked, given.budget_id, replaced=_REPLACED)
    goes_own = {name: value for name, value in budget.items() if _is_own(name, customer)}
    if moves_to != present or (moves_to is None and _has_own(customer)):
        goes_own = budget
    rest = {name: value for name, value in budget.items() if name not in goes_own}
    if goes_own:
        changes |= _own_limits(goes_own, {**customer, **changes}, budget_of(moves_to), now, any_duration)
    if not rest:
        return BudgetedChange(changes, given.blocked, given.budget_id, replaced=_REPLACED)
    of_tier = native_changes(rest, tier or {}, now, any_duration)
    if moves_to is None:
        named = {**changes, "budget_id": own_budget_id}
        return BudgetedChange(named, given.blocked, own_budget_id, of_tier, budget_is_new=True, replaced=_REPLACED)
    return BudgetedChange(changes, given.blocked, moves_to, of_tier, replaced=_REPLACED)


def _own_limits(
    budget: Mapping[str, Any],
    customer: Mapping[str, Any],
    tier: Mapping[str, Any] | None,
    now: datetime,
    any_duration: bool,
) -> dict[str, Any]:
    """The customer's own limits over those of a budget (None: over none).

    LiteLLM knows one `max_budget`, so the amount that holds is per period or in total as the duration that holds says,
    the budget's too, and later changes of either. Who writes a duration sets the policy of the periods: one that was
    moved by hand is so no more.
    """
    changes = native_changes(budget, customer, now, any_duration, tier or {})
    if changes.keys() & set(PERIOD_FIELDS):
        changes[LIMITS_AS_ONE] = True
    if "budget_duration" in budget:
        changes |= {"period_start": None, "period_end": None}
    return changes


def _is_own(member: str, customer: Mapping[str, Any]) -> bool:
    if member in _OF_PERIOD:
        return any(customer.get(name) is not None for name in (*PERIOD_FIELDS, "period_start", "period_end"))
    if member in _NATIVE_OF:
        return customer.get(_NATIVE_OF[member]) is not None
    return own_fields(customer).get(member) is not None


def _has_own(customer: Mapping[str, Any]) -> bool:
    return any(_is_own(member, customer) for member in BUDGET_MEMBERS)


def _profile(members: Mapping[str, Any], customer: Mapping[str, Any]) -> dict[str, Any]:
    """The native fields of what is said of the customer itself."""
    changes: dict[str, Any] = {}
    for name, native in (("alias", "name"), ("default_model", "default_model")):
        if name in members:
            changes[native] = members[name] or None
    region = members.get("allowed_model_region", members.get("allowed_region"))
    if region is not None:
        changes["allowed_region"] = region
    if "metadata" in members:
        changes["metadata"] = plain_json(members["metadata"])
    kept = dict(own_fields(customer))
    if "models" in members:
        kept["models"] = members["models"] or None
    if "object_permission" in members:
        kept["object_permission"] = plain_json(members["object_permission"]) or None
    return changes | with_own_fields(customer, kept)
