"""Values of meters from answers that are kept: see `projections.duckdb.memory.kept_answers`."""

from __future__ import annotations

from functools import partial

import msgspec

from projections.duckdb.memory.kept_answers import Reads, kept_or_read
from projections.duckdb.reading.cached_reads import CachedReads
from projections.duckdb.reading.meters.values import meter_values
from projections.queries.combined_values import combined_values, is_combinable
from projections.queries.meters import MeterQuestion, MeterValue
from projections.queries.usage import GROUPS_MAX


def kept_meter_values(
    cached: CachedReads, scope_key: int, customer_key: int | None, question: MeterQuestion
) -> list[MeterValue]:
    """Return what `meter_values` does; errors as there."""
    if cached.changes is None or customer_key is None or not _is_kept(question):
        return meter_values(cached.cursor, scope_key, customer_key, question)

    def read(counted_after: int | None) -> list[MeterValue]:
        asked = msgspec.structs.replace(question, counted_after=counted_after)
        return meter_values(cached.cursor, scope_key, customer_key, asked)

    reads = Reads(
        partial(cached.changes.last_written, customer_key),
        read,
        partial(combined_values, question.aggregation) if is_combinable(question) else None,
        GROUPS_MAX,
    )
    asked = ["meter", scope_key, customer_key, question]
    return kept_or_read(cached.cache.answers, asked, cached.point().position, reads)


def _is_kept(question: MeterQuestion) -> bool:
    """Whether it is about a subscription, whose period many readers ask for."""
    return (
        question.subscription is not None
        and not question.with_values
        and question.as_of is None
        and question.with_events
    )
