"""Usage of one customer by UTC calendar month, read in one statement and kept for later questions.

Most periods are calendar months. Their sums, the total of the customer's life and the time range of its usage all
follow from the months without another statement. Questions that months cannot answer are answered from the days.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Final

import duckdb
import msgspec
import numpy as np

from domain.usage.block_schema import REQUEST_TYPE
from domain.values.instants import EPOCH, naive
from domain.values.money import COST_DECIMALS, MONEY
from projections.arrow_columns import Ints
from projections.duckdb.storage.series import SERIES_DIMENSIONS, Series, SeriesGroups
from projections.folding.day_deltas import COST, DAY, EVENTS, FIRST, KIND, LAST, NO_FIRST, NO_LAST, ROOTS, SUM_LIMIT
from projections.queries.usage import Segment, UsageQuestion, UsageSum, UsageSums

#: Monthly sums read per customer, at most. A customer with more is answered from the days.
SUMS_MAX: Final = 1_000
#: Up to this many deltas are summed in Python: DuckDB takes longer to plan an aggregation than to return so few rows.
DELTAS_ADDED_MAX: Final = 256

_COLUMNS: Final = """events, input_tokens, cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens,
    cost_usd, cost_unknown_events, root_requests"""
_DELTAS: Final = f"""SELECT day, kind_key, {_COLUMNS}, first_time, last_time, taken_events
    FROM {{days}} WHERE customer_key = ? LIMIT {DELTAS_ADDED_MAX + 1}"""

_MONTHS: Final = f"""SELECT date_trunc('month', day)::DATE AS month, kind_key, sum(events), sum(input_tokens),
    sum(cached_input_tokens), sum(cache_write_tokens), sum(output_tokens), sum(reasoning_tokens), sum(cost_usd),
    sum(cost_unknown_events), sum(root_requests), min(first_time), max(last_time), sum(taken_events)
    FROM {{days}} WHERE customer_key = ? GROUP BY ALL LIMIT {SUMS_MAX + 1}"""
#: The views of all days, and of the compacted ones, which lie sorted by customer.
ALL_DAYS: Final = "usage_days"
_HELD: Final = """SELECT customer_key, min(time), max(time) FROM usage_rows
    WHERE customer_key IN (SELECT unnest(?::BIGINT[])) AND closed_at IS NULL GROUP BY customer_key"""
#: The first and the last time of something.
Times = tuple[datetime, datetime]
_EPOCH_NAIVE: Final = naive(EPOCH)
COMPACTED_DAYS: Final = "settled_days"


class MonthSum(msgspec.Struct, frozen=True):
    """The usage of one series in the month that begins at `start` (naive UTC)."""

    start: datetime
    kind_key: int
    sums: UsageSums


class MonthlyUsage(msgspec.Struct, frozen=True):
    """A customer's usage as the store holds it at `position`. Times are naive UTC; voided events have none."""

    position: int
    first_time: datetime | None
    last_time: datetime | None
    months: tuple[MonthSum, ...]

    def can_answer(self, question: UsageQuestion) -> bool:
        """Return whether months suffice to answer the question, markup aside."""
        return (
            question.as_of is None
            and not question.properties
            and all(name in SERIES_DIMENSIONS for name in question.group_by)
            and all(self._never_divides(bound) for one in question.segments for bound in (one.start, one.end))
        )

    def _never_divides(self, bound: datetime) -> bool:
        """Return whether no month has usage on both sides of `bound`."""
        if self.first_time is None or self.last_time is None:
            return True
        instant = naive(bound)
        begins_month = instant.day == 1 and instant.time() == time.min
        return begins_month or instant <= self.first_time or instant > self.last_time

    def answer(self, question: UsageQuestion, series: Sequence[Series], percentage: Decimal) -> list[UsageSum]:
        """Return the sums of a question that `can_answer` accepts, unordered; all usage has the markup `percentage`."""
        types = (REQUEST_TYPE,) if question.event_types is None else question.event_types
        placed = [(self._segment(question.segments, month), month) for month in self.months]
        groups = SeriesGroups(series, question.group_by, types, question.models)
        found: dict[tuple[int, int], UsageSums] = {}
        for segment, month in placed:
            group = groups.numbers[month.kind_key]
            if segment is not None and group is not None:
                found[segment, group] = found.get((segment, group), UsageSums()).plus(month.sums)
        return [
            UsageSum(segment, groups.of_group[group], sums, percentage)
            for (segment, group), sums in found.items()
            if sums.events > 0
        ]

    def plus(self, recent: Ints, position: int) -> MonthlyUsage | None:
        """Return this usage with later deltas (rows of `DayDeltas.values`) added, as of `position`.

        None when the result has more than `SUMS_MAX` sums.
        """
        if not len(recent):
            return msgspec.structs.replace(self, position=position)
        firsts = [self.first_time, _instant(int(recent[:, FIRST].min()), NO_FIRST)]
        lasts = [self.last_time, _instant(int(recent[:, LAST].max()), NO_LAST)]
        sums = {(month.start, month.kind_key): month.sums for month in self.months}
        for month, kind_key, added in _sums_by_month(recent):
            known = sums.get((month, kind_key))
            sums[month, kind_key] = added if known is None else known.plus(added)
        if len(sums) > SUMS_MAX:
            return None
        return MonthlyUsage(
            position,
            min((first for first in firsts if first is not None), default=None),
            max((last for last in lasts if last is not None), default=None),
            tuple(MonthSum(month, kind_key, of_month) for (month, kind_key), of_month in sums.items()),
        )

    def _segment(self, segments: Sequence[Segment], month: MonthSum) -> int | None:
        """The number of the segment that holds a month's usage.

        A bound inside a month has all usage on one side (`_never_divides`); the first usage decides for its month.
        """
        instant = month.start if self.first_time is None else max(month.start, self.first_time)
        for number, one in enumerate(segments):
            if naive(one.start) <= instant < naive(one.end):
                return number
        return None


