"""Latency and memory of `/customer/list` with many customers, each with a name and a budget of its own.

1. Fill a folder with customers, their usage, and their profiles.
2. Get the first page and the last one, over and over.
3. Read the whole list as one stream, in chunks, and compare the server's peak memory before and after.
"""

from __future__ import annotations

import http.client
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from bench.events import DAYS, midnight
from bench.http_load import Address, percentiles, read_latencies
from bench.serving import serving
from bench.stored import Filling, fill
from consumers.embedded.data_folder import DataFolder
from projections.duckdb.storage.database import DuckDBDatabase, DuckDBOptions

PAGE_SIZE: Final = 50
WARMING_SECONDS: Final = 0.2
_PIECE_BYTES: Final = 1024 * 1024
_STREAM_SECONDS_MAX: Final = 600.0
_OF_A_CUSTOMER: Final = b'"user_id":'


class ListRun(msgspec.Struct, frozen=True):
    """One measurement, which gets each page for `seconds`."""

    filling: Filling
    seconds: float


class PageLatencies(msgspec.Struct, frozen=True):
    """The latencies of one page, in seconds."""

    page: int
    p50: float
    p99: float
    longest: float


class Stream(msgspec.Struct, frozen=True):
    """The whole list in one response: its size, the seconds to its first chunk and to its end, and peak memory."""

    customers: int
    sent_bytes: int
    first_seconds: float
    seconds: float
    owner_bytes_before: int
    owner_bytes_after: int


class ListResult(msgspec.Struct, frozen=True):
    """The latencies of pages and of the whole list."""

    customers: int
    pages: list[PageLatencies]
    stream: Stream


def measure(run: ListRun) -> ListResult:
    """Fill a new folder and measure. Runs in a process of its own, on all cores."""
    customers = run.filling.customers
    fill(run.filling)
    add_profiles(Path(run.filling.folder))
    pages = []
    with serving(Path(run.filling.folder)) as server:
        for page in (1, -(-customers // PAGE_SIZE)):
            path = f"/customer/list?page={page}"
            read_latencies(server.address, [path], WARMING_SECONDS)
            pages.append(PageLatencies(page, *percentiles(read_latencies(server.address, [path], run.seconds))))
        before, _ = server.memory()
        counted, sent_bytes, first_seconds, seconds = stream_customers(server.address)
        stream = Stream(counted, sent_bytes, first_seconds, seconds, before, server.memory()[0])
    if counted != customers:
        raise AssertionError(f"{counted:,} of {customers:,} customers were listed")
    return ListResult(customers, pages, stream)


def add_profiles(folder: Path) -> None:
    """Give every customer of a closed folder a name and a budget of its own, from before all usage."""
    database = DuckDBDatabase.open(DataFolder(folder).current_read_folder() / "store.duckdb", DuckDBOptions("4GB", 2))
    cursor = database.cursor()
    created_at = (midnight(datetime.now(UTC)) - timedelta(days=DAYS + 1)).replace(tzinfo=None)
    cursor.execute("BEGIN")
    cursor.execute(_BUDGETS, [created_at])
    cursor.execute(_PROFILES, [created_at])
    cursor.execute("COMMIT")
    database.checkpoint()
    database.close()


def stream_customers(address: Address) -> tuple[int, int, float, float]:
    """Read `/customer/list` to its end; return customers, bytes, seconds to its first chunk, and seconds."""
    counted, sent_bytes, first_seconds, end = 0, 0, 0.0, b""
    started = time.perf_counter()
    with closing(http.client.HTTPConnection(address.host, address.port, timeout=_STREAM_SECONDS_MAX)) as connection:
        connection.request("GET", "/customer/list", headers={"Authorization": f"Bearer {address.key}"})
        answer = connection.getresponse()
        if answer.status != 200:
            raise AssertionError(f"/customer/list was answered with {answer.status}")
        while chunk := answer.read1(_PIECE_BYTES):
            first_seconds = first_seconds or time.perf_counter() - started
            # A member name that is cut in two is counted with the next chunk.
            counted += (end + chunk).count(_OF_A_CUSTOMER)
            sent_bytes += len(chunk)
            end = (end + chunk)[1 - len(_OF_A_CUSTOMER) :]
    return counted, sent_bytes, first_seconds, time.perf_counter() - started


#: The facts that LiteLLM's /customer/new stores for an alias and a monthly budget, one customer per second. Their
#: positions belong to no log record.
_CREATED_AT: Final = "$1::TIMESTAMP - to_seconds(customer_key)"
_BUDGET_ID: Final = "md5(customer_id)::UUID::VARCHAR"
_BUDGETS: Final = f"""
    INSERT INTO facts
    SELECT 'budget', scope_key, {_BUDGET_ID}, NULL, customer_key, {_CREATED_AT}, {_CREATED_AT}, 'budget.created',
        '{{"period_limit_usd":"10","budget_duration":"1mo","budget_alignment":"calendar"}}', 'bench', 'litellm', NULL,
        [], false
    FROM customers ORDER BY customer_key"""
_PROFILES: Final = f"""
    INSERT INTO facts
    SELECT 'customer', scope_key, NULL, customer_key, customer_key, {_CREATED_AT}, {_CREATED_AT}, 'customer.created',
        '{{"name":"The ' || customer_id || ' Ltd","budget_id":"' || {_BUDGET_ID} || '"}}', 'bench', 'litellm', NULL,
        [], false
    FROM customers ORDER BY customer_key"""
