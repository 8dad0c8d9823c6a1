"""From the nested names in which customers and budgets are sent to the flat fields of commands, and back in errors.

HTTP bodies and the data of commands that come by a log share these names.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from domain.customers.fields import BUDGET_RULES, CREATION_FIELDS, CUSTOMER_RULES, LIMITS_AS_ONE
from domain.errors import InvalidInput
from domain.values.json_numbers import plain_json

#: Fields of a period whose flat names say of what.
_PERIOD: Final = ("duration", "alignment", "anchor")
_OF_BUDGET: Final = ("budget_id", "period_start", "period_end")
#: What dialects keep beside the fields of their own; no native sender knows of it.
KEPT_BY_DIALECTS: Final = "dialect_fields"
_OF_DIALECTS: Final = frozenset({KEPT_BY_DIALECTS, LIMITS_AS_ONE})
#: Fields of limits that customers and shared budgets have alike, under their flat names.
_LIMITS: Final = tuple(
    field
    for field in BUDGET_RULES
    if field not in ("name", KEPT_BY_DIALECTS) and field.removeprefix("budget_") not in _PERIOD
)
_BUDGET_PERIOD: Final = {name: f"budget_{name}" for name in _PERIOD}
#: Members of the nested objects by their flat names.
NESTED: Final[dict[str, dict[str, str]]] = {
    "usage_period": {name: f"usage_{name}" for name in _PERIOD},
    "budget": {name: name for name in (*_LIMITS, *_OF_BUDGET)} | _BUDGET_PERIOD,
}
_FLAT_NAMES: Final = frozenset(flat for members in NESTED.values() for flat in members.values())
#: What may stand in a customer beside the nested objects; a creation may have `CREATION_FIELDS` too.
CUSTOMER_NAMES: Final = frozenset(CUSTOMER_RULES) - _FLAT_NAMES - CREATION_FIELDS - _OF_DIALECTS | frozenset(NESTED)
TIER_NAMES: Final = frozenset({"name", *_LIMITS, *_BUDGET_PERIOD})
_SHOWN: Final = {flat: f"{outer}.{name}" for outer, members in NESTED.items() for name, flat in members.items()}
_TIER_SHOWN: Final = {flat: name for name, flat in _BUDGET_PERIOD.items()}


def flat_customer_changes(sent: Mapping[str, Any]) -> dict[str, Any]:
    """What is set (None: clears), by flat field; a nested object that is null clears all its members."""
    changes: dict[str, Any] = {}
    for name, value in sent.items():
        if name not in NESTED:
            changes[name] = plain_json(value) if name == "metadata" else value
        elif value is None:
            changes |= dict.fromkeys(NESTED[name].values())
        else:
            changes |= {NESTED[name][member]: given for member, given in value.items()}
    return changes


def flat_tier_changes(sent: Mapping[str, Any]) -> dict[str, Any]:
    """The same for a shared budget."""
    return {_BUDGET_PERIOD.get(name, name): value for name, value in sent.items()}


def check_names(sent: Mapping[str, Any], known: Collection[str]) -> None:
    """`InvalidInput` for a name that is not among `known`, a nested object that is none, or a name in it."""
    for name, value in sent.items():
        if name not in known:
            raise InvalidInput(name, "is not known here", "unknown_field")
        if name in NESTED and value is not None:
            if not isinstance(value, Mapping):
                raise InvalidInput(name, "is an object")
            for member in value:
                if member not in NESTED[name]:
                    raise InvalidInput(f"{name}.{member}", "is not known here", "unknown_field")


def shown_customer_field(field: str) -> str:
    """The name a sender of customers knows a flat field (or a member of it) by."""
    return _renamed(field, _SHOWN | {"customer_id": "id"})


def shown_tier_field(field: str) -> str:
    return _renamed(field, _TIER_SHOWN)


def without_nulls(changes: Mapping[str, Any]) -> dict[str, Any]:
    """For a creation, where null means not given."""
    return {name: value for name, value in changes.items() if value is not None}


def _renamed(field: str, names: Mapping[str, str]) -> str:
    first, dot, rest = field.partition(".")
    return names.get(first, first) + dot + rest
