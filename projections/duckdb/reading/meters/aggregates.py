"""The aggregations of meters in SQL, and the value that their columns make.

In these expressions `m` is a measured row: `value`, `time`, `content`, and what `measured_columns` adds.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import msgspec

from domain.values.instants import naive
from domain.values.money import MONEY
from domain.values.periods import MICROSECOND
from projections.duckdb.reading.bound_query import BoundQuery
from projections.duckdb.reading.dimensions import VALUE_DECIMALS, member_text
from projections.queries.meters import WEIGHTED_DECIMALS, MeterQuestion

#: What stands in an event that takes its value out of a `unique_count`.
REMOVAL: Final = "remove"

_PLAIN: Final = {
    "count": "count(*)",
    "sum": "coalesce(sum(m.value), 0)",
    "max": "max(m.value)",
    "min": "min(m.value)",
    "latest": "arg_max(m.value, row(m.time, m.content, m.value)) FILTER (m.value IS NOT NULL)",
    "unique_count": "count(DISTINCT m.value)",
    "weighted_sum": "coalesce(sum(m.value), 0)",
}
_VALUES: Final = "list(m.value ORDER BY m.time, m.content, m.value) FILTER (m.value IS NOT NULL)"
#: Microseconds times a value may need more digits than a decimal has, so whole parts and fractions are added apart.
_WEIGHED: Final = (
    "coalesce(sum(trunc(m.value)::HUGEINT * m.waits_us), 0)",
    f"coalesce(sum(((m.value - trunc(m.value))::DECIMAL(25, 12) * {10**VALUE_DECIMALS}::DECIMAL(13, 0))::HUGEINT "
    "* m.waits_us), 0)",
)


class Aggregated(msgspec.Struct, frozen=True):
    """One row of an answer, after its keys: the columns of `aggregates` in their order."""

    value: Any
    waited_wholes: Any
    waited_fractions: Any
    events: int
    values: Sequence[Any] | None


def measured_columns(query: BoundQuery, question: MeterQuestion) -> list[str]:
    """Return the columns of measured rows that the aggregation needs beside their values; `r` is a usage row."""
    if question.operation_property is not None:
        operation = member_text(query, question.operation_property)
        return [f"coalesce({operation} <> {query.bind(REMOVAL)}, true) AS adds"]
    if question.aggregation == "weighted_sum":
        base = query.bind(naive(_base(question)))
        since = query.bind(naive(_base(question) if question.weighing is None else question.weighing.since))
        return [f"(epoch_us(greatest(r.time, {since}::TIMESTAMP)) - epoch_us({base}::TIMESTAMP))::HUGEINT AS waits_us"]
    return []


def aggregates(question: MeterQuestion) -> str:
    """Return the columns of `Aggregated` over measured rows, or over those of `by_unique_value`."""
    if question.operation_property is not None:
        return "count(*) FILTER (m.adds AND m.value IS NOT NULL), NULL, NULL, sum(m.events)::BIGINT, NULL"
    weighed = _WEIGHED if question.aggregation == "weighted_sum" else ("NULL", "NULL")
    events = "count(*)" if question.aggregation == "count" else "count(m.value)"
    return ", ".join((_PLAIN[question.aggregation], *weighed, events, _VALUES if question.with_values else "NULL"))


def by_unique_value(keys: Sequence[str], measured: str) -> str:
    """Return one row for each value: whether its last operation adds it. Of those at one instant the last is to add."""
    named = ", ".join(keys)
    return f"""SELECT {named}, m.value, arg_max(m.adds, row(m.time, m.adds)) AS adds, count(m.value) AS events
        FROM {measured} GROUP BY {named}, m.value"""


def value_of(found: Aggregated, question: MeterQuestion, segment: int) -> tuple[Decimal | None, Decimal | None]:
    """Return the value of a group in a segment, and the total of what is weighed."""
    if found.value is None:
        return None, None
    plain = Decimal(found.value)
    if question.aggregation != "weighted_sum":
        return plain, None
    return _weighted(plain, found, question, segment), plain


def _weighted(total: Decimal, found: Aggregated, question: MeterQuestion, segment: int) -> Decimal:
    """The sum of each value times the time from its event to the end, over the length; rounded up."""
    one, base = question.segments[segment], _base(question)
    scale: int = 10**VALUE_DECIMALS
    length = one.end - one.start if question.weighing is None else question.weighing.length
    scaled_total = int(total.scaleb(VALUE_DECIMALS, MONEY))
    waited = int(found.waited_wholes) * scale + int(found.waited_fractions)
    weighed = scaled_total * ((one.end - base) // MICROSECOND) - waited
    units = -(-weighed * 10**WEIGHTED_DECIMALS // (scale * (length // MICROSECOND)))
    return Decimal(units).scaleb(-WEIGHTED_DECIMALS, MONEY)


def _base(question: MeterQuestion) -> datetime:
    """The instant from which the time until events is counted."""
    return question.segments[0].start