def monthly_usage(
    cursor: duckdb.DuckDBPyConnection, customer_key: int, position: int, days: str = ALL_DAYS
) -> MonthlyUsage | None:
    """Read the usage of a customer from the view `days`, which holds the deltas up to `position`.

    None when the customer has more than `SUMS_MAX` sums.
    """
    rows = cursor.execute(_DELTAS.format(days=days), [customer_key]).fetchall()
    if len(rows) > DELTAS_ADDED_MAX:
        rows = cursor.execute(_MONTHS.format(days=days), [customer_key]).fetchall()
    if len(rows) > SUMS_MAX:
        return None
    sums: dict[tuple[date, int], UsageSums] = {}
    for day, kind_key, *of_day, _, _, _ in rows:
        month = day.replace(day=1), kind_key
        known = sums.get(month)
        sums[month] = UsageSums(*of_day) if known is None else known.plus(UsageSums(*of_day))
    first = min((row[-3] for row in rows if row[-3] is not None), default=None)
    last = max((row[-2] for row in rows if row[-2] is not None), default=None)
    if any(row[-1] for row in rows):
        first, last = held_times(cursor, [customer_key]).get(customer_key, (None, None))
    return MonthlyUsage(
        position,
        first,
        last,
        tuple(MonthSum(_midnight(month), kind_key, of_month) for (month, kind_key), of_month in sums.items()),
    )


def held_times(cursor: duckdb.DuckDBPyConnection, customer_keys: Sequence[int]) -> dict[int, Times]:
    """Read from the rows the first and the last time of the events of each of these customers that has any."""
    if not customer_keys:
        return {}
    found = cursor.execute(_HELD, [list(customer_keys)]).fetchall()
    return {key: (first, last) for key, first, last in found}


def _sums_by_month(deltas: Ints) -> Iterator[tuple[datetime, int, UsageSums]]:
    """Yield (month, series key, sums) of the deltas."""
    months = deltas[:, DAY].astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    groups, which = np.unique(months << 32 | deltas[:, KIND], return_inverse=True)
    added = deltas[:, EVENTS : ROOTS + 1]
    # One customer has few deltas: a bound coarser than that of a whole fold step will do.
    fits = float(np.abs(added.astype(np.float64)).max()) * len(added) < SUM_LIMIT
    sums = np.zeros((len(groups), added.shape[1]), dtype=np.int64 if fits else object)
    np.add.at(sums, which, added if sums.dtype == np.int64 else added.astype(object))
    starts = (groups >> 32).astype("datetime64[M]").astype("datetime64[us]").tolist()
    for start, kind_key, of_month in zip(starts, (groups & 0xFFFFFFFF).tolist(), sums.tolist(), strict=True):
        of_month[COST - EVENTS] = Decimal(of_month[COST - EVENTS]).scaleb(-COST_DECIMALS, MONEY)
        yield start, kind_key, UsageSums(*of_month)


def _instant(microseconds: int, none: int) -> datetime | None:
    return None if microseconds == none else _EPOCH_NAIVE + timedelta(microseconds=microseconds)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min)
