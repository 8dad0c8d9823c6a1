"""Values of meters from answers that are kept: see `projections.duckdb.memory.meter_sums`.

1. A question about a subscription is looked for among the answers; any other is read from rows.
2. Ask where the customer's usage was last written, after the answer was looked for: an answer that is kept later may
   hold a write that is not known here.
3. An answer as of a position since which nothing was written is right as it is.
4. If nothing before it was corrected, and values can be combined, events counted since are read alone and added.
5. Everything else is read from rows as a whole.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

import msgspec

from projections.duckdb.memory.meter_sums import KeptValues
from projections.duckdb.reading.cached_reads import CachedReads
from projections.duckdb.reading.meters.values import meter_values
from projections.queries.combined_values import combined_values, is_combinable
from projections.queries.meters import MeterQuestion, MeterValue
from projections.queries.usage import GROUPS_MAX

_encode: Final = msgspec.msgpack.Encoder(decimal_format="string").encode


def kept_meter_values(
    cached: CachedReads, scope_key: int, customer_key: int | None, question: MeterQuestion
) -> list[MeterValue]:
    """Return what `meter_values` does; errors as there."""
    if cached.changes is None or customer_key is None or not _is_kept(question):
        return meter_values(cached.cursor, scope_key, customer_key, question)
    kept_sums, position = cached.cache.meter_sums, cached.point().position
    digest = sha256(_encode([scope_key, customer_key, question])).digest()
    kept = kept_sums.get(digest)
    written = cached.changes.last_written(customer_key)
    if kept is not None and written.usage_at <= min(kept.position, position):
        return list(kept.values)
    found = None
    if kept is not None and is_combinable(question) and written.corrected_at <= kept.position <= position:
        found = _with_later(cached, scope_key, customer_key, question, kept)
    if found is None:
        found = meter_values(cached.cursor, scope_key, customer_key, question)
    kept_sums.keep(digest, position, found)
    return found


def _is_kept(question: MeterQuestion) -> bool:
    """Whether it is about a subscription, whose period many readers ask for."""
    return (
        question.subscription is not None
        and not question.with_values
        and question.as_of is None
        and question.with_events
    )


def _with_later(
    cached: CachedReads, scope_key: int, customer_key: int, question: MeterQuestion, kept: KeptValues
) -> list[MeterValue] | None:
    """The answer with events counted since; None where it has too many groups then, of which reading it tells."""
    later = msgspec.structs.replace(question, counted_after=kept.position)
    of_later = meter_values(cached.cursor, scope_key, customer_key, later)
    found = combined_values(question.aggregation, [*kept.values, *of_later])
    return found if len(found) <= GROUPS_MAX else None
