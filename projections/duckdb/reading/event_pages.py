"""Pages of counted events by number, in one of several orders, with how many events there are.

1. Count the events that fit, those in the order of time by their day.
2. Find the rows of the page by nothing but what they are ordered by; in the order of time only among the days on which
   the page lies, so that the last page is not found by sorting everything before it.
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
from projections.duckdb.reading.bound_query import Query
from projections.duckdb.reading.dimensions import member_text, members_are
from projections.duckdb.reading.events import Place, conditions_of
from projections.queries.events import EventOrder, EventQuestion
from projections.views.markups import MarkupChange

#: The changes of every customer, by key, that ever had a markup.
Markups = Mapping[int, Sequence[MarkupChange]]

_ONE: Final = Decimal(1)
_ONE_DAY: Final = timedelta(days=1)
#: Costs below `USD_LIMIT` with their markup are exact in DECIMAL(38, 20). No event may report more; one whose tokens
#: cost more by their price counts as the limit here.
_COST: Final = f"least(coalesce(r.cost_usd, 0), {USD_LIMIT - _ONE.scaleb(-COST_DECIMALS)})::DECIMAL(27, 12)"
_REPORTED: Final = f"{_COST} * coalesce(m.factor, 1)::DECIMAL(11, 8)"
_BOUND_DECIMALS: Final = _ONE.scaleb(-20)
#: Outside of these bounds are no costs, whatever the markup.
_LOWEST, _HIGHEST = Decimal(-1), Decimal(10**18 - 1)
_ORDERS: Final[dict[EventOrder, str]] = {
    "time": "r.time",
    "ended_at": "r.time + to_microseconds(coalesce(r.latency_us, 0))",
    "total_tokens": "r.input_tokens::HUGEINT + r.output_tokens",
}


def needs_markups(question: EventQuestion) -> bool:
    """Whether which events fit, or their order, is a matter of reported cost."""
    bounds = (question.reported_min_usd, question.reported_max_usd)
    return question.order == "reported_cost_usd" or bounds != (None, None)


class EventPaging:
    """One question. `customer_key` and `kind_keys` are what customer, model and type of its filter mean (None: any);
    `markups` those of the customers in question, where it needs them."""

    def __init__(
        self,
        scope_key: int,
        customer_key: int | None,
        kind_keys: Sequence[int] | None,
        question: EventQuestion,
        markups: Markups,
    ) -> None:
        self._query = Query()
        self._whole = ["closed_at IS NULL"]
        self._whole += conditions_of(self._query, scope_key, customer_key, kind_keys, question.where)
        self._reported = _REPORTED if markups else _COST
        self._joins = [_join_markups(self._query, markups)] if markups else []
        self._fits = self._conditions(question)
        self._order = _ORDERS.get(question.order, self._reported)
        self._direction = "DESC" if question.descending else "ASC"
        self._by_days = question.order == "time"

    def page(self, cursor: duckdb.DuckDBPyConnection, offset: int, limit: int) -> tuple[int, list[Place]]:
        """How many events fit, and where those from `offset` on are."""
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
            f"""SELECT r.customer_key, r.time, r.locator {self._fitting(within)}
            ORDER BY {self._order} {self._direction}, r.locator {self._direction}
            LIMIT {self._query.bind(limit)} OFFSET {self._query.bind(offset)}""",
        )
        return total, [Place(*row) for row in rows]

    def _counts(self, cursor: duckdb.DuckDBPyConnection) -> list[tuple[date, int]]:
        """Events that fit, by day in the order of the page; all on one day where days are of no use."""
        day = "r.time::DATE" if self._by_days else "DATE '1980-01-01'"
        rows = self._query.rows(
            cursor, f"SELECT {day} AS day, count(*) {self._fitting([])} GROUP BY ALL ORDER BY day {self._direction}"
        )
        return [(day, count) for day, count in rows]

    def _fitting(self, within: Sequence[str]) -> str:
        rows = f"(SELECT * FROM usage_rows WHERE {' AND '.join([*self._whole, *within])}) r"
        where = f"WHERE {' AND '.join(self._fits)}" if self._fits else ""
        return f"FROM {rows} {' '.join(self._joins)} {where}"

    def _conditions(self, question: EventQuestion) -> list[str]:
        query = self._query
        found = members_are(query, question.properties)
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


def _join_markups(query: Query, markups: Markups) -> str:
    changes = [(key, change) for key, of_customer in markups.items() for change in of_customer]
    keys, starts = [key for key, _ in changes], [naive(change.start) for _, change in changes]
    factors = [format(marked_up(_ONE, change.percentage), "f") for _, change in changes]
    return f"""ASOF LEFT JOIN (SELECT unnest({query.bind(keys)}::BIGINT[]) AS customer_key,
            unnest({query.bind(starts)}::TIMESTAMP[]) AS start,
            unnest({query.bind(factors)}::DECIMAL(11, 8)[]) AS factor) m
        ON m.customer_key = r.customer_key AND r.time >= m.start"""


def _bound(query: Query, usd: Decimal, rounding: str) -> str:
    """A bound of reported cost; `rounding` away from what does not fit, where it has more decimals than cost has."""
    within = min(max(usd, _LOWEST), _HIGHEST)
    exact = within.quantize(_BOUND_DECIMALS, rounding, MONEY)
    return f"{query.bind(format(exact, 'f'))}::DECIMAL(38, 20)"


def _days_of_page(counts: Sequence[tuple[date, int]], offset: int, limit: int) -> tuple[date, date, int]:
    """The first and the last day on which a page lies, and how many events of the first one come before it."""
    before = [0, *accumulate(count for _, count in counts)]
    first = bisect_right(before, offset) - 1
    last = min(bisect_left(before, offset + limit), len(counts)) - 1
    return counts[first][0], counts[last][0], offset - before[first]


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min)
