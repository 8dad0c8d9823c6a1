"""Decoding of stored JSON objects into Python values that any JSON writer can encode without loss."""

from __future__ import annotations

import json
from decimal import Decimal
from math import isfinite
from typing import Any


def json_members(text: str | None) -> dict[str, Any]:
    """Return the members of a JSON object, none for None. A number that no double holds exactly becomes its text."""
    if text is None:
        return {}
    members: dict[str, Any] = json.loads(text, parse_float=_number, parse_constant=str)
    return members


def _number(text: str) -> float | str:
    value = float(text)
    return value if isfinite(value) and Decimal(repr(value)) == Decimal(text) else text
