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

import msgspec

from consumers.engine import Finding
from domain.errors import LogCorrupted, UnknownRecord
from domain.log.blocks import check_block
from domain.log.chain import CHAIN_START, chain
from domain.log.records import BLOCK_TOPICS, EventLog
from projections.read_side.verification import HeldStore

_READ_RECORDS_MAX: Final = 64


class NightlyProgress(msgspec.Struct, frozen=True):
    """Progress of the nightly verification: a log position with its running hash, and the last day compared."""

    position: int = 0
    running_hash: bytes = CHAIN_START
    day: date | None = None


def verify_recent(
    log: EventLog,
    store: HeldStore,
    last: NightlyProgress,
    should_stop: Callable[[], bool] = lambda: False,
) -> tuple[NightlyProgress, list[Finding]]:
    """Verify what is new since `last`; return the progress, which does not go beyond a finding, and the findings.

    Ends early when `should_stop` returns True; the next night continues there.
    """
    findings: list[Finding] = []
    until, _ = store.reached()
    position, running_hash = last.position, last.running_hash
    while position < until and not findings and not should_stop():
        records = log.read(position, _READ_RECORDS_MAX, until)
        if not records:
            findings.append(Finding("log", f"position {position + 1}", "a record", "nothing"))
            break
        try:
            for record in records:
                if record.topic in BLOCK_TOPICS:
                    check_block(record.state)
            *_, reached = chain(running_hash, records)
        except (LogCorrupted, UnknownRecord) as error:
            findings.append(Finding("log", f"from position {records[0].position}", "intact records", str(error)))
            break
        stored = store.running_hash_at(records[-1].position)
        if stored != reached:
            key = f"position {records[-1].position}"
            findings.append(Finding("log chain", key, "" if stored is None else stored.hex(), reached.hex()))
            break
        position, running_hash = records[-1].position, reached
    if should_stop():
        return NightlyProgress(position, running_hash, last.day), findings
    day = _next_day(store, last.day)
    if day is not None:
        findings += _day_findings(store, day)
    return NightlyProgress(position, running_hash, day), findings


def _next_day(store: HeldStore, last: date | None) -> date | None:
    """Return the day before `last`, or the newest day after the oldest one; None when there is no usage."""
    days = store.usage_days()
    if days is None:
        return None
    first, newest = days
    candidate = newest if last is None else last - timedelta(days=1)
    return newest if candidate < first else candidate


def _day_findings(store: HeldStore, day: date) -> list[Finding]:
    where = "usage days against usage rows"
    return [
        Finding(where, f"{one.customer_id} on {day}", f"{one.by_rows} events", f"{one.by_deltas} events")
        for one in store.day_differences(day)
    ]
