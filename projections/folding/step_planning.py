"""The records that fit into one step of the fold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from domain.backfills.events import BACKFILL_COMMITTED, BACKFILL_REVERTED
from domain.correction_runs.events import CORRECTION_RUN_COMMITTED, CORRECTION_RUN_REVERTED
from domain.corrections.events import USAGE_AMENDED, USAGE_REPLACED, USAGE_RESTORED, USAGE_VOIDED
from domain.log.blocks import read_header
from domain.log.records import STAGED_BATCH_TOPIC, USAGE_BATCH_TOPIC, LogRecord
from domain.repricings.events import REPRICING_COMMITTED, REPRICING_REVERTED

#: Topics of the corrections of single events.
CORRECTIONS: Final = (USAGE_VOIDED, USAGE_RESTORED, USAGE_AMENDED)
#: Topics of records that change rows of usage folded before.
CHANGES_OF_ROWS: Final = (
    *CORRECTIONS,
    USAGE_REPLACED,
    *(CORRECTION_RUN_COMMITTED, CORRECTION_RUN_REVERTED),
    *(REPRICING_COMMITTED, REPRICING_REVERTED),
    *(BACKFILL_COMMITTED, BACKFILL_REVERTED),
)
#: Topics of records by which events claim that came before. The index has no claim of a step before its end, so each is
#: folded alone.
CHANGES_OF_CLAIMS: Final = (BACKFILL_COMMITTED, BACKFILL_REVERTED)

#: Topics of lifecycle events that may be folded before or after usage of the same step with the same result, unless
#: one is the deletion of a customer with prices or subscriptions of its own.
_INDEPENDENT_OF_USAGE: Final = ("customer.", "budget.", "source.", "command.", STAGED_BATCH_TOPIC)


def foldable_together(records: Sequence[LogRecord], affects_usage: Callable[[LogRecord], bool]) -> list[LogRecord]:
    """The leading records that can be folded in one step: no usage together with lifecycle events that affect it.

    `affects_usage`: whether a record is a deletion that ends prices or subscriptions known before these records. None
    that one of them sets is ended in a step with usage, since a price or a subscription is in none.
    """
    usage, lifecycle = False, False
    for number, record in enumerate(records):
        if record.topic in CHANGES_OF_CLAIMS:
            return list(records[: number or 1])
        if record.topic == USAGE_BATCH_TOPIC:
            usage = True
        elif not record.topic.startswith(_INDEPENDENT_OF_USAGE) or affects_usage(record):
            lifecycle = True
        if usage and lifecycle:
            return list(records[:number])
    return list(records)


def before_corrections(records: Sequence[LogRecord], after: int) -> list[LogRecord]:
    """The leading records: those before the first one behind position `after` that changes rows of earlier usage.

    A price is none of them: it changes rows of unknown cost alone, and these are never missing.
    """
    for number, record in enumerate(records):
        if record.position > after and record.topic in CHANGES_OF_ROWS:
            return list(records[:number])
    return list(records)


def count_within(records: Sequence[LogRecord], events_max: int) -> int:
    """The number of leading records that have at most `events_max` usage events; at least one."""
    events = 0
    for number, record in enumerate(records):
        if record.topic == USAGE_BATCH_TOPIC:
            events += read_header(record.state).count
        if events > events_max and number:
            return number
    return len(records)
