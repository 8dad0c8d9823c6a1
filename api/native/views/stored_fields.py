"""Typed values out of the stored fields of customers and shared budgets."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any


def decimal_of(fields: Mapping[str, Any], name: str) -> Decimal | None:
    text = fields.get(name)
    return None if text is None else Decimal(text)


def instant_in(fields: Mapping[str, Any], name: str) -> datetime | None:
    text = fields.get(name)
    return None if text is None else datetime.fromisoformat(text)
