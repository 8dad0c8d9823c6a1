"""The columns of what requests used: the values of one request, and the array of its units.

A column holds None where a request says nothing that the common units do not say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa

from domain.usage.block_schema import COST, QUANTITIES, TOKEN_COLUMNS, UNITS
from domain.usage.quantity_rules import RequestQuantities

Units = tuple[tuple[str, Decimal], ...]
#: The values of a request about which nothing else is told.
NOTHING_ELSE: Final[dict[str, Any]] = dict.fromkeys(QUANTITIES.names)
_encode: Final = msgspec.json.Encoder().encode


def quantity_values(data: Mapping[str, Any], quantities: RequestQuantities) -> dict[str, Any]:
    """Return the values of the columns of tokens and quantities. `data` is that of the event, by member.

    Quantities are unknown only where they would make a cost: of a request that names a model and no cost.
    """
    has_cost = data.get("cost_usd") is not None
    unknown = quantities.unknown and data.get("model") is not None and not has_cost
    return dict(zip(TOKEN_COLUMNS, quantities.tokens, strict=True)) | {
        "units": quantities.units or None,
        "requests": None if quantities.requests == 1 else quantities.requests,
        "quantities_unknown": unknown or None,
        "price_context": _encode(dict(quantities.context)).decode() if quantities.context else None,
    }


def units_array(column: Sequence[Units | None]) -> pa.Array:
    """Return units by row as an array of the type `UNITS`; null for a row without any."""
    lengths = [0 if units is None else len(units) for units in column]
    offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int32)
    pairs = [pair for units in column if units is not None for pair in units]
    items = pa.StructArray.from_arrays(
        [pa.array([key for key, _ in pairs], pa.utf8()), pa.array([quantity for _, quantity in pairs], COST)],
        fields=list(UNITS.value_type),
    )
    absent = pa.array(np.array([units is None for units in column]))
    return pa.ListArray.from_arrays(pa.array(offsets), items, type=UNITS, mask=absent)
