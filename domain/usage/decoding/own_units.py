"""Units of a tenant's own: names that it has priced, so that a member of data with such a name tells a quantity."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from domain.units.registry import UNITS
from domain.usage.decoding.inferred_schema import DATA_MEMBERS
from domain.usage.quantity_rules import QUANTITY_MEMBERS
from domain.usage.rules import CUSTOMER_MEMBERS

_TAKEN: Final = frozenset({*UNITS, *QUANTITY_MEMBERS, *DATA_MEMBERS, *CUSTOMER_MEMBERS})
_encode: Final = msgspec.json.Encoder().encode


def own_units_of(priced: Iterable[str]) -> frozenset[str]:
    """Return those of these units that are the tenant's own, and whose name means nothing else in data."""
    return frozenset(priced) - _TAKEN


def rows_naming(own_units: frozenset[str], properties: Sequence[bytes | None]) -> list[int]:
    """Return the rows whose properties, as JSON text, may have a member of one of these names."""
    marks = [_encode(name) + b":" for name in own_units]
    return [row for row, text in enumerate(properties) if text is not None and any(mark in text for mark in marks)]
