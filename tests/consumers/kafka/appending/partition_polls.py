"""Polls of a partition as a consumer hands them over, and an appender on a log that can be folded."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from consumers.intake.options import IntakeOptions
from consumers.kafka.appending.appender import (
    CommandMessage,
    PartitionAppender,
    PartitionBatch,
    PartitionSource,
    UsageRun,
)
from domain.customers.personal_keys import PersonalKeys
from domain.log.records import EventLog
from domain.scope import DEFAULT_SCOPE, Scope
from tests.fakes.gated_intake import no_price
from tests.fakes.randomness import CountedRandomness

SEED = 7
RECORDED_AT = datetime(2026, 3, 1, tzinfo=UTC)
SOURCE = PartitionSource("cluster-1", "topic-1", "meterfold.usage", 0)
OTHER_PARTITION = PartitionSource("cluster-1", "topic-1", "meterfold.usage", 1)
#: Arrival of the record at offset 0; the next ones follow at intervals of a second.
FIRST_ARRIVAL = RECORDED_AT - timedelta(hours=1)

Sent = bytes | dict[str, Any] | CommandMessage


def arrival_us(offset: int) -> int:
    return (FIRST_ARRIVAL + timedelta(seconds=offset) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def event(event_id: str, customer: str | None = "acme", **data: Any) -> dict[str, Any]:
    """A usage event without a time."""
    whole = {"specversion": "1.0", "id": event_id, "source": "gateway", "type": "llm.request"}
    if customer is not None:
        whole["subject"] = customer
    return {**whole, "data": {"provider": "p", "model": "m", "input_tokens": 10, "output_tokens": 1, **data}}


def command(
    kind: str, subject: str = "acme", command_id: str | None = "1", scope: Scope = DEFAULT_SCOPE, **data: Any
) -> CommandMessage:
    """A command; without an id it is a tombstone. Its offset is given by `poll`."""
    source = None if command_id is None else "crm"
    return CommandMessage(0, scope, kind, source, command_id, subject, data, 0)


def poll(sent: Sequence[Sent], first_offset: int = 0, source: PartitionSource = SOURCE) -> PartitionBatch:
    """A poll of records, one a value, each of them an event, garbage or a command."""
    parts: list[UsageRun | CommandMessage] = []
    for offset, one in enumerate(sent, first_offset):
        if isinstance(one, CommandMessage):
            parts.append(
                CommandMessage(
                    offset, one.scope, one.kind, one.source, one.id, one.subject, one.data, arrival_us(offset)
                )
            )
            continue
        item = one if isinstance(one, bytes) else json.dumps(one).encode()
        last = parts[-1] if parts else None
        if not isinstance(last, UsageRun):
            last = UsageRun(DEFAULT_SCOPE, [], [], [])
            parts.append(last)
        last.items.append(item)
        last.offsets.append(offset)
        last.arrivals_us.append(arrival_us(offset))
    return PartitionBatch(source, first_offset, first_offset + len(sent), parts)


def appender_on(log: EventLog, keys: PersonalKeys, now: datetime = RECORDED_AT, **options: Any) -> PartitionAppender:
    return PartitionAppender(log, keys, SEED, lambda: now, CountedRandomness(), no_price, IntakeOptions(**options))
