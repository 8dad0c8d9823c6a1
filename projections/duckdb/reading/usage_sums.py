"""Sums of usage over segments of event time: whole UTC days from the rollups, the rest of a segment from rows.

Units without a column of their own have a rollup of their own, which a second statement of the same form reads.

A day is read from rows when a segment boundary lies inside it or, for one customer, when its markup changes inside it.
Everything is read from rows when the question needs what rollups do not keep: a past position, events counted after
another, a group by status, source, subscription, tag or property, or a filter by properties.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, time
from decimal import Decimal
from typing import Any, Final

import duckdb
import msgspec

from domain.errors import InvalidInput
from domain.usage.block_schema import REQUEST_TYPE, TOKEN_COLUMNS
from domain.values.instants import naive
from projections.duckdb.reading.bound_query import BoundQuery, Row
from projections.duckdb.reading.dimensions import dimensions, members_equal, row_source, version_holds
from projections.duckdb.reading.segments import SegmentMatch, cut_segments, match_days, match_rows
from projections.duckdb.storage.schema import root_requests
from projections.duckdb.storage.series import SERIES_DIMENSIONS, Series, SeriesGroups
from projections.queries.usage import (
    GROUPS_MAX,
    UNIT_SUMS_MAX,
    UsageQuestion,
    UsageSum,
    UsageSums,
    sum_sort_key,
)
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


class _Summed(msgspec.Struct, frozen=True):
    """What a statement sums: `columns` of the rollup `days`, and `of_rows`, the same sums of rows.

    `rows` is the source of the rows, made of the subquery of those that a question concerns. Sums are made for each
    of `keys`, too. A group is in the answer if its sum of the first column meets the condition `holds`; there may be
    `sums_max` of them.
    """

    days: str
    columns: tuple[str, ...]
    of_rows: str
    holds: str
    rows: str = "{rows}"
    keys: tuple[str, ...] = ()
    sums_max: int = GROUPS_MAX


_USAGE: Final = _Summed("usage_days", _SUMS, _OF_ROWS, "> 0")
_UNITS: Final = _Summed(
    "unit_days",
    ("quantity",),
    "sum(r.quantity) AS quantity",
    "<> 0",
    "(SELECT *, unnest(unit_names) AS unit, unnest(unit_quantities) AS quantity FROM {rows}"
    " WHERE unit_names IS NOT NULL)",
    ("unit",),
    UNIT_SUMS_MAX,
)


class UsageSumQuery:
    """The statement of one question, or two of them if it asks for units.

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
        self._dims = dimensions(self._query, self._names, question.names_max)
        by_days = (
            question.as_of is None
            and question.counted_after is None
            and not question.properties
            and all(dim.of_day is not None for dim in self._dims)
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
        return sorted(map(self._sum, self._answered(cursor, _USAGE)), key=sum_sort_key)

    def with_units(self, cursor: duckdb.DuckDBPyConnection, sums: Sequence[UsageSum]) -> list[UsageSum]:
        """Return the answer `sums` with the units of each group, which the statement reads; it knows no markups."""
        found: dict[tuple[Any, ...], dict[str, Decimal]] = {}
        for segment, _, kind_group, unit, *rest in self._answered(cursor, _UNITS):
            *values, quantity = rest
            found.setdefault((segment, self._group(kind_group, values)), {})[unit] = quantity
        filled = []
        for one in sums:
            units = found.pop((one.segment, one.group), None)  # with the first sum of a group alone
            if units is not None:
                ordered = dict(sorted(units.items()))
                one = msgspec.structs.replace(one, sums=msgspec.structs.replace(one.sums, units=ordered))
            filled.append(one)
        return filled

    def _answered(self, cursor: duckdb.DuckDBPyConnection, summed: _Summed) -> list[Row]:
        if not self._segments or not self._groups.of_group:
            return []
        rows = self._query.rows(cursor, self._statement(summed))
        if len(rows) > summed.sums_max:
            rule = f"must not make more than {summed.sums_max} groups; use fewer names or a shorter range"
            raise InvalidInput("group_by", rule, "too_many_groups")
        return rows

    def _sum(self, row: Row) -> UsageSum:
        segment, markup, kind_group, *rest = row
        values, sums = rest[: len(self._dims)], rest[len(self._dims) :]
        return UsageSum(segment, self._group(kind_group, values), UsageSums(*sums), self._percentages[markup])

    def _group(self, kind_group: int, others: Iterable[str | None]) -> tuple[str | None, ...]:
        of_kind, of_others = iter(self._groups.of_group[kind_group]), iter(others)
        return tuple(next(of_kind if name in SERIES_DIMENSIONS else of_others) for name in self._question.group_by)

    def _statement(self, summed: _Summed) -> str:
        parts = []
        if any(segment.has_days for segment in self._segments):
            parts.append(self._days(summed))
        if self._cut_days or any(segment.has_edges for segment in self._segments):
            parts.append(self._rows(summed))
        groups, customers = [f"u.g{n}" for n in range(len(self._dims))], ""
        if "customer" in self._names:
            number = self._names.index("customer")
            customers = f"JOIN customers c ON c.customer_key = u.g{number}"
            groups[number] = "nullif(c.customer_id, '')"
        own = [f"u.{key}" for key in summed.keys]
        keys = ", ".join(["u.segment", "u.markup", "u.kind_group", *own, *groups])
        named = ", ".join(f"{name} AS MATERIALIZED ({relation})" for name, relation in self._relations.items())
        together = f"FROM ({' UNION ALL '.join(parts)}) u {customers}"
        sums, once = ", ".join(f"u.{name}" for name in summed.columns), ""
        if len(parts) > 1:
            sums = ", ".join(f"sum(u.{name}) AS {name}" for name in summed.columns)
            once = f"GROUP BY {keys} HAVING sum(u.{summed.columns[0]}) {summed.holds}"
        return f"{f'WITH {named}' if named else ''} SELECT {keys}, {sums} {together} {once} LIMIT {summed.sums_max + 1}"

    def _days(self, summed: _Summed) -> str:
        with_days = [segment for segment in self._segments if segment.has_days]
        first, last = self._query.bind(with_days[0].days_start), self._query.bind(with_days[-1].days_end)
        source = f"(SELECT * FROM {summed.days} WHERE {self._condition} AND day >= {first} AND day < {last}) d"
        match = match_days(self._query, self._segments, "d.day")
        where = [match.in_segment]
        joins = [match.join]
        if self._cut_days:
            joins.append(self._join_cut_days("d", "d.day"))
            where.append("x.day IS NULL")
        groups = [f"{dim.of_day} AS g{n}" for n, dim in enumerate(self._dims)]
        sums = ", ".join(f"sum(d.{name}) AS {name}" for name in summed.columns)
        return self._part(summed, source, "d", "d.day::TIMESTAMP", match, joins, where, groups, sums)

    def _rows(self, summed: _Summed) -> str:
        first, last = self._query.bind(self._segments[0].start), self._query.bind(self._segments[-1].end)
        holds = version_holds(self._query, self._question.as_of)
        where = f"{self._condition} AND time >= {first} AND time < {last} AND {holds}"
        if self._question.counted_after is not None:
            where += f" AND counted_at > {self._query.bind(self._question.counted_after)}"
        source = row_source(where, self._dims)
        match = match_rows(self._query, self._segments, "r.time")
        joins = [match.join]
        if self._question.properties or any(dim.needs_kind for dim in self._dims):
            joins.append("JOIN kinds k ON k.kind_key = r.kind_key")
        conditions = [match.in_segment, *members_equal(self._query, self._question.properties)]
        if any(segment.has_days for segment in self._segments):
            edge = match.at_edge
            if self._cut_days:
                joins.append(self._join_cut_days("r", "r.time::DATE"))
                edge = f"({edge} OR x.day IS NOT NULL)"
            conditions.append(edge)
        groups = [f"{dim.of_row} AS g{n}" for n, dim in enumerate(self._dims)]
        rows = f"{summed.rows.format(rows=source)} r"
        return self._part(summed, rows, "r", "r.time", match, joins, conditions, groups, summed.of_rows)

    def _part(
        self, summed: _Summed, source: str, name: str, instant: str, match: SegmentMatch, joins: list[str],
        where: list[str], groups: list[str], sums: str,
    ) -> str:  # fmt: skip
        self._relations.update(match.relations)
        markup = self._unchanged
        if self._markups:
            joins.append(self._join_markups(name, instant))
            markup = f"coalesce(m.markup, {markup})"
        kind_group = f"{self._kind_group} AS kind_group".replace("kind_key", f"{name}.kind_key")
        own = [f"{name}.{key} AS {key}" for key in summed.keys]
        keys = ", ".join([f"{match.number} AS segment", f"{markup} AS markup", kind_group, *own, *groups])
        return f"""SELECT {keys}, {sums} FROM {source} {" ".join(joins)}
            WHERE {" AND ".join(where)} GROUP BY ALL HAVING {summed.columns[0]} {summed.holds}"""

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
