"""Typed values of the stored fields of customers and shared budgets, which are JSON."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any


def decimal_of(fields: Mapping[str, Any], name: str) -> Decimal | None:
    """The decimal in a field; None when it is not set."""
    text = fields.get(name)
    return None if text is None else Decimal(text)


def instant_in(fields: Mapping[str, Any], name: str) -> datetime | None:
    """The instant in a field; None when it is not set."""
    text = fields.get(name)
    return None if text is None else datetime.fromisoformat(text)
