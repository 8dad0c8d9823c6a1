"""One turn of ClickHouse in this process (chdb): a MergeTree, and a view that sums by customer, day and model.

ClickHouse reads the bodies itself, as JSONEachRow, one insert for each. It keeps repeated events and sums them again.
It writes no log first, and by default it does not wait for the disk. It is quiet when no merge has run, and no part has
come or gone, for a while; merges are not forced.
"""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from bench.peers.stream import Held, StoreResult, StoreRun, sent_in, timed

STILL_SECONDS: Final = 1.0
LOOK_SECONDS: Final = 0.05
QUIET_SECONDS_MAX: Final = 300.0

_EVENTS: Final = """CREATE TABLE events (
    specversion LowCardinality(String), id String, source LowCardinality(String), type LowCardinality(String),
    subject String, time DateTime64(6, 'UTC'),
    data Tuple(provider LowCardinality(String), model LowCardinality(String), input_tokens UInt64,
        cached_input_tokens UInt64, output_tokens UInt64, status LowCardinality(String),
        tags Array(LowCardinality(String)), request_id String)
    ) ENGINE = MergeTree ORDER BY (subject, time)"""
_DAYS: Final = """CREATE TABLE days (
    customer String, day Date, model LowCardinality(String), events UInt64, input_tokens UInt64,
    cached_input_tokens UInt64, output_tokens UInt64
    ) ENGINE = SummingMergeTree ORDER BY (customer, day, model)"""
_VIEW: Final = """CREATE MATERIALIZED VIEW summed TO days AS
    SELECT subject AS customer, toDate(time) AS day, data.model AS model, count() AS events,
        sum(data.input_tokens) AS input_tokens, sum(data.cached_input_tokens) AS cached_input_tokens,
        sum(data.output_tokens) AS output_tokens
    FROM events GROUP BY customer, day, model"""
_ACTIVITY: Final = """SELECT (SELECT count() FROM system.merges) AS merges,
    (SELECT groupArray(name) FROM (SELECT table || name AS name FROM system.parts
        WHERE active AND database = 'usage' ORDER BY name)) AS parts"""
_HELD: Final = """SELECT (SELECT count() FROM (SELECT DISTINCT source, id FROM events)),
    (SELECT sum(tokens) FROM
        (SELECT any(data.input_tokens + data.output_tokens) AS tokens FROM events GROUP BY source, id)),
    (SELECT sum(events) FROM days),
    (SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = 'usage')"""


def chdb_is_there() -> bool:
    """Whether chdb is installed, which only this measurement needs (`pip install meterfold[bench]`)."""
    return importlib.util.find_spec("chdb") is not None


def measure(run: StoreRun) -> StoreResult:
    """Measure in a new folder. Runs in a process of its own, already pinned."""
    from chdb.session import Session

    sent = sent_in(run)
    Path(run.folder).mkdir(parents=True)
    session: Any = Session(run.folder)
    # It counts the cores of the machine, not those that this process may use.
    cores = len(os.sched_getaffinity(0))
    for statement in (
        f"SET max_threads = {cores}",
        f"SET max_insert_threads = {cores}",
        "SET date_time_input_format = 'best_effort'",
        "CREATE DATABASE usage ENGINE = Atomic",
        "USE usage",
        _EVENTS,
        _DAYS,
        _VIEW,
    ):
        session.query(statement)
    _insert(session, sent.warming)
    _come_to_quiet(session)
    counted, quiet = timed(sent, lambda measured: _insert(session, measured), lambda: _come_to_quiet(session))
    held = Held(*(int(number) for number in _answer(session, _HELD)))
    session.close()
    return StoreResult(counted, quiet, sent.distinct, held)


def _insert(session: Any, measured: Sequence[bytes]) -> None:
    for body in measured:
        with session.send_insert("INSERT INTO events", "JSONEachRow") as rows:
            rows.append(body)
            rows.finish()


def _come_to_quiet(session: Any) -> float:
    """Wait until nothing has happened for a while; return the moment when something last did."""
    started = last = time.perf_counter()
    known: list[str] = []
    while time.perf_counter() - last < STILL_SECONDS:
        merges, *parts = _answer(session, _ACTIVITY)
        if int(merges) or parts != known:
            last, known = time.perf_counter(), parts
        if last - started > QUIET_SECONDS_MAX:
            raise TimeoutError("the merges of ClickHouse did not end within the time of a benchmark")
        time.sleep(LOOK_SECONDS)
    return last


def _answer(session: Any, question: str) -> list[str]:
    """The columns of an answer of one row."""
    return str(session.query(question, "TabSeparated")).strip().split("\t")
