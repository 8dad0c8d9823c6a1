"""Division of generations into chunks by scope and customer, each small enough to be sorted in memory.

1. Count the rows of every customer, and divide them by the least number of chunks: chunks of like size.
2. Go through the customers in order, and begin a new chunk whenever the current one would become too large.
3. Divide a customer with too many rows for one chunk by days. One day of one customer is never divided.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Final

import duckdb
import numpy as np

#: Few enough to be sorted without taking memory from the fold; an otherwise idle core writes them in half a second.
#: Two row groups of DuckDB: half of it is still one, which a commit writes into the file, unlike a part of one.
CHUNK_ROWS_MAX: Final = 2 * 122_880


def chunks(
    cursor: duckdb.DuckDBPyConnection, rows: str, day: str, chunk_rows_max: int = CHUNK_ROWS_MAX
) -> Iterator[str]:
    """Yield SQL conditions on `rows` (a subquery), one per chunk; every row meets exactly one of them.

    `day` is the SQL expression of a row's UTC day.
    """
    found = cursor.execute(
        f"SELECT scope_key, customer_key, count(*) AS rows FROM ({rows}) GROUP BY ALL ORDER BY ALL"
    ).fetchnumpy()
    scopes, customers, counts = (np.asarray(found[name]) for name in ("scope_key", "customer_key", "rows"))
    chunk_rows_max = _like_size(int(counts.sum()), chunk_rows_max)
    first, size = 0, 0
    for number, count in enumerate(counts.tolist()):
        if size and size + count > chunk_rows_max:
            yield _customers(scopes, customers, first, number - 1)
            first, size = number, 0
        size += count
        if size > chunk_rows_max:  # the chunk holds this customer alone
            yield from _days(cursor, rows, day, _customers(scopes, customers, first, number), chunk_rows_max)
            first, size = number + 1, 0
    if size:
        yield _customers(scopes, customers, first, len(counts) - 1)


def _like_size(rows: int, chunk_rows_max: int) -> int:
    """The size of chunks of like size, as few as possible."""
    return max(1, -(-rows // max(1, -(-rows // chunk_rows_max))))


def _customers(scopes: np.ndarray, customers: np.ndarray, first: int, last: int) -> str:
    """The condition for the customers at the indexes `first` to `last`, both inclusive."""
    low, high = int(scopes[first]), int(scopes[last])
    least, greatest = int(customers[first]), int(customers[last])
    if low == high:
        return f"scope_key = {low} AND customer_key BETWEEN {least} AND {greatest}"
    return (
        f"scope_key BETWEEN {low} AND {high} AND (scope_key > {low} OR customer_key >= {least})"
        f" AND (scope_key < {high} OR customer_key <= {greatest})"
    )


def _days(cursor: duckdb.DuckDBPyConnection, rows: str, day: str, customer: str, chunk_rows_max: int) -> Iterator[str]:
    counted = cursor.execute(
        f"SELECT {day} AS day, count(*) FROM ({rows}) WHERE {customer} GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    first: date | None = None
    last: date | None = None
    size = 0
    for at, count in counted:
        if first is not None and size + count > chunk_rows_max:
            yield f"{customer} AND {day} BETWEEN DATE '{first}' AND DATE '{last}'"
            first, size = None, 0
        first, last, size = first or at, at, size + count
    if first is not None:
        yield f"{customer} AND {day} BETWEEN DATE '{first}' AND DATE '{last}'"
