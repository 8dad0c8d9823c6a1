"""Values of a custom meter over segments, always from rows: most aggregations cannot be summed from days."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import duckdb

from domain.errors import InvalidInput
from projections.duckdb.reading.bound_query import BoundQuery
from projections.duckdb.reading.dimensions import dimensions, member_json, member_value, row_source, version_holds
from projections.duckdb.reading.segments import cut_segments, match_rows
from projections.queries.usage import GROUPS_MAX, Aggregation, MeterQuestion, MeterValue

_AGGREGATES: Final[dict[Aggregation, str]] = {
    "count": "count(*)",
    "sum": "coalesce(sum(m.value), 0)",
    "max": "max(m.value)",
    "min": "min(m.value)",
    "latest": "arg_max(m.value, row(m.time, m.content, m.value)) FILTER (m.value IS NOT NULL)",
    "unique_count": "count(DISTINCT m.value)",
}


def meter_values(
    cursor: duckdb.DuckDBPyConnection, scope_key: int, customer_key: int | None, question: MeterQuestion
) -> list[MeterValue]:
    """Return a value for each segment and group with an event of the meter's type, by segment, then group.

    Raises `InvalidInput` when there are more than `GROUPS_MAX`.
    """
    if not question.segments:
        return []
    query = BoundQuery()
    rows = query.rows(cursor, _statement(query, scope_key, customer_key, question))
    if len(rows) > GROUPS_MAX:
        raise InvalidInput(
            "group_by",
            f"must not make more than {GROUPS_MAX} groups; use fewer names or a shorter range",
            "too_many_groups",
        )
    return [MeterValue(row[0], tuple(row[1:-1]), None if row[-1] is None else Decimal(row[-1])) for row in rows]


def _statement(query: BoundQuery, scope_key: int, customer_key: int | None, question: MeterQuestion) -> str:
    dims = dimensions(query, question.group_by)
    segments = cut_segments(question.segments, by_days=False)
    match = match_rows(query, segments, "r.time")
    conditions = [
        f"scope_key = {query.bind(scope_key)}",
        f"time >= {query.bind(segments[0].start)} AND time < {query.bind(segments[-1].end)}",
        version_holds(query, question.as_of),
        *([] if customer_key is None else [f"customer_key = {query.bind(customer_key)}"]),
    ]
    measured = ", ".join(
        [f"{match.number} AS segment", "r.time", "r.content", f"{_value(query, question)} AS value"]
        + [f"{dim.of_row} AS g{n}" for n, dim in enumerate(dims)]
    )
    groups, customers = [f"m.g{n}" for n in range(len(dims))], ""
    if "customer" in question.group_by:
        number = question.group_by.index("customer")
        customers = f"JOIN customers c ON c.customer_key = m.g{number}"
        groups[number] = "c.customer_id"
    keys = ["m.segment", *groups]
    named = ", ".join(f"{name} AS MATERIALIZED ({relation})" for name, relation in match.relations.items())
    return f"""{f"WITH {named}" if named else ""} SELECT {", ".join(keys)}, {_AGGREGATES[question.aggregation]} FROM (
            SELECT {measured} FROM {row_source(" AND ".join(conditions), dims)} r
            JOIN kinds k ON k.kind_key = r.kind_key AND k.type = {query.bind(question.event_type)}
            {match.join} WHERE {match.in_segment}) m {customers}
        GROUP BY {", ".join(keys)} ORDER BY {", ".join(f"{key} NULLS FIRST" for key in keys)} LIMIT {GROUPS_MAX + 1}"""


def _value(query: BoundQuery, question: MeterQuestion) -> str:
    if question.aggregation == "count":
        return "NULL"
    if question.value_property is None:
        raise InvalidInput("value_property", f"is required for the aggregation {question.aggregation}")
    if question.aggregation == "unique_count":
        return member_json(query, question.value_property)
    return member_value(query, question.value_property)
