"""Values of a custom meter over segments, always from rows: most aggregations cannot be summed from days."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import duckdb
import msgspec

from domain.errors import InvalidInput
from domain.values.instants import naive
from projections.duckdb.reading.bound_query import BoundQuery, Row
from projections.duckdb.reading.dimensions import dimensions, member_json, member_value, row_source, version_holds
from projections.duckdb.reading.segments import cut_segments, match_rows
from projections.queries.usage import (
    GROUPS_MAX,
    VALUES_MAX,
    Aggregation,
    MeterQuestion,
    MeterValue,
    SubscriptionRows,
)

_AGGREGATES: Final[dict[Aggregation, str]] = {
    "count": "count(*)",
    "sum": "coalesce(sum(m.value), 0)",
    "max": "max(m.value)",
    "min": "min(m.value)",
    "latest": "arg_max(m.value, row(m.time, m.content, m.value)) FILTER (m.value IS NOT NULL)",
    "unique_count": "count(DISTINCT m.value)",
}

_VALUES: Final = "list(m.value ORDER BY m.time, m.content, m.value) FILTER (m.value IS NOT NULL)"


def meter_values(
    cursor: duckdb.DuckDBPyConnection, scope_key: int, customer_key: int | None, question: MeterQuestion
) -> list[MeterValue]:
    """Return a value for each segment and group with an event of the meter's type, by segment, then group.

    Raises `InvalidInput` when there are more than `GROUPS_MAX`.
    """
    if not question.segments:
        return []
    if question.with_values:
        _check_values(cursor, scope_key, customer_key, question)
    query = BoundQuery()
    rows = query.rows(cursor, _statement(query, scope_key, customer_key, question))
    if len(rows) > GROUPS_MAX:
        raise InvalidInput(
            "group_by",
            f"must not make more than {GROUPS_MAX} groups; use fewer names or a shorter range",
            "too_many_groups",
        )
    return [_meter_value(row, question) for row in rows]


def _meter_value(row: Row, question: MeterQuestion) -> MeterValue:
    segment, *group, value, events, values = row
    return MeterValue(
        segment,
        tuple(group),
        None if value is None else Decimal(value),
        events if question.with_events else None,
        tuple(map(Decimal, values or ())) if question.with_values else None,
    )


def _statement(query: BoundQuery, scope_key: int, customer_key: int | None, question: MeterQuestion) -> str:
    dims = dimensions(query, question.group_by)
    segments = cut_segments(question.segments, by_days=False)
    match = match_rows(query, segments, "r.time")
    conditions = [
        f"scope_key = {query.bind(scope_key)}",
        f"time >= {query.bind(segments[0].start)} AND time < {query.bind(segments[-1].end)}",
        version_holds(query, question.as_of),
        *([] if customer_key is None else [f"customer_key = {query.bind(customer_key)}"]),
        *([] if question.subscription is None else [_of_subscription(query, question.subscription)]),
    ]
    measured = ", ".join(
        [f"{match.number} AS segment", "r.time", "r.content", f"{_value(query, question)} AS value"]
        + [f"{dim.of_row} AS g{n}" for n, dim in enumerate(dims)]
    )
    groups, customers = [f"m.g{n}" for n in range(len(dims))], ""
    if "customer" in question.group_by:
        number = question.group_by.index("customer")
        customers = f"JOIN customers c ON c.customer_key = m.g{number}"
        groups[number] = "nullif(c.customer_id, '')"
    keys = ["m.segment", *groups]
    named = ", ".join(f"{name} AS MATERIALIZED ({relation})" for name, relation in match.relations.items())
    events = "count(*)" if question.aggregation == "count" else "count(m.value)"
    answered = [*keys, _AGGREGATES[question.aggregation], events, _VALUES if question.with_values else "NULL"]
    return f"""{f"WITH {named}" if named else ""} SELECT {", ".join(answered)} FROM (
            SELECT {measured} FROM {row_source(" AND ".join(conditions), dims)} r
            JOIN kinds k ON k.kind_key = r.kind_key AND k.type = {query.bind(question.event_type)}
            {match.join} WHERE {match.in_segment}) m {customers}
        GROUP BY {", ".join(keys)} ORDER BY {", ".join(f"{key} NULLS FIRST" for key in keys)} LIMIT {GROUPS_MAX + 1}"""


def _check_values(
    cursor: duckdb.DuckDBPyConnection, scope_key: int, customer_key: int | None, question: MeterQuestion
) -> None:
    """Count the values before they are read."""
    counted = msgspec.structs.replace(question, with_values=False, with_events=True)
    if sum(one.events or 0 for one in meter_values(cursor, scope_key, customer_key, counted)) > VALUES_MAX:
        raise InvalidInput("meter", f"must not have more than {VALUES_MAX} events where each is priced by itself")


def _of_subscription(query: BoundQuery, rows: SubscriptionRows) -> str:
    """The condition on rows, which stands where their columns have no alias."""
    alone = [f"time >= {query.bind(naive(one.start))} AND time < {query.bind(naive(one.end))}" for one in rows.alone]
    unnamed = f"subscription IS NULL AND ({' OR '.join(alone) or 'false'})"
    return f"(subscription = {query.bind(rows.subscription_id)} OR ({unnamed}))"


def _value(query: BoundQuery, question: MeterQuestion) -> str:
    if question.aggregation == "count":
        return "NULL"
    if question.value_property is None:
        raise InvalidInput("value_property", f"is required for the aggregation {question.aggregation}")
    if question.aggregation == "unique_count":
        return member_json(query, question.value_property)
    return member_value(query, question.value_property)
