"""Offset pages of counted events, in one of several orders, with the total number of events.

1. Count the matching events; in time order, per UTC day.
2. Find the rows of the page, reading only the columns of the order; in time order only within the days on which the
   page lies, so that the last page needs no sort of everything before it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from itertools import accumulate
from typing import Final

import duckdb

from domain.values.instants import naive
from domain.values.money import COST_DECIMALS, MONEY, USD_LIMIT, marked_up
from projections.duckdb.reading.bound_query import BoundQuery
from projections.duckdb.reading.dimensions import member_text, members_equal
from projections.duckdb.reading.events import RowLocation, conditions_of
from projections.queries.events import EventOrder, EventQuestion
from projections.views.customers import MarkupChange

#: Markup changes by customer key, of every customer that ever had a markup.
Markups = Mapping[int, Sequence[MarkupChange]]

_ONE: Final = Decimal(1)
_ONE_DAY: Final = timedelta(days=1)
#: Costs below `USD_LIMIT` are exact in DECIMAL(38, 20) with any markup. No event may report a higher cost; one whose
#: tokens cost more by a price counts as the limit here.
_COST: Final = f"least(coalesce(r.cost_usd, 0), {USD_LIMIT - _ONE.scaleb(-COST_DECIMALS)})::DECIMAL(27, 12)"
_REPORTED: Final = f"{_COST} * coalesce(m.factor, 1)::DECIMAL(11, 8)"
_BOUND_DECIMALS: Final = _ONE.scaleb(-20)
#: No cost lies outside these bounds, whatever the markup.
_LOWEST, _HIGHEST = Decimal(-1), Decimal(10**18 - 1)
_ORDERS: Final[dict[EventOrder, str]] = {
    "time": "r.time",
    "ended_at": "r.time + to_microseconds(coalesce(r.latency_us, 0))",
    "total_tokens": "r.input_tokens::HUGEINT + r.output_tokens",
}


def needs_markups(question: EventQuestion) -> bool:
    """Return whether the filter or the order of a question depends on reported cost."""
    bounds = (question.reported_min_usd, question.reported_max_usd)
    return question.order == "reported_cost_usd" or bounds != (None, None)


class EventPageQuery:
    """The query of one question.

    `customer_key` and `kind_keys` stand for the customer, model and type of its filter (None: any). `markups` are those
    of the customers in question, if the question needs them.
    """

    def __init__(
        self,
        scope_key: int,
        customer_key: int | None,
        kind_keys: Sequence[int] | None,
        question: EventQuestion,
        markups: Markups,
    ) -> None:
        self._query = BoundQuery()
        self._conditions_on_rows = ["closed_at IS NULL"]
        self._conditions_on_rows += conditions_of(self._query, scope_key, customer_key, kind_keys, question.where)
        self._reported = _REPORTED if markups else _COST
        self._joins = [_join_markups(self._query, markups)] if markups else []
        self._conditions_on_joined = self._conditions(question)
        self._order = _ORDERS.get(question.order, self._reported)
        self._direction = "DESC" if question.descending else "ASC"
        self._by_days = question.order == "time"

    def page(self, cursor: duckdb.DuckDBPyConnection, offset: int, limit: int) -> tuple[int, list[RowLocation]]:
        """Return the number of matching events, and the locations of those of the page at `offset`."""
        counts = self._counts(cursor)
        total = sum(count for _, count in counts)
        if offset >= total:
            return total, []
        within: list[str] = []
        if self._by_days:
            first, last, offset = _days_of_page(counts, offset, limit)
            low, high = _midnight(min(first, last)), _midnight(max(first, last) + _ONE_DAY)
            within = [f"time >= {self._query.bind(low)}", f"time < {self._query.bind(high)}"]
        rows = self._query.rows(
            cursor,
            f"""SELECT r.customer_key, r.time, r.locator {self._matching(within)}
            ORDER BY {self._order} {self._direction}, r.locator {self._direction}
            LIMIT {self._query.bind(limit)} OFFSET {self._query.bind(offset)}""",
        )
        return total, [RowLocation(*row) for row in rows]

    def _counts(self, cursor: duckdb.DuckDBPyConnection) -> list[tuple[date, int]]:
        """Matching events per day, in the order of the page; all under one day unless the order is by time."""
        day = "r.time::DATE" if self._by_days else "DATE '1980-01-01'"
        rows = self._query.rows(
            cursor, f"SELECT {day} AS day, count(*) {self._matching([])} GROUP BY ALL ORDER BY day {self._direction}"
        )
        return [(day, count) for day, count in rows]

    def _matching(self, within: Sequence[str]) -> str:
        rows = f"(SELECT * FROM usage_rows r WHERE {' AND '.join([*self._conditions_on_rows, *within])}) r"
        where = f"WHERE {' AND '.join(self._conditions_on_joined)}" if self._conditions_on_joined else ""
        return f"FROM {rows} {' '.join(self._joins)} {where}"

    def _conditions(self, question: EventQuestion) -> list[str]:
        query = self._query
        found = members_equal(query, question.properties)
        if question.known_as is not None:
            path, text = question.known_as
            found.append(f"coalesce(nullif({member_text(query, path)}, ''), r.id) = {query.bind(text)}")
        if found:
            self._joins.append("JOIN kinds k ON k.kind_key = r.kind_key")
        if question.reported_min_usd is not None:
            found.append(f"{self._reported} >= {_bound(query, question.reported_min_usd, ROUND_CEILING)}")
        if question.reported_max_usd is not None:
            found.append(f"{self._reported} <= {_bound(query, question.reported_max_usd, ROUND_FLOOR)}")
        return found


def _join_markups(query: BoundQuery, markups: Markups) -> str:
    changes = [(key, change) for key, of_customer in markups.items() for change in of_customer]
    keys, starts = [key for key, _ in changes], [naive(change.start) for _, change in changes]
    factors = [format(marked_up(_ONE, change.percentage), "f") for _, change in changes]
    return f"""ASOF LEFT JOIN (SELECT unnest({query.bind(keys)}::BIGINT[]) AS customer_key,
            unnest({query.bind(starts)}::TIMESTAMP[]) AS start,
            unnest({query.bind(factors)}::DECIMAL(11, 8)[]) AS factor) m
        ON m.customer_key = r.customer_key AND r.time >= m.start"""


def _bound(query: BoundQuery, usd: Decimal, rounding: str) -> str:
    """Bind a bound of reported cost. One with more decimals than costs have is rounded to exclude the same costs."""
    within = min(max(usd, _LOWEST), _HIGHEST)
    exact = within.quantize(_BOUND_DECIMALS, rounding, MONEY)
    return f"{query.bind(format(exact, 'f'))}::DECIMAL(38, 20)"


def _days_of_page(counts: Sequence[tuple[date, int]], offset: int, limit: int) -> tuple[date, date, int]:
    """The first and the last day of a page, and the number of events of the first day that precede the page."""
    before = [0, *accumulate(count for _, count in counts)]
    first = bisect_right(before, offset) - 1
    last = min(bisect_left(before, offset + limit), len(counts)) - 1
    return counts[first][0], counts[last][0], offset - before[first]


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min)
