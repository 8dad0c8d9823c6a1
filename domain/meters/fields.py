"""The fields of custom meters and the validation rule of each."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from domain.customers.fields import dialect_fields
from domain.errors import InvalidInput
from domain.meters.expressions.evaluation import expression
from domain.meters.filters import filters
from domain.meters.property_paths import property_path
from domain.meters.rounding import ROUNDINGS
from domain.usage.block_schema import TOKEN_COLUMNS
from domain.values import field_rules
from domain.values.field_rules import Rule

AGGREGATIONS: Final = ("count", "sum", "max", "min", "latest", "unique_count", "weighted_sum")
#: Those whose meters may be recurring: what was there before a period counts in it.
RECURRING_AGGREGATIONS: Final = ("sum", "unique_count", "weighted_sum")
BUILT_IN_METERS: Final = frozenset(("requests", *TOKEN_COLUMNS, "total_tokens", "cost_usd"))
GROUP_BY_MAX: Final = 10
PRECISION_MAX: Final = 20
_CODE = re.compile(r"[a-zA-Z0-9_.-]{1,64}")


def meter_code(code: object) -> str:
    """Return `code` if it is allowed: 1 to 64 of a-z, A-Z, 0-9, '_', '.', '-', and not that of a built-in meter."""
    if not isinstance(code, str) or _CODE.fullmatch(code) is None or code in (".", ".."):
        raise InvalidInput("code", "must be 1 to 64 characters of a-z, A-Z, 0-9, '_', '.' and '-'")
    if code in BUILT_IN_METERS:
        raise InvalidInput("code", f"must not be that of a built-in meter ({code!r})")
    return code


def group_by(field: str, value: object) -> dict[str, str]:
    """Groups of a meter: {group name: property path}, at most 10. In a list of paths each path names its group."""
    if isinstance(value, Mapping):
        named = list(value.items())
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        named = [(path, path) for path in value]
    else:
        raise InvalidInput(field, "must be a list of properties, or an object of properties by group name")
    if len(named) > GROUP_BY_MAX:
        raise InvalidInput(field, f"must have at most {GROUP_BY_MAX} properties")
    groups = {field_rules.text(field, name): property_path(field, path) for name, path in named}
    if len(groups) < len(named):
        raise InvalidInput(field, "must not name a group twice")
    return groups


def rounding(field: str, value: object) -> dict[str, Any]:
    """How aggregated units are rounded: {"function": name, "precision": decimals}; negative ones: to tens, hundreds."""
    if not isinstance(value, Mapping):
        raise InvalidInput(field, "must be an object")
    for name in value.keys() - {"function", "precision"}:
        raise InvalidInput(f"{field}.{name}", "is not a member of a rounding", code="unknown_field")
    precision = value.get("precision")
    return {
        "function": _rounding_function(f"{field}.function", value.get("function")),
        "precision": 0 if precision is None else _precision(f"{field}.precision", precision),
    }


def _precision(field: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > PRECISION_MAX:
        raise InvalidInput(field, f"must be a whole number from -{PRECISION_MAX} to {PRECISION_MAX}")
    return value


def _flag(field: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise InvalidInput(field, "must be true or false")
    return value


def _expression(field: str, value: object) -> str:
    if not isinstance(value, str):
        raise InvalidInput(field, "must be text")
    expression(value, field)
    return value


_rounding_function: Final = field_rules.one_of(*ROUNDINGS)

#: The fields that can be changed after creation. The others decide what is counted; changing them needs a new meter.
CHANGEABLE_RULES: Final[dict[str, Rule]] = {
    "name": field_rules.text,
    "description": field_rules.text,
    "group_by": group_by,
    "filters": filters,
    "rounding": rounding,
    "expression": _expression,
    "dialect_fields": dialect_fields,
}
METER_RULES: Final[dict[str, Rule]] = {
    **CHANGEABLE_RULES,
    "event_type": field_rules.text,
    "aggregation": field_rules.one_of(*AGGREGATIONS),
    "value_property": property_path,
    "operation_property": property_path,
    "recurring": _flag,
}


def check_value(fields: Mapping[str, Any]) -> None:
    """Check that a meter has the value that its aggregation needs, a property or an expression, and no other."""
    aggregation = fields["aggregation"]
    given = [name for name in ("value_property", "expression") if fields.get(name) is not None]
    if aggregation == "count" and given:
        raise InvalidInput(given[0], "must not be given for the aggregation 'count'")
    if aggregation != "count" and not given:
        raise InvalidInput("value_property", f"is required for the aggregation {aggregation!r}, or an expression")


def check_together(fields: Mapping[str, Any]) -> None:
    """Check what a new meter has for its aggregation: its value, an operation, and what recurs."""
    check_value(fields)
    aggregation = fields["aggregation"]
    if aggregation != "unique_count" and fields.get("operation_property") is not None:
        raise InvalidInput("operation_property", "must only be given for the aggregation 'unique_count'")
    if fields.get("recurring") and aggregation not in RECURRING_AGGREGATIONS:
        names = ", ".join(RECURRING_AGGREGATIONS)
        raise InvalidInput("recurring", f"must not be true for the aggregation {aggregation!r}, only for {names}")
