"""Columns of quantities: those of usage blocks and of rows of the read store, as the quantities that are priced."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa

from domain.usage.block_schema import COST, NAME, TOKEN_COLUMNS
from domain.usage.quantities import Bools, ExtraQuantities, Ints, PriceContext, Quantities
from projections.arrow_columns import codes, column, decimal_words, integers

#: What the columns `domain.usage.block_schema.QUANTITIES` say, each null in most rows; units as two lists.
QUANTITY_COLUMNS: Final = [
    ("unit_names", pa.list_(pa.utf8())),
    ("unit_quantities", pa.list_(COST)),
    ("requests", pa.int64()),
    ("quantities_unknown", pa.bool_()),
    ("price_context", NAME),
]
_UNIT_NAMES: Final = pa.list_(pa.utf8())
_UNIT_QUANTITIES: Final = pa.list_(COST)
_members: Final = msgspec.json.Decoder(dict[str, str]).decode


def unit_lists(units: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Return a column of units as two lists of one length, their names and their quantities; null without units."""
    if units.null_count == len(units):
        return pa.nulls(len(units), _UNIT_NAMES), pa.nulls(len(units), _UNIT_QUANTITIES)
    offsets = np.concatenate(([0], np.cumsum(_lengths(units)))).astype(np.int32)
    names, quantities = units.flatten().flatten()
    lists = ((names, _UNIT_NAMES), (quantities, _UNIT_QUANTITIES))
    first, second = (
        pa.ListArray.from_arrays(pa.array(offsets), values, type=list_type, mask=units.is_null())
        for values, list_type in lists
    )
    return first, second


def quantities_of(typed: pa.Table) -> Quantities:
    """Return the quantities of rows of usage blocks."""
    return _quantities(typed, *unit_lists(column(typed, "units")))


def quantities_of_rows(rows: pa.Table) -> Quantities:
    """Return the quantities of rows of the read store."""
    return _quantities(rows, column(rows, "unit_names"), column(rows, "unit_quantities"))


def _quantities(rows: pa.Table, names: pa.Array, quantities: pa.Array) -> Quantities:
    contexts, context_codes = _contexts(rows)
    return Quantities(
        tuple(integers(rows, name) for name in TOKEN_COLUMNS),
        _extras(names, quantities),
        _values_or_none(column(rows, "requests"), 1, np.int64),
        _known(column(rows, "quantities_unknown")),
        contexts,
        context_codes,
    )


def _extras(names: pa.Array, quantities: pa.Array) -> ExtraQuantities | None:
    if names.null_count == len(names):
        return None
    rows = np.repeat(np.arange(len(names), dtype=np.int64), _lengths(names))
    encoded = names.flatten().dictionary_encode()
    words = decimal_words(quantities.flatten())
    low, high = words[:, 0].tolist(), words[:, 1].astype(np.int64).tolist()
    return ExtraQuantities(
        rows,
        np.asarray(encoded.indices, dtype=np.int64),
        tuple(encoded.dictionary.to_pylist()),
        [above << 64 | below for below, above in zip(low, high, strict=True)],
    )


def _lengths(lists: pa.Array) -> Ints:
    """The number of values in each list, 0 for null."""
    return np.asarray(lists.value_lengths().fill_null(0), dtype=np.int64)


def _values_or_none(values: pa.Array, absent: int, number_type: Any) -> Any:
    return None if values.null_count == len(values) else np.asarray(values.fill_null(absent), dtype=number_type)


def _known(unknown: pa.Array) -> Bools | None:
    found = _values_or_none(unknown, False, np.bool_)
    return None if found is None else ~found


def _contexts(rows: pa.Table) -> tuple[tuple[PriceContext, ...], Ints | None]:
    if column(rows, "price_context").null_count == rows.num_rows:
        return (), None
    indexes, texts = codes(rows, "price_context")
    return tuple(tuple(sorted(_members(text).items())) for text in texts), indexes
