"""From request bodies to the flat fields of commands; the names are the domain's."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from domain.commands.wire_names import (
    flat_customer_changes,
    flat_tier_changes,
    shown_customer_field,
    shown_tier_field,
    without_nulls,
)

__all__ = ["customer_changes", "shown_customer_field", "shown_tier_field", "tier_changes", "without_nulls"]


def customer_changes(given: BaseModel, left_out: frozenset[str]) -> dict[str, Any]:
    """What a body sets (None: clears), by flat field; a nested object that is null clears all its members."""
    return flat_customer_changes(given.model_dump(exclude_unset=True, exclude=set(left_out)))


def tier_changes(given: BaseModel, left_out: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The same for a shared budget."""
    return flat_tier_changes(given.model_dump(exclude_unset=True, exclude=set(left_out)))
