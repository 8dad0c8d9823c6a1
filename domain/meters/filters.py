"""The filters that a meter offers: paths into the data of events, with the values that are expected there.

They describe the events of a meter. What a plan charges by them, and for which values, is in the charges of the plan.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from domain.errors import InvalidInput
from domain.meters.property_paths import property_path
from domain.values import field_rules

KEYS_MAX: Final = 50
VALUES_MAX: Final = 2_000
_MEMBERS: Final = frozenset({"key", "values"})


def filters(field: str, value: object) -> list[dict[str, Any]]:
    """Filters of a meter: a list of {"key": path, "values": [text, ...]}, each key once."""
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise InvalidInput(field, "must be a list of filters")
    if len(value) > KEYS_MAX:
        raise InvalidInput(field, f"must have at most {KEYS_MAX} filters")
    checked = [_filter(f"{field}.{number}", one) for number, one in enumerate(value)]
    keys: set[str] = set()
    for number, one in enumerate(checked):
        if one["key"] in keys:
            raise InvalidInput(f"{field}.{number}.key", f"must not be that of another filter ({one['key']!r})")
        keys.add(one["key"])
    return checked


def filter_values(field: str, value: object) -> list[str]:
    """Values of one key: a list of texts, each kept once. It may be empty."""
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise InvalidInput(field, "must be a list of texts")
    if len(value) > VALUES_MAX:
        raise InvalidInput(field, f"must have at most {VALUES_MAX} values")
    return list(dict.fromkeys(field_rules.text(f"{field}.{number}", one) for number, one in enumerate(value)))


def _filter(field: str, value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidInput(field, "must be an object")
    for name in value.keys() - _MEMBERS:
        raise InvalidInput(f"{field}.{name}", "is not a member of a filter", code="unknown_field")
    if value.get("key") is None:
        raise InvalidInput(f"{field}.key", "is required")
    values = value.get("values")
    return {
        "key": property_path(f"{field}.key", value["key"]),
        "values": [] if values is None else filter_values(f"{field}.values", values),
    }
