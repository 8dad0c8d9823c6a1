"""One turn of plain SQLite: events under a primary key, inserted unless there, and counters beside them.

Each body is one transaction, durable when it returns: a write-ahead log that is synchronized with the disk. The
counters by customer, day and model grow by what the body added. SQLite is quiet when its log is in its file.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from bench.limits import PlainEvent
from bench.peers.stream import Held, StoreResult, StoreRun, sent_in, timed

_EVENTS: Final = """CREATE TABLE events (
    source TEXT NOT NULL, id TEXT NOT NULL, customer TEXT, time TEXT, provider TEXT, model TEXT, input_tokens INTEGER,
    cached_input_tokens INTEGER, output_tokens INTEGER, status TEXT, tags TEXT, request_id TEXT,
    PRIMARY KEY (source, id))"""
_COUNTERS: Final = """CREATE TABLE counters (
    customer TEXT, day TEXT, model TEXT, events INTEGER, input_tokens INTEGER, cached_input_tokens INTEGER,
    output_tokens INTEGER, PRIMARY KEY (customer, day, model)) WITHOUT ROWID"""
_INSERT: Final = "INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
#: Of the rows that were added since a row id.
_COUNT: Final = """INSERT INTO counters
    SELECT customer, substr(time, 1, 10), model, count(*), sum(input_tokens), sum(cached_input_tokens),
        sum(output_tokens)
    FROM events WHERE rowid > ? GROUP BY 1, 2, 3
    ON CONFLICT DO UPDATE SET events = events + excluded.events, input_tokens = input_tokens + excluded.input_tokens,
        cached_input_tokens = cached_input_tokens + excluded.cached_input_tokens,
        output_tokens = output_tokens + excluded.output_tokens"""


def measure(run: StoreRun) -> StoreResult:
    """Measure in a new folder. Runs in a process of its own, already pinned."""
    sent = sent_in(run)
    Path(run.folder).mkdir(parents=True)
    path = Path(run.folder) / "usage.sqlite"
    store = sqlite3.connect(path, isolation_level=None)
    for statement in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", _EVENTS, _COUNTERS):
        store.execute(statement)
    _take(store, sent.warming)
    counted, quiet = timed(sent, lambda measured: _take(store, measured), lambda: _come_to_quiet(store))
    distinct, tokens = store.execute("SELECT count(*), sum(input_tokens + output_tokens) FROM events").fetchone()
    (summed,) = store.execute("SELECT sum(events) FROM counters").fetchone()
    store.close()
    return StoreResult(counted, quiet, sent.distinct, Held(distinct, tokens, summed, path.stat().st_size))


def _take(store: sqlite3.Connection, measured: Sequence[bytes]) -> None:
    decoder = msgspec.json.Decoder(PlainEvent)
    for body in measured:
        store.execute("BEGIN IMMEDIATE")
        (last,) = store.execute("SELECT coalesce(max(rowid), 0) FROM events").fetchone()
        store.executemany(_INSERT, _rows(decoder, body))
        store.execute(_COUNT, [last])
        store.execute("COMMIT")


def _rows(decoder: msgspec.json.Decoder[PlainEvent], body: bytes) -> Iterator[tuple[str | int | None, ...]]:
    for event in decoder.decode_lines(body):
        data = event.data
        if data is None:
            raise ValueError("an event of the benchmark has data")
        yield (
            *(event.source, event.id, event.subject, event.time, data.provider, data.model),
            *(data.input_tokens, data.cached_input_tokens, data.output_tokens, data.status),
            *(",".join(data.tags or ()), data.request_id),
        )


def _come_to_quiet(store: sqlite3.Connection) -> float:
    store.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return time.perf_counter()
