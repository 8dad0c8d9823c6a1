"""Reading of the day deltas that are not compacted yet into memory, when a store is opened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import duckdb
import numpy as np

from domain.usage.block_schema import TOKEN_COLUMNS
from projections.arrow_columns import Ints, column, integers
from projections.duckdb.storage.generations import Generation
from projections.folding.day_deltas import (
    COST,
    DAY,
    EVENTS,
    FIRST,
    FIRST_TOKENS,
    KIND,
    LAST,
    NO_FIRST,
    NO_LAST,
    ROOTS,
    UNKNOWN,
    VALUES,
    DayDeltas,
    by_customer,
    picodollars,
)

#: A store with more of them is queried for them until they are compacted.
UNCOMPACTED_MAX: Final = 1_000_000

_TOKENS: Final = ", ".join(f"TRY_CAST({name} AS BIGINT) AS {name}" for name in TOKEN_COLUMNS)
_DELTAS: Final = f"""SELECT scope_key, customer_key, (day - DATE '1970-01-01')::BIGINT AS day, kind_key, events,
    {_TOKENS}, cost_usd, cost_unknown_events, root_requests, coalesce(epoch_us(first_time), {NO_FIRST}) AS first_time,
    coalesce(epoch_us(last_time), {NO_LAST}) AS last_time
    FROM ({{tables}}) ORDER BY customer_key LIMIT {UNCOMPACTED_MAX + 1}"""

#: The columns of `DayDeltas.values` by the name of the stored column; cost apart.
_VALUE_COLUMNS: Final = {
    DAY: "day",
    KIND: "kind_key",
    EVENTS: "events",
    UNKNOWN: "cost_unknown_events",
    ROOTS: "root_requests",
    FIRST: "first_time",
    LAST: "last_time",
} | {FIRST_TOKENS + number: name for number, name in enumerate(TOKEN_COLUMNS)}


def customers_corrected(cursor: duckdb.DuckDBPyConnection, generations: Sequence[Generation]) -> Ints:
    """Return the keys of the customers from whose usage deltas in these generations of days take something away."""
    tables = " UNION ALL ".join(f"SELECT customer_key, taken_events FROM {one.name}" for one in generations)
    found = cursor.execute(f"SELECT DISTINCT customer_key FROM ({tables}) WHERE taken_events > 0").fetchnumpy()
    return np.asarray(found["customer_key"], np.int64)


def uncompacted_days(cursor: duckdb.DuckDBPyConnection, generations: Sequence[Generation]) -> DayDeltas | None:
    """Read all deltas of these generations of days; None when they are too many, or too large for 64 bits."""
    tables = " UNION ALL ".join(f"SELECT * FROM {one.name}" for one in generations)
    found = cursor.sql(_DELTAS.format(tables=tables)).to_arrow_table()
    cost = picodollars(column(found, "cost_usd"))
    if found.num_rows > UNCOMPACTED_MAX or cost is None or any(found.column(name).null_count for name in TOKEN_COLUMNS):
        return None
    values = np.empty((found.num_rows, VALUES), dtype=np.int64)
    values[:, COST] = cost
    for index, name in _VALUE_COLUMNS.items():
        values[:, index] = integers(found, name)
    return by_customer(integers(found, "scope_key"), integers(found, "customer_key"), values)
