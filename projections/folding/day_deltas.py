"""What usage adds to the days, in arrays: the deltas of one fold step, one customer's beside each other. Pure.

1. Rows that are closed already add nothing.
2. The others are put in order of customer, day and kind.
3. Each run of equal ones becomes one delta: what adds up is added up, of the instants the least and the greatest.

Everything is a 64-bit integer, cost in picodollars. A step whose sums might not fit into one is not for arrays.
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

#: The columns of `DayDeltas.values`; between `EVENTS` and `UNKNOWN` is what adds up.
DAY, KIND, EVENTS, FIRST_TOKENS, COST, UNKNOWN, FIRST, LAST = 0, 1, 2, 3, 8, 9, 10, 11
VALUES: Final = 12
#: `FIRST` and `LAST` of a delta that takes away.
NO_FIRST, NO_LAST = np.iinfo(np.int64).max, np.iinfo(np.int64).min
#: Sums stay below it by their approximate size, and so within 64 bits.
SUM_LIMIT: Final = float(2**62)

_DAY_US: Final = 86_400_000_000
_UNKNOWN_COST: Final = "unknown"


class DayDeltas(msgspec.Struct, frozen=True):
    """`values`: a row of `VALUES` integers per delta, days and instants as days and microseconds since 1970.

    The deltas of `customers[n]` (ascending), in the scope `scopes[n]`, are the rows `starts[n]` to `starts[n + 1]`.
    """

    scopes: Ints
    customers: Ints
    starts: Ints
    values: Ints


def deltas_of_rows(rows: pa.Table) -> DayDeltas | None:
    """What usage rows, as `usage_rows` makes them, add to the days; None when sums might not fit."""
    holds = np.asarray(column(rows, "closed_at").is_null(), dtype=bool)
    held = rows if holds.all() else rows.filter(pa.array(holds))
    added = _added(held)
    if added is None:
        return None
    customers, kinds = integers(held, "customer_key"), integers(held, "kind_key")
    times = integers(held, "time")
    days = times // _DAY_US
    order = _order(customers, days, kinds)
    customers, days, kinds, times = customers[order], days[order], kinds[order], times[order]
    starts = _run_starts(customers, days, kinds)
    values = np.empty((len(starts), VALUES), dtype=np.int64)
    values[:, DAY], values[:, KIND] = days[starts], kinds[starts]
    for place, numbers in added.items():
        values[:, place] = np.add.reduceat(numbers[order], starts) if len(starts) else 0
    values[:, EVENTS] = np.diff(np.append(starts, len(order)))
    if len(starts):
        values[:, FIRST], values[:, LAST] = np.minimum.reduceat(times, starts), np.maximum.reduceat(times, starts)
    return by_customer(integers(held, "scope_key")[order[starts]], customers[starts], values)


def by_customer(scopes: Ints, customers: Ints, values: Ints) -> DayDeltas:
    """Deltas in order of their customers; scope and customer are told of each delta."""
    starts = _run_starts(customers)
    return DayDeltas(scopes[starts], customers[starts], np.append(starts, len(customers)), values)


def sums_fit(columns: Ints) -> bool:
    """Whether every column of a matrix adds up within 64 bits, for certain."""
    return bool((np.abs(columns.astype(np.float64)).sum(axis=0) < SUM_LIMIT).all())


def delta_table(deltas: DayDeltas) -> pa.Table:
    """The deltas as rows of the store's days."""
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
        "first_time": pa.array(values[:, FIRST]).cast(INSTANT),
        "last_time": pa.array(values[:, LAST]).cast(INSTANT),
    }
    columns |= {name: pa.array(values[:, FIRST_TOKENS + place]) for place, name in enumerate(TOKEN_COLUMNS)}
    return pa.table(columns)


def _added(rows: pa.Table) -> dict[int, Ints] | None:
    """What adds up, but for the number of events, by the column it goes to."""
    origins, names = codes(rows, "cost_origin")
    unknown = origins == (names.index(_UNKNOWN_COST) if _UNKNOWN_COST in names else -2)
    cost = picodollars(column(rows, "cost_usd"))
    if cost is None:
        return None
    tokens = {FIRST_TOKENS + place: integers(rows, name) for place, name in enumerate(TOKEN_COLUMNS)}
    if not sums_fit(np.column_stack([cost, *tokens.values()])):
        return None
    return tokens | {COST: cost, UNKNOWN: unknown.astype(np.int64)}


def picodollars(cost: pa.Array) -> Ints | None:
    """Costs as 64-bit integers, 0 where there is none; None when one is too large for that."""
    words = decimal_words(cost)
    words[np.asarray(cost.is_null(), dtype=bool)] = 0
    low, high = (np.ascontiguousarray(words[:, half]).view(np.int64) for half in (0, 1))
    return low if bool((high == low >> 63).all()) else None


def _order(customers: Ints, days: Ints, kinds: Ints) -> Ints:
    """The order by customer, day and kind; by one number for all three, where they fit into it."""
    if not len(customers):
        return np.zeros(0, dtype=np.int64)
    first = int(days.min())
    width, kinds_max = int(days.max()) - first + 1, int(kinds.max()) + 1
    if (int(customers.max()) + 1) * width * kinds_max < SUM_LIMIT:
        return np.argsort((customers * width + (days - first)) * kinds_max + kinds)
    return np.lexsort((kinds, days, customers))


def _run_starts(*keys: Ints) -> Ints:
    """Where each run of rows with equal keys begins."""
    if not len(keys[0]):
        return np.zeros(0, dtype=np.int64)
    changed: Bools = np.zeros(len(keys[0]), dtype=bool)
    changed[0] = True
    for key in keys:
        changed[1:] |= key[1:] != key[:-1]
    return np.flatnonzero(changed)
