"""The mapping between the nested names of customers and budgets on the wire and the flat fields of commands.

Requests are mapped to flat fields, and the fields of errors back to wire names. HTTP bodies and the data of commands
received as events have the same names.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from domain.customers.fields import BUDGET_RULES, CREATION_FIELDS, CUSTOMER_RULES, LIMITS_AS_ONE
from domain.errors import InvalidInput
from domain.values.json_numbers import plain_json

#: Members of a period; their flat names have the prefix `usage_` or `budget_`.
_PERIOD: Final = ("duration", "alignment", "anchor")
_CUSTOMER_BUDGET_FIELDS: Final = ("budget_id", "period_start", "period_end")
#: Fields that only dialects store; they are not part of the native API.
KEPT_BY_DIALECTS: Final = "dialect_fields"
_DIALECT_ONLY_FIELDS: Final = frozenset({KEPT_BY_DIALECTS, "personal_dialect_fields", LIMITS_AS_ONE})
#: Flat names of the limits that both customers and shared budgets have.
_LIMITS: Final = tuple(
    field
    for field in BUDGET_RULES
    if field not in ("name", KEPT_BY_DIALECTS) and field.removeprefix("budget_") not in _PERIOD
)
_BUDGET_PERIOD: Final = {name: f"budget_{name}" for name in _PERIOD}
#: The nested objects: the flat name of each member.
NESTED: Final[dict[str, dict[str, str]]] = {
    "payment_provider": {name: f"payment_provider_{name}" for name in ("name", "customer_id")},
    "usage_period": {name: f"usage_{name}" for name in _PERIOD},
    "budget": {name: name for name in (*_LIMITS, *_CUSTOMER_BUDGET_FIELDS)} | _BUDGET_PERIOD,
}
_FLAT_NAMES: Final = frozenset(flat for members in NESTED.values() for flat in members.values())
#: Names that a customer may have on the wire; a creation may have `CREATION_FIELDS` too.
CUSTOMER_NAMES: Final = frozenset(CUSTOMER_RULES) - _FLAT_NAMES - CREATION_FIELDS - _DIALECT_ONLY_FIELDS | frozenset(
    NESTED
)
TIER_NAMES: Final = frozenset({"name", *_LIMITS, *_BUDGET_PERIOD})
_CUSTOMER_WIRE_NAMES: Final = {
    flat: f"{outer}.{name}" for outer, members in NESTED.items() for name, flat in members.items()
}
_TIER_WIRE_NAMES: Final = {flat: name for name, flat in _BUDGET_PERIOD.items()}


def flat_customer_changes(members: Mapping[str, Any]) -> dict[str, Any]:
    """Return the changes of a customer by flat field (None clears); a nested object that is null clears all members."""
    changes: dict[str, Any] = {}
    for name, value in members.items():
        if name not in NESTED:
            changes[name] = plain_json(value) if name == "metadata" else value
        elif value is None:
            changes |= dict.fromkeys(NESTED[name].values())
        else:
            changes |= {NESTED[name][member]: given for member, given in value.items()}
    return changes


def flat_tier_changes(members: Mapping[str, Any]) -> dict[str, Any]:
    """Return the changes of a shared budget by flat field (None clears)."""
    return {_BUDGET_PERIOD.get(name, name): value for name, value in members.items()}


def check_names(members: Mapping[str, Any], known: Collection[str]) -> None:
    """Raise `InvalidInput` for an unknown name, also in a nested object, and for a nested value that is no object."""
    for name, value in members.items():
        if name not in known:
            raise InvalidInput(name, "is not known here", "unknown_field")
        if name in NESTED and value is not None:
            if not isinstance(value, Mapping):
                raise InvalidInput(name, "must be an object")
            for member in value:
                if member not in NESTED[name]:
                    raise InvalidInput(f"{name}.{member}", "is not known here", "unknown_field")


def shown_customer_field(field: str) -> str:
    """Return the wire name of a flat field of a customer, or of a member of it."""
    return _renamed(field, _CUSTOMER_WIRE_NAMES | {"customer_id": "id"})


def shown_tier_field(field: str) -> str:
    """Return the wire name of a flat field of a shared budget, or of a member of it."""
    return _renamed(field, _TIER_WIRE_NAMES)


def without_nulls(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the changes that are not null: in a creation null means not given."""
    return {name: value for name, value in changes.items() if value is not None}


def _renamed(field: str, names: Mapping[str, str]) -> str:
    first, dot, rest = field.partition(".")
    return names.get(first, first) + dot + rest
