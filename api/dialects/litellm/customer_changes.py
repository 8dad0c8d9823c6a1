"""Requests of LiteLLM's clients as one change of a customer and of its budget.

Where the value of a budget member is stored:

1. In the customer's own limits, when it has such a limit itself (set here or through another API).
2. Else in the shared budget that it refers to, for every customer that refers to it.
3. Else in a new budget made for this customer.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from api.dialects.litellm.budget_fields import (
    BUDGET_MEMBERS,
    PERIOD_FIELDS,
    dialect_only_change,
    dialect_only_fields,
    native_changes,
    with_change,
)
from api.dialects.litellm.models.requests import NewCustomerRequest, UpdateCustomerRequest
from domain.budgets.budgeted_customers import BudgetedChange, BudgetOf
from domain.customers.fields import LIMITS_AS_ONE
from domain.values.json_numbers import plain_json

_REPLACED: Final = frozenset({"metadata", "model_limits"})
#: The members that belong to the period and change together.
_OF_PERIOD: Final = ("max_budget", "budget_duration", "budget_reset_at")
_NATIVE_OF: Final = {
    "soft_budget": "soft_limit_usd",
    "max_parallel_requests": "parallel_requests_max",
    "tpm_limit": "tokens_per_minute",
    "rpm_limit": "requests_per_minute",
    "model_max_budget": "model_limits",
}


def creation_change(
    given: NewCustomerRequest, budget_of: BudgetOf, own_budget_id: str, now: datetime, any_duration: bool
) -> BudgetedChange:
    """Make the change for a new customer.

    A customer that names a budget refers to it, with its own limits taking precedence; one that has limits and names no
    budget gets a budget of its own. `budget_of` returns the native fields of a budget; `own_budget_id` is the id for a
    new budget.
    """
    members = {name: value for name, value in given.sent_members.items() if value is not None}
    changes = _profile(members, {})
    if "spend" in members:
        changes["opening_spend_usd"] = members["spend"]
    budget = {name: members[name] for name in BUDGET_MEMBERS if name in members}
    if given.budget_id is not None:
        own = _own_limits(budget, {}, budget_of(given.budget_id), now, any_duration)
        named = {**with_change(changes, own), "budget_id": given.budget_id}
        return BudgetedChange(named, given.blocked, given.budget_id)
    if not budget:
        return BudgetedChange(changes, given.blocked)
    tier = native_changes(budget, {}, now, any_duration)
    return BudgetedChange(
        {**changes, "budget_id": own_budget_id}, given.blocked, own_budget_id, tier, budget_is_new=True
    )


def update_change(
    given: UpdateCustomerRequest,
    customer: Mapping[str, Any],
    budget_of: BudgetOf,
    own_budget_id: str,
    now: datetime,
    any_duration: bool,
) -> BudgetedChange:
    """Make the change of a customer with these native fields; arguments as in `creation_change`."""
    sent = given.sent_members
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
        changes = with_change(changes, _own_limits(goes_own, customer, budget_of(moves_to), now, any_duration))
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
    """The changes of the customer's own limits, which take precedence over those of a budget (None: no budget).

    LiteLLM has one `max_budget`, so the amount is per period or in total depending on the duration in effect, which may
    be the budget's, and follows later changes of either. A request with a duration sets the period policy: a period
    that was moved by hand no longer is.
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
    return dialect_only_fields(customer).get(member) is not None


def _has_own(customer: Mapping[str, Any]) -> bool:
    return any(_is_own(member, customer) for member in BUDGET_MEMBERS)


def _profile(members: Mapping[str, Any], customer: Mapping[str, Any]) -> dict[str, Any]:
    """The native fields of the customer itself."""
    changes: dict[str, Any] = {}
    for name, native in (("alias", "name"), ("default_model", "default_model")):
        if name in members:
            changes[native] = members[name] or None
    region = members.get("allowed_model_region", members.get("allowed_region"))
    if region is not None:
        changes["allowed_region"] = region
    if "metadata" in members:
        changes["metadata"] = plain_json(members["metadata"])
    kept: dict[str, Any] = {}
    if "models" in members:
        kept["models"] = members["models"] or None
    if "object_permission" in members:
        kept["object_permission"] = plain_json(members["object_permission"]) or None
    return changes | dialect_only_change(customer, kept)
