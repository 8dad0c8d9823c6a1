"""Data folders with many stored ids and rows, made in seconds by the engine's own classes.

1. A real engine creates the folder and takes one event for each million ids, for positions with running hashes.
2. The identity index is filled by `IdentityIndex.add` at those positions, with random hashes, and with the real ones of
   events that are sent again later spread among them.
3. Usage rows are made inside DuckDB, sorted by (scope, customer, time) into a generation, with their rollups by day.
   Their locators are negative, because they have no log records.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import duckdb
import msgspec
import numpy as np

from bench.bench_settings import engine_settings
from bench.events import DAYS, NDJSON, PROVIDERS_AND_MODELS, SOURCES, bodies, event_lines, midnight
from consumers.bootstrap import open_engine
from consumers.embedded.data_folder import DataFolder
from consumers.intake.intake import IntakeRequest
from domain.log.sqlite.event_log import SQLiteEventLog
from domain.scope import DEFAULT_SCOPE
from domain.usage.decoding.decoder import DecodingContext, decode_body
from domain.usage.locators import LOCATOR_ROW_BITS
from projections.duckdb.storage.database import DuckDBDatabase, DuckDBOptions
from projections.duckdb.storage.generations import Generations, add_generation, refresh_views
from projections.folding.recovery import log_creation
from projections.identity.entries import U64
from projections.identity.index import IdentityIndex
from projections.identity.manifest import discard_index
from projections.read_side.compaction import GenerationKind

IDS_PER_POSITION: Final = 1_000_000
ROWS_PER_INSERT: Final = 2_000_000
WAIT_SECONDS_MAX: Final = 120.0
MERGE_BYTES_MAX: Final = 4 * 1024**3
_BODY_EVENTS: Final = 10_000


class Filling(msgspec.Struct, frozen=True):
    """The contents of a folder before anything is measured."""

    folder: str
    ids: int
    rows: int
    customers: int
    known_events: int  # how many of the ids belong to events that can be sent again, see `known_lines`
    seed: int


class FillResult(msgspec.Struct, frozen=True):
    """The contents of a filled folder, and the time it took."""

    ids: int
    rows: int
    runs: int
    seconds_ids: float
    seconds_rows: float


def known_lines(filling: Filling) -> list[bytes]:
    """The events behind the known ones of the stored ids."""
    return event_lines(filling.known_events, filling.customers, filling.seed, midnight(datetime.now(UTC)))


def fill(filling: Filling) -> FillResult:
    """Make a folder that does not exist yet."""
    folder = Path(filling.folder)
    positions, log_id = _positions(folder, filling)
    started = datetime.now(UTC)
    runs = 0
    if filling.ids:
        runs = _fill_index(folder, filling, positions, log_id)
    between = datetime.now(UTC)
    if filling.rows:
        _fill_rows(folder, filling)
    ended = datetime.now(UTC)
    return FillResult(
        filling.ids, filling.rows, runs, (between - started).total_seconds(), (ended - between).total_seconds()
    )


def _positions(folder: Path, filling: Filling) -> tuple[list[tuple[int, bytes]], str]:
    """Create the folder with enough log positions; return them with their running hashes, and the log's id."""
    wanted = max(1, -(-filling.ids // IDS_PER_POSITION))
    lines = event_lines(wanted, filling.customers, filling.seed + 1, midnight(datetime.now(UTC)))
    with open_engine(engine_settings(folder)) as engine:
        for line in lines:
            receipt = engine.intake.submit(IntakeRequest(DEFAULT_SCOPE, NDJSON, line)).result(WAIT_SECONDS_MAX)
        if not engine.wait_folded(receipt.position, WAIT_SECONDS_MAX):
            raise TimeoutError("the first events of a bench folder were not folded in time")
        with engine.read_side.store.held() as store:
            last, _ = store.reached()
            hashes = [(position, store.running_hash_at(position)) for position in range(last - wanted + 1, last + 1)]
        log_id = log_creation(engine.log).log_id
    return [(position, running_hash) for position, running_hash in hashes if running_hash is not None], log_id


def _fill_index(folder: Path, filling: Filling, positions: Sequence[tuple[int, bytes]], log_id: str) -> int:
    settings = engine_settings(folder)
    index_folder = DataFolder(folder).current_read_folder() / "identity"
    discard_index(index_folder)
    index = IdentityIndex.open(
        index_folder,
        log_id,
        filter_bytes_max=settings.identity_filter_bytes_max,
        memory_entries_max=settings.identity_pending_entries_max,
    )
    known_hashes, known_digests = _known_claims(folder, filling)
    chance = np.random.default_rng(filling.seed)
    edges = np.linspace(0, filling.ids, len(positions) + 1).astype(np.int64)
    known_edges = np.linspace(0, len(known_hashes), len(positions) + 1).astype(np.int64)
    for number, (position, running_hash) in enumerate(positions):
        known = slice(known_edges[number], known_edges[number + 1])
        count = int(edges[number + 1] - edges[number])
        random = chance.integers(0, 1 << 64, (2, max(0, count - len(known_hashes[known]))), dtype=np.uint64)
        hashes = np.concatenate((random[0], known_hashes[known]))
        digests = np.concatenate((random[1], known_digests[known]))
        rows = np.arange(len(hashes), dtype=np.uint64) & np.uint64((1 << LOCATOR_ROW_BITS) - 1)
        index.add(hashes, digests, rows + np.uint64(position << LOCATOR_ROW_BITS), position, running_hash)
    index.checkpoint()
    while index.merge_runs(MERGE_BYTES_MAX):
        pass
    runs = index.run_count
    index.close()
    return runs


def _known_claims(folder: Path, filling: Filling) -> tuple[U64, U64]:
    log = SQLiteEventLog(DataFolder(folder).log)
    seed = log_creation(log).hash_seed
    log.close()
    context = DecodingContext(DEFAULT_SCOPE, seed, datetime.now(UTC))
    hashes, digests = [np.empty(0, dtype=np.uint64)], [np.empty(0, dtype=np.uint64)]
    for body in bodies(known_lines(filling), _BODY_EVENTS):
        typed = decode_body(NDJSON, body, context).typed
        hashes.append(np.asarray(typed.column("identity")))
        digests.append(np.asarray(typed.column("content")))
    return np.concatenate(hashes), np.concatenate(digests)


def _fill_rows(folder: Path, filling: Filling) -> None:
    """Insert rows into one compacted generation beside the open one, and their rollups into another."""
    path = DataFolder(folder).current_read_folder() / "store.duckdb"
    database = DuckDBDatabase.open(path, DuckDBOptions("4GB", 2))
    cursor = database.cursor()
    cursor.execute("BEGIN")
    scope_key = cursor.execute("SELECT scope_key FROM scopes ORDER BY scope_key").fetchall()[0][0]
    _add_customers(cursor, scope_key, filling.customers)
    kinds = _kind_keys(cursor)
    rows, days = _compacted(cursor, "rows"), _compacted(cursor, "days")
    first = midnight(datetime.now(UTC)) - timedelta(days=DAYS)
    for low in range(0, filling.rows, ROWS_PER_INSERT):
        # One range of customers at a time, so that the whole is sorted although no sort is larger than one range.
        high = min(filling.rows, low + ROWS_PER_INSERT)
        bounds = [low, high, filling.customers, filling.rows, scope_key, first]
        cursor.execute(_ROWS.format(table=rows, kinds=kinds), bounds)
    cursor.execute(_DAYS.format(table=days, rows=rows))
    for name in (rows, days):
        cursor.execute(f"UPDATE generations SET rows = (SELECT count(*) FROM {name}) WHERE name = ?", [name])
    refresh_views(cursor)
    cursor.execute("COMMIT")
    cursor.close()
    database.checkpoint()
    database.close()


def _compacted(cursor: duckdb.DuckDBPyConnection, kind: GenerationKind) -> str:
    return add_generation(cursor, kind, Generations(cursor).fresh_number(), "settled")


def _add_customers(cursor: duckdb.DuckDBPyConnection, scope_key: int, customers: int) -> None:
    """Add the customers without an event, so that every number from 0 has one; keys continue the existing ones."""
    cursor.execute(
        """INSERT INTO customers
        SELECT (SELECT coalesce(max(customer_key), 0) FROM customers) + row_number() OVER (ORDER BY name), ?, name, 1
        FROM (SELECT 'customer-' || lpad(n::VARCHAR, 7, '0') AS name FROM range(?) r(n))
        WHERE name NOT IN (SELECT customer_id FROM customers)""",
        [scope_key, customers],
    )


def _kind_keys(cursor: duckdb.DuckDBPyConnection) -> str:
    """An SQL list of the keys of all series (type, provider, model) of events; missing ones are added."""
    keys = []
    for provider, model in PROVIDERS_AND_MODELS:
        named = [provider.decode(), model.decode()]
        cursor.execute(
            """INSERT INTO kinds SELECT (SELECT coalesce(max(kind_key), 0) + 1 FROM kinds), 'llm.request', $1, $2
            WHERE NOT EXISTS (SELECT 1 FROM kinds WHERE type = 'llm.request' AND provider = $1 AND model = $2)""",
            named,
        )
        found = cursor.execute("SELECT kind_key FROM kinds WHERE provider = ? AND model = ?", named).fetchall()
        keys.append(str(found[0][0]))
    return f"[{', '.join(keys)}]"


#: Values that resemble those of events and compress alike; row n belongs to customer n * customers / rows.
_ROWS: Final = f"""
    INSERT INTO {{table}} BY NAME
    WITH numbered AS (
        SELECT n, (n * $3) // $4 AS customer, hash(n) AS h, hash(n + 1000000007) AS h2 FROM range($1, $2) r(n))
    SELECT $5::INTEGER AS scope_key, c.customer_key,
        $6::TIMESTAMP + to_microseconds((h % {DAYS * 86_400_000_000})::BIGINT) AS time, -n - 1 AS locator,
        ({{kinds}})[1 + (h2 % 4)::INTEGER] AS kind_key, 'succeeded' AS status, 1 + (h2 % 8000)::BIGINT AS input_tokens,
        (h2 % 4000)::BIGINT AS cached_input_tokens, 0 AS cache_write_tokens, 1 + (h % 1000)::BIGINT AS output_tokens,
        0 AS reasoning_tokens, ((h % 30000)::BIGINT / 1000000)::DECIMAL(38, 12) AS cost_usd, 'price' AS cost_origin,
        1 AS price_position, 1 AS counted_at, NULL AS closed_at, $6::TIMESTAMP AS recorded_at, h AS content,
        'gateway/' || (h2 % {SOURCES})::VARCHAR AS source, 'evt-' || printf('%016x', h) AS id, ['chat'] AS tags,
        '{{{{"request_id":"' || printf('%016x', h2) || '"}}}}' AS properties
    FROM numbered JOIN customers c ON c.customer_id = 'customer-' || lpad(customer::VARCHAR, 7, '0')
        AND c.scope_key = $5
    ORDER BY scope_key, customer_key, time, locator"""

_DAYS: Final = """
    INSERT INTO {table} SELECT scope_key, customer_key, time::DATE, kind_key, count(*), sum(input_tokens),
        sum(cached_input_tokens), sum(cache_write_tokens), sum(output_tokens), sum(reasoning_tokens), sum(cost_usd), 0,
        count(*) FILTER (parent_request IS NULL), min(time), max(time), 0
    FROM {rows} GROUP BY scope_key, customer_key, time::DATE, kind_key
    ORDER BY scope_key, customer_key, time::DATE, kind_key"""
