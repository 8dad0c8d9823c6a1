"""The limits that the engine is compared with, on the same events and cores: parsing, inserting and aggregating."""

from __future__ import annotations

import time
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import duckdb
import msgspec
import pyarrow as pa

from projections.duckdb.storage.database import DuckDBDatabase, DuckDBOptions
from projections.duckdb.storage.schema import ROW_COLUMNS


class PlainData(msgspec.Struct, gc=False):
    """The data of a generated event."""

    provider: str | None = None
    model: str | None = None
    input_tokens: int = 0
    cached_input_tokens: int = 0
    output_tokens: int = 0
    status: str | None = None
    cost_usd: Decimal | None = None
    tags: list[str] | None = None
    request_id: str | None = None


class PlainEvent(msgspec.Struct, gc=False):
    """A generated event, read without any rule."""

    id: str
    source: str
    type: str
    specversion: str
    subject: str | None = None
    time: str | None = None
    data: PlainData | None = None


def decode_seconds(bodies: Sequence[bytes]) -> float:
    """The seconds that `msgspec` takes to decode each line into a typed struct."""
    decode = msgspec.json.Decoder(PlainEvent).decode
    started = time.perf_counter()
    for body in bodies:
        for line in body.split(b"\n"):
            decode(line)
    return time.perf_counter() - started


def sample_rows(path: Path, count: int) -> pa.Table:
    """Usage rows of a closed store, written by the fold; rows made by `bench.stored` have negative locators."""
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.sql(f"SELECT * FROM usage_rows WHERE locator > 0 LIMIT {count}").to_arrow_table()


def arrow_insert_seconds(rows: pa.Table, path: Path, rows_per_commit: int) -> float:
    """The seconds that DuckDB takes to insert the same columns as Arrow tables, with one commit for each."""
    database = DuckDBDatabase.open(path, DuckDBOptions("1GB", 1))
    cursor = database.cursor()
    cursor.execute(f"CREATE TABLE alone ({ROW_COLUMNS})")
    chunks = [rows.slice(first, rows_per_commit) for first in range(0, rows.num_rows, rows_per_commit)]
    started = time.perf_counter()
    for chunk in chunks:
        cursor.execute("BEGIN")
        cursor.register("chunk", chunk)
        cursor.execute("INSERT INTO alone BY NAME SELECT * FROM chunk")
        cursor.unregister("chunk")
        cursor.execute("COMMIT")
    seconds = time.perf_counter() - started
    cursor.close()
    database.close()
    return seconds


def group_by_seconds(path: Path) -> tuple[int, float]:
    """The number of usage rows in a store, and the seconds that DuckDB takes to sum them by day in one thread."""
    connection = duckdb.connect(str(path), read_only=True, config={"threads": 1})
    count = int(connection.execute("SELECT count(*) FROM usage_rows").fetchall()[0][0])
    started = time.perf_counter()
    connection.execute(
        """SELECT count(*), sum(events), sum(cost) FROM (
            SELECT count(*) AS events, sum(input_tokens), sum(cached_input_tokens), sum(cache_write_tokens),
                sum(output_tokens), sum(reasoning_tokens), sum(cost_usd) AS cost
            FROM usage_rows GROUP BY scope_key, customer_key, time::DATE, kind_key)"""
    ).fetchall()
    seconds = time.perf_counter() - started
    connection.close()
    return count, seconds
