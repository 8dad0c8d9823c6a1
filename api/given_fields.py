"""From the nested names of request bodies to the flat fields of commands, and back in errors."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel

from api.bodies import plain_json
from api.models.customers import CustomerBudgetGiven, UsagePeriodGiven

#: Members of the nested objects whose flat name is another one.
_NESTED: Final[dict[str, dict[str, str]]] = {
    "usage_period": {name: f"usage_{name}" for name in UsagePeriodGiven.model_fields},
    "budget": {
        name: f"budget_{name}" if name in ("duration", "alignment", "anchor") else name
        for name in CustomerBudgetGiven.model_fields
    },
}
_TIER_RENAMED: Final = {"duration": "budget_duration", "alignment": "budget_alignment", "anchor": "budget_anchor"}
_SHOWN: Final = {flat: f"{outer}.{name}" for outer, members in _NESTED.items() for name, flat in members.items()}
_TIER_SHOWN: Final = {flat: name for name, flat in _TIER_RENAMED.items()}


def customer_changes(given: BaseModel, left_out: frozenset[str]) -> dict[str, Any]:
    """What a body sets (None: clears), by flat field; a nested object that is null clears all its members."""
    changes: dict[str, Any] = {}
    for name, value in given.model_dump(exclude_unset=True).items():
        if name in left_out:
            continue
        if name not in _NESTED:
            changes[name] = plain_json(value) if name == "metadata" else value
        elif value is None:
            changes |= dict.fromkeys(_NESTED[name].values())
        else:
            changes |= {_NESTED[name][member]: given for member, given in value.items()}
    return changes


def tier_changes(given: BaseModel, left_out: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The same for a shared budget."""
    fields = given.model_dump(exclude_unset=True, exclude=set(left_out))
    return {_TIER_RENAMED.get(name, name): value for name, value in fields.items()}


def shown_customer_field(field: str) -> str:
    """The name a caller of the customer routes knows a flat field (or a member of it) by."""
    return _renamed(field, _SHOWN | {"customer_id": "id"})


def shown_tier_field(field: str) -> str:
    return _renamed(field, _TIER_SHOWN)


def without_nulls(changes: dict[str, Any]) -> dict[str, Any]:
    """For a creation, where null means not given."""
    return {name: value for name, value in changes.items() if value is not None}


def _renamed(field: str, names: dict[str, str]) -> str:
    first, dot, rest = field.partition(".")
    return names.get(first, first) + dot + rest
