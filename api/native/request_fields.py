"""Conversion of request bodies to the flat fields of commands, under the domain's names."""

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
    """Return the changes that a body asks for, by flat field; None clears one.

    A nested object that is null clears all its members. `left_out` names members that are no fields of a customer.
    """
    return flat_customer_changes(given.model_dump(exclude_unset=True, exclude=set(left_out)))


def tier_changes(given: BaseModel, left_out: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The changes that a body asks for in a shared budget, as in `customer_changes`."""
    return flat_tier_changes(given.model_dump(exclude_unset=True, exclude=set(left_out)))
