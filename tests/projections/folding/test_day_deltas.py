"""Deltas of the daily rollup equal the sums of their rows, added up one by one."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from domain.usage.block_schema import COST, INSTANT, TOKEN_COLUMNS
from projections.folding.day_deltas import DayDeltas, delta_table, deltas_of_rows

START = datetime(2026, 3, 1, tzinfo=UTC)
LARGEST = 2**63 - 1


class Row(msgspec.Struct, frozen=True):
    customer_key: int
    time: datetime
    kind_key: int
    tokens: int
    cost_usd: Decimal | None
    cost_origin: str
    closed_at: int | None
    parent: str | None = None
    requests: int | None = None


costs = st.one_of(
    st.none(), st.decimals(min_value=0, max_value=100, places=12), st.just(Decimal(10**15) - Decimal("1e-12"))
)
rows_of = st.lists(
    st.builds(
        Row,
        customer_key=st.one_of(st.integers(1, 4), st.just(2**40)),
        time=st.one_of(
            st.datetimes(START.replace(tzinfo=None), START.replace(tzinfo=None) + timedelta(days=3)),
            st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)),  # noqa: DTZ001
        ),
        kind_key=st.integers(1, 3),
        tokens=st.one_of(st.integers(0, 10_000), st.integers(0, LARGEST)),
        cost_usd=costs,
        cost_origin=st.sampled_from(["producer", "none", "price", "unknown"]),
        closed_at=st.one_of(st.none(), st.none(), st.integers(1, 9)),
        parent=st.sampled_from([None, "root"]),
        requests=st.sampled_from([None, None, 1, 40]),
    ),
    max_size=30,
)


def scope_of(customer_key: int) -> int:
    return 1 + customer_key % 2


def table_of(rows: list[Row]) -> pa.Table:
    columns: dict[str, Any] = {
        "scope_key": pa.array([scope_of(row.customer_key) for row in rows], pa.int32()),
        "customer_key": pa.array([row.customer_key for row in rows], pa.int64()),
        "time": pa.array([row.time for row in rows], INSTANT),
        "kind_key": pa.array([row.kind_key for row in rows], pa.int32()),
        "cost_usd": pa.array([row.cost_usd for row in rows], COST),
        "cost_origin": pa.array([row.cost_origin for row in rows], pa.utf8()).dictionary_encode(),
        "parent_request": pa.array([row.parent for row in rows], pa.utf8()),
        "requests": pa.array([row.requests for row in rows], pa.int64()),
        "closed_at": pa.array([row.closed_at for row in rows], pa.int64()),
    }
    for place, name in enumerate(TOKEN_COLUMNS):
        columns[name] = pa.array([row.tokens // (place + 1) for row in rows], pa.int64())
    return pa.table(columns)


def added_up(rows: list[Row]) -> dict[tuple[int, int, date, int], list[Any]]:
    """The reference: the deltas computed row by row."""
    days: dict[tuple[int, int, date, int], list[Any]] = {}
    for row in rows:
        if row.closed_at is not None:
            continue
        key = scope_of(row.customer_key), row.customer_key, row.time.date(), row.kind_key
        day = days.setdefault(key, [0, *[0] * len(TOKEN_COLUMNS), Decimal(0), 0, 0, row.time, row.time])
        day[0] += 1
        for place in range(len(TOKEN_COLUMNS)):
            day[1 + place] += row.tokens // (place + 1)
        day[6] += row.cost_usd or Decimal(0)
        day[7] += row.cost_origin == "unknown"
        day[8] += (row.requests or 1) if row.parent is None else 0
        day[9], day[10] = min(day[9], row.time), max(day[10], row.time)
    return days


def told(deltas: DayDeltas) -> dict[tuple[int, int, date, int], list[Any]]:
    names = ("events", *TOKEN_COLUMNS, "cost_usd", "cost_unknown_events", "root_requests")
    return {
        (row["scope_key"], row["customer_key"], row["day"], row["kind_key"]): [
            *(row[name] for name in names),
            row["first_time"].replace(tzinfo=None),
            row["last_time"].replace(tzinfo=None),
        ]
        for row in delta_table(deltas).to_pylist()
    }


@given(rows_of)
def test_deltas_are_what_their_rows_add_up_to(rows: list[Row]) -> None:
    deltas = deltas_of_rows(table_of(rows))
    expected = added_up(rows)
    if deltas is not None:
        assert told(deltas) == expected
        assert delta_table(deltas).num_rows == len(expected)
    else:
        held = [row for row in rows if row.closed_at is None]
        most = max(sum(row.tokens for row in held), sum(int((row.cost_usd or 0) * 10**12) for row in held))
        assert most > 2**61  # never given up for less


@given(rows_of)
def test_the_deltas_of_a_customer_stand_together(rows: list[Row]) -> None:
    deltas = deltas_of_rows(table_of(rows))
    if deltas is not None:
        keys = [key for _, key, _, _ in added_up(rows)]
        assert deltas.customers.tolist() == sorted(set(keys))
        assert np.diff(deltas.starts).tolist() == [keys.count(key) for key in sorted(set(keys))]


def test_a_sum_beyond_64_bits_gives_no_deltas() -> None:
    row = Row(1, START.replace(tzinfo=None), 1, LARGEST, None, "none", None)
    assert deltas_of_rows(table_of([row, row])) is None
    assert deltas_of_rows(table_of([msgspec.structs.replace(row, tokens=2**61)])) is not None
    assert deltas_of_rows(table_of([msgspec.structs.replace(row, tokens=0, cost_usd=Decimal(10**8))])) is None
