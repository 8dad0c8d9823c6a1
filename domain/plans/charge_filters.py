"""The filters of a charge: which events have a price other than that of the charge.

A filter is stored as a JSON object:

    {"values": {"region": ["eu", "us"], "tier": []}, "price": {"model": "standard", "amount": "0.00002"}, "name": "W"}

An event matches it when its data have, at each key of `values`, one of the texts of this key; an empty list stands for
all texts. It belongs to the matching filter with the most keys, of several such ones to the first, and to the charge
itself when it matches none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from domain.charges.models import charge_model, stored_charge_model
from domain.errors import InvalidInput
from domain.meters.filters import filter_values
from domain.meters.property_paths import property_path
from domain.values import field_rules
from domain.values.field_rules import Rule

#: Filters of a charge, and of all charges of a plan together.
FILTERS_MAX: Final = 2_000
#: Different keys of all filters of a charge together.
KEYS_MAX: Final = 10
#: Values of all filters of a plan together.
VALUES_OF_PLAN_MAX: Final = 20_000
_MEMBERS: Final = frozenset({"values", "price", "name"})
_REQUIRED: Final = ("values", "price")


def charge_filters(field: str, value: object) -> list[dict[str, Any]]:
    """The filters of a charge, at most 2,000, in the order in which equal ones are preferred."""
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise InvalidInput(field, "must be a list of filters")
    if len(value) > FILTERS_MAX:
        raise InvalidInput(field, f"must have at most {FILTERS_MAX} filters")
    checked = [_filter(f"{field}.{number}", one) for number, one in enumerate(value)]
    if len({key for one in checked for key in one["values"]}) > KEYS_MAX:
        raise InvalidInput(field, f"must not name more than {KEYS_MAX} keys")
    return checked


def values_in(filters: Iterable[Mapping[str, Any]]) -> int:
    """Return the number of values of these filters."""
    return sum(len(values) for one in filters for values in one["values"].values())


def _filter(field: str, value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidInput(field, "must be an object")
    given = {name: member for name, member in value.items() if member is not None}
    for name in given.keys() - _MEMBERS:
        raise InvalidInput(f"{field}.{name}", "is not a member of a filter", code="unknown_field")
    for name in _REQUIRED:
        if name not in given:
            raise InvalidInput(f"{field}.{name}", "is required")
    return {name: _RULES[name](f"{field}.{name}", member) for name, member in sorted(given.items())}


def _values(field: str, value: object) -> dict[str, list[str]]:
    if not isinstance(value, Mapping) or not 1 <= len(value) <= KEYS_MAX:
        raise InvalidInput(
            field, f"must be an object of 1 to {KEYS_MAX} lists of texts, by path into the data of events"
        )
    return {property_path(field, path): filter_values(f"{field}.{path}", texts) for path, texts in value.items()}


def _price(field: str, value: object) -> dict[str, Any]:
    return stored_charge_model(charge_model(field, value))


_RULES: Final[dict[str, Rule]] = {"values": _values, "price": _price, "name": field_rules.text}
