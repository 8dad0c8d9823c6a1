"""The fields of custom meters and the validation rule of each."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from domain.errors import InvalidInput
from domain.usage.block_schema import TOKEN_COLUMNS
from domain.values import field_rules
from domain.values.field_rules import Rule

AGGREGATIONS: Final = ("count", "sum", "max", "min", "latest", "unique_count")
BUILT_IN_METERS: Final = frozenset(("requests", *TOKEN_COLUMNS, "total_tokens", "cost_usd"))
GROUP_BY_MAX: Final = 10
PROPERTY_MEMBERS_MAX: Final = 16
_CODE = re.compile(r"[a-zA-Z0-9_.-]{1,64}")


def meter_code(code: object) -> str:
    """Return `code` if it is allowed: 1 to 64 of a-z, A-Z, 0-9, '_', '.', '-', and not that of a built-in meter."""
    if not isinstance(code, str) or _CODE.fullmatch(code) is None or code in (".", ".."):
        raise InvalidInput("code", "must be 1 to 64 characters of a-z, A-Z, 0-9, '_', '.' and '-'")
    if code in BUILT_IN_METERS:
        raise InvalidInput("code", f"must not be that of a built-in meter ({code!r})")
    return code


def property_path(field: str, value: object) -> str:
    """A path into `data`: member names joined by dots, of any characters, none empty."""
    path = field_rules.text(field, value)
    members = path.split(".")
    if "" in members or len(members) > PROPERTY_MEMBERS_MAX:
        raise InvalidInput(field, f"must be 1 to {PROPERTY_MEMBERS_MAX} member names of data, joined by dots")
    return path


def property_members(path: str) -> list[str]:
    """Return the member names of a property path, outermost first."""
    return path.split(".")


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


#: The fields that can be changed after creation. The others decide what is counted; changing them needs a new meter.
CHANGEABLE_RULES: Final[dict[str, Rule]] = {
    "name": field_rules.text,
    "description": field_rules.text,
    "group_by": group_by,
}
METER_RULES: Final[dict[str, Rule]] = {
    **CHANGEABLE_RULES,
    "event_type": field_rules.text,
    "aggregation": field_rules.one_of(*AGGREGATIONS),
    "value_property": property_path,
}


def check_value_property(fields: Mapping[str, Any]) -> None:
    """Check that a new meter has the value that its aggregation needs, and no other."""
    has_value = fields.get("value_property") is not None
    if fields["aggregation"] == "count" and has_value:
        raise InvalidInput("value_property", "must not be given for the aggregation 'count'")
    if fields["aggregation"] != "count" and not has_value:
        raise InvalidInput("value_property", f"is required for the aggregation {fields['aggregation']!r}")
