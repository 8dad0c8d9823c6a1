"""Paths into the data of events: member names joined by dots."""

from __future__ import annotations

from typing import Final

from domain.errors import InvalidInput
from domain.values import field_rules

PROPERTY_MEMBERS_MAX: Final = 16


def property_path(field: str, value: object) -> str:
    """A path into `data`: member names joined by dots, of any characters, none empty."""
    path = field_rules.text(field, value)
    members = path.split(".")
    if "" in members or len(members) > PROPERTY_MEMBERS_MAX:
        raise InvalidInput(field, f"must be 1 to {PROPERTY_MEMBERS_MAX} member names of data, joined by dots")
    return path
