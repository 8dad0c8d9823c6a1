"""Sums of usage over segments of event time: whole UTC days from the rollups, the rest of a segment from rows.

A day is read from rows when a segment boundary lies inside it or, for one customer, when its markup changes inside it.
Everything is read from rows when the question needs what rollups do not keep: a past position, a group by status,
source, subscription, tag or property, or a filter by properties.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, time
from decimal import Decimal
from typing import Any, Final

import duckdb

from domain.errors import InvalidInput
from domain.usage.block_schema import REQUEST_TYPE, TOKEN_COLUMNS
from domain.values.instants import naive
from projections.duckdb.reading.bound_query import BoundQuery
from projections.duckdb.reading.dimensions import dimensions, members_equal, row_source, version_holds
from projections.duckdb.reading.segments import SegmentMatch, cut_segments, match_days, match_rows
from projections.duckdb.storage.schema import root_requests
from projections.duckdb.storage.series import SERIES_DIMENSIONS, Series, SeriesGroups
from projections.queries.usage import GROUPS_MAX, UsageQuestion, UsageSum, UsageSums, sum_sort_key
from projections.views.customers import MarkupChange

UNMARKED: Final = Decimal(0)

_SUMS: Final = ("events", *TOKEN_COLUMNS, "cost_usd", "cost_unknown_events", "root_requests")
_OF_ROWS: Final = ", ".join(
    {
        "events": "count(*) AS events",
        "cost_usd": "coalesce(sum(r.cost_usd), 0)::DECIMAL(38, 12) AS cost_usd",
        "cost_unknown_events": "count(*) FILTER (r.cost_origin = 'unknown') AS cost_unknown_events",
        "root_requests": f"{root_requests('r.')} AS root_requests",
    }.get(name, f"sum(r.{name}) AS {name}")
    for name in _SUMS
)
_OF_DAYS: Final = ", ".join(f"sum(d.{name}) AS {name}" for name in _SUMS)
_OF_PARTS: Final = ", ".join(f"sum(u.{name}) AS {name}" for name in _SUMS)


class UsageSumQuery:
    """The statement of one question.

    `markups` are the changes of every customer that ever had a markup. Usage of other customers, and usage before a
    customer's first change, has the markup `percentage`.
    """

    def __init__(
        self,
        scope_key: int,
        customer_key: int | None,
        question: UsageQuestion,
        series: Sequence[Series],
        markups: Mapping[int, Sequence[MarkupChange]],
        percentage: Decimal = UNMARKED,
    ) -> None:
        self._query = BoundQuery()
        self._question = question
        types = (REQUEST_TYPE,) if question.event_types is None else question.event_types
        self._groups = SeriesGroups(series, question.group_by, types, question.models)
        self._names = tuple(name for name in question.group_by if name not in SERIES_DIMENSIONS)
        self._dims = dimensions(self._query, self._names)
        by_days = (
            question.as_of is None and not question.properties and all(dim.of_day is not None for dim in self._dims)
        )
        self._segments = cut_segments(question.segments, by_days)
        changed = {change.percentage for changes in markups.values() for change in changes}
        self._percentages = sorted({percentage, *changed})
        self._unchanged = str(self._percentages.index(percentage))
        self._markups = markups
        self._cut_days = _days_cut_by_markup(markups) if by_days else []
        self._relations: dict[str, str] = {}
        scope, numbers = self._query.bind(scope_key), self._query.bind(self._groups.numbers)
        self._kind_group = f"({numbers}::INTEGER[])[kind_key + 1]"
        self._condition = f"scope_key = {scope} AND {self._kind_group} IS NOT NULL"
        if customer_key is not None:
            self._condition += f" AND customer_key = {self._query.bind(customer_key)}"

    def answer(self, cursor: duckdb.DuckDBPyConnection) -> list[UsageSum]:
        """Run the statement. Raises `InvalidInput` when the answer has more than `GROUPS_MAX` sums."""
        if not self._segments or not self._groups.of_group:
            return []
        rows = self._query.rows(cursor, self._statement())
        if len(rows) > GROUPS_MAX:
            rule = f"must not make more than {GROUPS_MAX} groups; use fewer names or a shorter range"
            raise InvalidInput("group_by", rule, "too_many_groups")
        return sorted(map(self._sum, rows), key=sum_sort_key)

    def _sum(self, row: tuple[Any, ...]) -> UsageSum:
        segment, markup, kind_group, *rest = row
        values = iter(rest)
        of_kind = iter(self._groups.of_group[kind_group])
        group = tuple(next(of_kind if name in SERIES_DIMENSIONS else values) for name in self._question.group_by)
        return UsageSum(segment, group, UsageSums(*values), self._percentages[markup])

    def _statement(self) -> str:
        parts = []
        if any(segment.has_days for segment in self._segments):
            parts.append(self._days())
        if self._cut_days or any(segment.has_edges for segment in self._segments):
            parts.append(self._rows())
        groups, customers = [f"u.g{n}" for n in range(len(self._dims))], ""
        if "customer" in self._names:
            number = self._names.index("customer")
            customers = f"JOIN customers c ON c.customer_key = u.g{number}"
            groups[number] = "c.customer_id"
        keys = ", ".join(["u.segment", "u.markup", "u.kind_group", *groups])
        named = ", ".join(f"{name} AS MATERIALIZED ({relation})" for name, relation in self._relations.items())
        together = f"FROM ({' UNION ALL '.join(parts)}) u {customers}"
        several = f"GROUP BY {keys} HAVING sum(u.events) > 0"
        sums, once = (_OF_PARTS, several) if len(parts) > 1 else (", ".join(f"u.{name}" for name in _SUMS), "")
        return f"{f'WITH {named}' if named else ''} SELECT {keys}, {sums} {together} {once} LIMIT {GROUPS_MAX + 1}"

    def _days(self) -> str:
        with_days = [segment for segment in self._segments if segment.has_days]
        first, last = self._query.bind(with_days[0].days_start), self._query.bind(with_days[-1].days_end)
        source = f"(SELECT * FROM usage_days WHERE {self._condition} AND day >= {first} AND day < {last}) d"
        match = match_days(self._query, self._segments, "d.day")
        where = [match.in_segment]
        joins = [match.join]
        if self._cut_days:
            joins.append(self._join_cut_days("d", "d.day"))
            where.append("x.day IS NULL")
        groups = [f"{dim.of_day} AS g{n}" for n, dim in enumerate(self._dims)]
        return self._part(source, "d", "d.day::TIMESTAMP", match, joins, where, groups, _OF_DAYS)

    def _rows(self) -> str:
        first, last = self._query.bind(self._segments[0].start), self._query.bind(self._segments[-1].end)
        holds = version_holds(self._query, self._question.as_of)
        source = row_source(f"{self._condition} AND time >= {first} AND time < {last} AND {holds}", self._dims)
        match = match_rows(self._query, self._segments, "r.time")
        joins = [match.join]
        if self._question.properties or any(dim.needs_kind for dim in self._dims):
            joins.append("JOIN kinds k ON k.kind_key = r.kind_key")
        where = [match.in_segment, *members_equal(self._query, self._question.properties)]
        if any(segment.has_days for segment in self._segments):
            edge = match.at_edge
            if self._cut_days:
                joins.append(self._join_cut_days("r", "r.time::DATE"))
                edge = f"({edge} OR x.day IS NOT NULL)"
            where.append(edge)
        groups = [f"{dim.of_row} AS g{n}" for n, dim in enumerate(self._dims)]
        return self._part(f"{source} r", "r", "r.time", match, joins, where, groups, _OF_ROWS)

    def _part(
        self, source: str, name: str, instant: str, match: SegmentMatch, joins: list[str], where: list[str],
        groups: list[str], sums: str,
    ) -> str:  # fmt: skip
        self._relations.update(match.relations)
        markup = self._unchanged
        if self._markups:
            joins.append(self._join_markups(name, instant))
            markup = f"coalesce(m.markup, {markup})"
        kind_group = f"{self._kind_group} AS kind_group".replace("kind_key", f"{name}.kind_key")
        keys = ", ".join([f"{match.number} AS segment", f"{markup} AS markup", kind_group, *groups])
        return f"""SELECT {keys}, {sums} FROM {source} {" ".join(joins)}
            WHERE {" AND ".join(where)} GROUP BY ALL HAVING events > 0"""

    def _join_markups(self, name: str, instant: str) -> str:
        if "markups" not in self._relations:
            changes = [(key, change) for key, changes in self._markups.items() for change in changes]
            keys, starts = [key for key, _ in changes], [naive(change.start) for _, change in changes]
            percentages = [self._percentages.index(change.percentage) for _, change in changes]
            self._relations["markups"] = f"""SELECT unnest({self._query.bind(keys)}::BIGINT[]) AS customer_key,
                unnest({self._query.bind(starts)}::TIMESTAMP[]) AS start,
                unnest({self._query.bind(percentages)}::INTEGER[]) AS markup"""
        return f"ASOF LEFT JOIN markups m ON m.customer_key = {name}.customer_key AND {instant} >= m.start"

    def _join_cut_days(self, name: str, day: str) -> str:
        if "cut_days" not in self._relations:
            keys, days = [key for key, _ in self._cut_days], [day for _, day in self._cut_days]
            self._relations["cut_days"] = f"""SELECT unnest({self._query.bind(keys)}::BIGINT[]) AS customer_key,
                unnest({self._query.bind(days)}::DATE[]) AS day"""
        return f"LEFT JOIN cut_days x ON x.customer_key = {name}.customer_key AND x.day = {day}"


def _days_cut_by_markup(markups: Mapping[int, Sequence[MarkupChange]]) -> list[tuple[int, date]]:
    """(customer key, day) of every markup change after the first instant of a day."""
    instants = {(key, naive(change.start)) for key, changes in markups.items() for change in changes}
    return sorted({(key, instant.date()) for key, instant in instants if instant.time() != time.min})
