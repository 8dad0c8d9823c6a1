"""Nightly verification: the records of the log that were not verified yet, and one older day of usage in rotation.

1. Read every byte of the records since the last run, check their hashes, and follow the hash chain to the running hash
   that the read store holds.
2. Add up the usage rows of one UTC day and compare them with the rollups; the next night takes the day before.

Unlike `verify` it does not fold the log again.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Final

import duckdb
import msgspec

from consumers.engine import Finding
from domain.errors import LogCorrupted, UnknownRecord
from domain.log.blocks import check_block
from domain.log.chain import CHAIN_START, chain
from domain.log.records import USAGE_BATCH_TOPIC, EventLog

_READ_RECORDS_MAX: Final = 64

_DAY: Final = """
    WITH by_rows AS (
        SELECT customer_key, kind_key, count(*) AS events, sum(input_tokens) AS input_tokens,
            sum(output_tokens) AS output_tokens, coalesce(sum(cost_usd), 0) AS cost_usd
        FROM usage_rows WHERE closed_at IS NULL AND time >= $1::DATE AND time < $1::DATE + INTERVAL 1 DAY GROUP BY ALL),
    by_deltas AS (
        SELECT customer_key, kind_key, sum(events) AS events, sum(input_tokens) AS input_tokens,
            sum(output_tokens) AS output_tokens, sum(cost_usd) AS cost_usd
        FROM usage_days WHERE day = $1::DATE GROUP BY ALL HAVING sum(events) <> 0)
    SELECT customer_id, by_rows.events, by_deltas.events FROM by_rows FULL JOIN by_deltas USING (customer_key, kind_key)
    JOIN customers USING (customer_key)
    WHERE (by_rows.events, by_rows.input_tokens, by_rows.output_tokens, by_rows.cost_usd)
        IS DISTINCT FROM (by_deltas.events, by_deltas.input_tokens, by_deltas.output_tokens, by_deltas.cost_usd)
    LIMIT 20"""


class NightlyProgress(msgspec.Struct, frozen=True):
    """Progress of the nightly verification: a log position with its running hash, and the last day compared."""

    position: int = 0
    running_hash: bytes = CHAIN_START
    day: date | None = None


def verify_recent(
    log: EventLog,
    cursor: duckdb.DuckDBPyConnection,
    last: NightlyProgress,
    should_stop: Callable[[], bool] = lambda: False,
) -> tuple[NightlyProgress, list[Finding]]:
    """Verify what is new since `last`; return the progress, which does not go beyond a finding, and the findings.

    Ends early when `should_stop` returns True; the next night continues there.
    """
    findings: list[Finding] = []
    cursor.execute("BEGIN")
    try:
        until = int(cursor.execute("SELECT position FROM progress").fetchall()[0][0])
        position, running_hash = last.position, last.running_hash
        while position < until and not findings and not should_stop():
            records = log.read(position, _READ_RECORDS_MAX, until)
            if not records:
                findings.append(Finding("log", f"position {position + 1}", "a record", "nothing"))
                break
            try:
                for record in records:
                    if record.topic == USAGE_BATCH_TOPIC:
                        check_block(record.state)
                *_, reached = chain(running_hash, records)
            except (LogCorrupted, UnknownRecord) as error:
                findings.append(Finding("log", f"from position {records[0].position}", "intact records", str(error)))
                break
            stored = _stored_hash(cursor, records[-1].position)
            if stored != reached:
                key = f"position {records[-1].position}"
                findings.append(Finding("log chain", key, "" if stored is None else stored.hex(), reached.hex()))
                break
            position, running_hash = records[-1].position, reached
        if should_stop():
            return NightlyProgress(position, running_hash, last.day), findings
        day = _next_day(cursor, last.day)
        if day is not None:
            findings += _day_findings(cursor, day)
    finally:
        cursor.execute("ROLLBACK")
    return NightlyProgress(position, running_hash, day), findings


def _stored_hash(cursor: duckdb.DuckDBPyConnection, position: int) -> bytes | None:
    found = cursor.execute("SELECT running_hash FROM log_records WHERE position = ?", [position]).fetchall()
    return bytes(found[0][0]) if found else None


def _next_day(cursor: duckdb.DuckDBPyConnection, last: date | None) -> date | None:
    """Return the day before `last`, or the newest day after the oldest one; None when there is no usage."""
    first, newest = cursor.execute("SELECT min(day), max(day) FROM usage_days").fetchall()[0]
    if newest is None:
        return None
    candidate: date = newest if last is None else last - timedelta(days=1)
    return newest if candidate < first else candidate


def _day_findings(cursor: duckdb.DuckDBPyConnection, day: date) -> list[Finding]:
    rows = cursor.execute(_DAY, [day]).fetchall()
    return [
        Finding("usage days against usage rows", f"{customer} on {day}", f"{by_rows} events", f"{by_deltas} events")
        for customer, by_rows, by_deltas in rows
    ]
