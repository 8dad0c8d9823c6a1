"""Deltas of the daily usage rollup made by one fold step, as arrays grouped by customer. Pure.

1. Leave out rows that are already closed: they add nothing.
2. Sort the others by customer, day and kind (event type, provider and model).
3. Make each run of equal keys one delta: sums of all quantities, and the first and last event time.

Every value is a 64-bit integer, cost in picodollars. A step whose sums might not fit into 64 bits gets no arrays.
"""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np
import pyarrow as pa

from domain.usage.block_schema import INSTANT, TOKEN_COLUMNS
from projections.arrow_columns import (
    Bools,
    Ints,
    codes,
    column,
    decimal_words,
    decimals_of_words,
    integers,
    words_of_integers,
)

#: The columns of `DayDeltas.values`; those from `EVENTS` to `ROOTS` are sums.
DAY, KIND, EVENTS, FIRST_TOKENS, COST, UNKNOWN, ROOTS, FIRST, LAST = 0, 1, 2, 3, 8, 9, 10, 11, 12
VALUES: Final = 13
#: `FIRST` and `LAST` of a delta that subtracts usage.
NO_FIRST, NO_LAST = np.iinfo(np.int64).max, np.iinfo(np.int64).min
#: Limit of sums computed in floating point; below it the exact sums fit into 64 bits.
SUM_LIMIT: Final = float(2**62)

_DAY_US: Final = 86_400_000_000
_UNKNOWN_COST: Final = "unknown"


class DayDeltas(msgspec.Struct, frozen=True):
    """Changes of the daily rollup. `values`: a matrix with one row of `VALUES` integers per delta.

    Days and instants are days and microseconds since 1970. The deltas of `customers[n]` (ascending), in the scope
    `scopes[n]`, are the rows `starts[n]` to `starts[n + 1]`.
    """

    scopes: Ints
    customers: Ints
    starts: Ints
    values: Ints


def deltas_of_rows(rows: pa.Table) -> DayDeltas | None:
    """The deltas of usage rows (as made by `usage_rows`); None when their sums might not fit into 64 bits."""
    holds = np.asarray(column(rows, "closed_at").is_null(), dtype=bool)
    held = rows if holds.all() else rows.filter(pa.array(holds))
    sums = _summable_columns(held)
    if sums is None:
        return None
    customers, kinds = integers(held, "customer_key"), integers(held, "kind_key")
    times = integers(held, "time")
    days = times // _DAY_US
    order = _order(customers, days, kinds)
    customers, days, kinds, times = customers[order], days[order], kinds[order], times[order]
    starts = _run_starts(customers, days, kinds)
    values = np.empty((len(starts), VALUES), dtype=np.int64)
    values[:, DAY], values[:, KIND] = days[starts], kinds[starts]
    for index, numbers in sums.items():
        values[:, index] = np.add.reduceat(numbers[order], starts) if len(starts) else 0
    values[:, EVENTS] = np.diff(np.append(starts, len(order)))
    if len(starts):
        values[:, FIRST], values[:, LAST] = np.minimum.reduceat(times, starts), np.maximum.reduceat(times, starts)
    return by_customer(integers(held, "scope_key")[order[starts]], customers[starts], values)


def by_customer(scopes: Ints, customers: Ints, values: Ints) -> DayDeltas:
    """Group deltas by customer. The arguments have one row per delta, in ascending order of customer."""
    starts = _run_starts(customers)
    return DayDeltas(scopes[starts], customers[starts], np.append(starts, len(customers)), values)


def _sums_fit(columns: Ints) -> bool:
    """Whether the sum of every column of a matrix is certain to fit into 64 bits."""
    return bool((np.abs(columns.astype(np.float64)).sum(axis=0) < SUM_LIMIT).all())


def delta_table(deltas: DayDeltas) -> pa.Table:
    """The deltas as an Arrow table with the columns of the daily rollup."""
    counts = np.diff(deltas.starts)
    values = deltas.values
    everywhere = np.ones(len(values), dtype=bool)
    columns: dict[str, pa.Array] = {
        "scope_key": pa.array(np.repeat(deltas.scopes, counts).astype(np.int32)),
        "customer_key": pa.array(np.repeat(deltas.customers, counts)),
        "day": pa.array(values[:, DAY].astype(np.int32)).cast(pa.date32()),
        "kind_key": pa.array(values[:, KIND].astype(np.int32)),
        "events": pa.array(values[:, EVENTS]),
        "cost_usd": decimals_of_words(words_of_integers(np.ascontiguousarray(values[:, COST])), everywhere),
        "cost_unknown_events": pa.array(values[:, UNKNOWN]),
        "root_requests": pa.array(values[:, ROOTS]),
        "first_time": pa.array(values[:, FIRST]).cast(INSTANT),
        "last_time": pa.array(values[:, LAST]).cast(INSTANT),
        "taken_events": pa.array(np.zeros(len(values), dtype=np.int64)),
    }
    columns |= {name: pa.array(values[:, FIRST_TOKENS + index]) for index, name in enumerate(TOKEN_COLUMNS)}
    return pa.table(columns)


def _summable_columns(rows: pa.Table) -> dict[int, Ints] | None:
    """The quantities to sum (all but the number of events), by their column in `DayDeltas.values`."""
    origins, names = codes(rows, "cost_origin")
    unknown = origins == (names.index(_UNKNOWN_COST) if _UNKNOWN_COST in names else -2)
    cost = picodollars(column(rows, "cost_usd"))
    if cost is None:
        return None
    tokens = {FIRST_TOKENS + index: integers(rows, name) for index, name in enumerate(TOKEN_COLUMNS)}
    if not _sums_fit(np.column_stack([cost, *tokens.values()])):
        return None
    roots = np.asarray(column(rows, "parent_request").is_null(), dtype=bool).astype(np.int64)
    requests = column(rows, "requests")
    if requests.null_count < len(requests):
        roots *= np.asarray(requests.fill_null(1), dtype=np.int64)
    return tokens | {COST: cost, UNKNOWN: unknown.astype(np.int64), ROOTS: roots}


def picodollars(cost: pa.Array) -> Ints | None:
    """Costs as 64-bit integers in picodollars, 0 for null; None when one does not fit into 64 bits."""
    words = decimal_words(cost)
    words[np.asarray(cost.is_null(), dtype=bool)] = 0
    low, high = (np.ascontiguousarray(words[:, half]).view(np.int64) for half in (0, 1))
    return low if bool((high == low >> 63).all()) else None


def _order(customers: Ints, days: Ints, kinds: Ints) -> Ints:
    """The sort order by customer, day and kind; sorts by one combined integer where that fits into 64 bits."""
    if not len(customers):
        return np.zeros(0, dtype=np.int64)
    first = int(days.min())
    width, kinds_max = int(days.max()) - first + 1, int(kinds.max()) + 1
    if (int(customers.max()) + 1) * width * kinds_max < SUM_LIMIT:
        return np.argsort((customers * width + (days - first)) * kinds_max + kinds)
    return np.lexsort((kinds, days, customers))


def _run_starts(*keys: Ints) -> Ints:
    """The first row of each run of rows with equal keys."""
    if not len(keys[0]):
        return np.zeros(0, dtype=np.int64)
    changed: Bools = np.zeros(len(keys[0]), dtype=bool)
    changed[0] = True
    for key in keys:
        changed[1:] |= key[1:] != key[:-1]
    return np.flatnonzero(changed)
