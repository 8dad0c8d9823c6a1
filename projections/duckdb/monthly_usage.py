"""Everything counted for one customer, by UTC calendar month: one statement that answers most of what is asked of it.

The usual periods are months, so that their sums, the life's total and when the customer was seen come out of it without
another statement. What it does not answer is asked of the days.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Final

import duckdb
import msgspec

from domain.usage_rules import REQUEST_TYPE
from projections.duckdb.instants import naive
from projections.duckdb.kinds import KIND_DIMENSIONS, Kind, KindGroups
from projections.read_store import Segment, UsageQuestion, UsageSum, UsageSums

#: Sums of a customer that are read at most; who has more is asked for by days.
SUMS_MAX: Final = 1_000
#: Deltas of a customer that are added up here. DuckDB takes longer to plan a sum than to hand over so few.
DELTAS_ADDED_MAX: Final = 256

_COLUMNS: Final = """events, input_tokens, cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens,
    cost_usd, cost_unknown_events"""
_DELTAS: Final = f"""SELECT day, kind_key, {_COLUMNS}, first_time, last_time
    FROM usage_days WHERE customer_key = ? LIMIT {DELTAS_ADDED_MAX + 1}"""

_MONTHS: Final = f"""SELECT date_trunc('month', day)::DATE AS month, kind_key, sum(events), sum(input_tokens),
    sum(cached_input_tokens), sum(cache_write_tokens), sum(output_tokens), sum(reasoning_tokens), sum(cost_usd),
    sum(cost_unknown_events), min(first_time), max(last_time)
    FROM usage_days WHERE customer_key = ? GROUP BY ALL LIMIT {SUMS_MAX + 1}"""


class MonthSum(msgspec.Struct, frozen=True):
    """Of one kind, in the month that begins at `start` (naive UTC)."""

    start: datetime
    kind_key: int
    sums: UsageSums


class MonthlyUsage(msgspec.Struct, frozen=True):
    """A customer's usage as the store at `position` holds it. Times are naive UTC, of all usage ever counted."""

    position: int
    first_time: datetime | None
    last_time: datetime | None
    months: tuple[MonthSum, ...]

    def answers(self, question: UsageQuestion) -> bool:
        """Whether months tell everything that the question asks for, whatever the markup."""
        return (
            question.as_of is None
            and not question.properties
            and all(name in KIND_DIMENSIONS for name in question.group_by)
            and all(self._never_divides(bound) for one in question.segments for bound in (one.start, one.end))
        )

    def _never_divides(self, bound: datetime) -> bool:
        """Whether no month has usage on both sides of `bound`."""
        if self.first_time is None or self.last_time is None:
            return True
        instant = naive(bound)
        begins_month = instant.day == 1 and instant.time() == time.min
        return begins_month or instant <= self.first_time or instant > self.last_time

    def answer(self, question: UsageQuestion, kinds: Sequence[Kind], percentage: Decimal) -> list[UsageSum]:
        """The sums that the question asks for, not in order; all usage in it has the markup `percentage`."""
        types = (REQUEST_TYPE,) if question.event_types is None else question.event_types
        groups = KindGroups(kinds, question.group_by, types, question.models)
        found: dict[tuple[int, int], UsageSums] = {}
        for month in self.months:
            segment, group = self._segment(question.segments, month), groups.numbers[month.kind_key]
            if segment is not None and group is not None:
                found[segment, group] = found.get((segment, group), UsageSums()).plus(month.sums)
        return [
            UsageSum(segment, groups.of_group[group], sums, percentage)
            for (segment, group), sums in found.items()
            if sums.requests > 0
        ]

    def _segment(self, segments: Sequence[Segment], month: MonthSum) -> int | None:
        """The number of the segment that holds a month's usage: of the first usage in a month that is divided by
        a bound before all usage, the segment after it."""
        instant = month.start if self.first_time is None else max(month.start, self.first_time)
        for number, one in enumerate(segments):
            if naive(one.start) <= instant < naive(one.end):
                return number
        return None


def monthly_usage(cursor: duckdb.DuckDBPyConnection, customer_key: int, position: int) -> MonthlyUsage | None:
    """Everything of a customer, in a snapshot at `position`; None when that is more than `SUMS_MAX` sums."""
    rows = cursor.execute(_DELTAS, [customer_key]).fetchall()
    if len(rows) > DELTAS_ADDED_MAX:
        rows = cursor.execute(_MONTHS, [customer_key]).fetchall()
    if len(rows) > SUMS_MAX:
        return None
    sums: dict[tuple[date, int], UsageSums] = {}
    for day, kind_key, *of_day, _, _ in rows:
        month = day.replace(day=1), kind_key
        known = sums.get(month)
        sums[month] = UsageSums(*of_day) if known is None else known.plus(UsageSums(*of_day))
    return MonthlyUsage(
        position,
        min((row[-2] for row in rows if row[-2] is not None), default=None),
        max((row[-1] for row in rows if row[-1] is not None), default=None),
        tuple(MonthSum(_midnight(month), kind_key, of_month) for (month, kind_key), of_month in sums.items()),
    )


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min)
