"""Values of a custom meter over segments, from rows, by one grouped statement."""

from __future__ import annotations

from decimal import Decimal

import duckdb
import msgspec

from domain.errors import InvalidInput
from domain.values.instants import naive
from projections.duckdb.reading.bound_query import BoundQuery, Row
from projections.duckdb.reading.dimensions import dimensions, member_json, member_value, row_source, version_holds
from projections.duckdb.reading.meters.aggregates import (
    Aggregated,
    aggregates,
    by_unique_value,
    measured_columns,
    value_of,
)
from projections.duckdb.reading.segments import cut_segments, match_rows
from projections.queries.meters import VALUES_MAX, MeterQuestion, MeterValue, SubscriptionRows
from projections.queries.usage import GROUPS_MAX


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
    segment, *rest = row
    group, found = rest[: len(question.group_by)], Aggregated(*rest[len(question.group_by) :])
    value, total = value_of(found, question, segment)
    return MeterValue(
        segment,
        tuple(group),
        value,
        found.events if question.with_events else None,
        tuple(map(Decimal, found.values or ())) if question.with_values else None,
        total,
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
    columns = [
        f"{match.number} AS segment",
        "r.time",
        "r.content",
        f"{_value(query, question)} AS value",
        *measured_columns(query, question),
        *(f"{dim.of_row} AS g{n}" for n, dim in enumerate(dims)),
    ]
    measured = f"""(SELECT {", ".join(columns)} FROM {row_source(" AND ".join(conditions), dims)} r
        JOIN kinds k ON k.kind_key = r.kind_key AND k.type = {query.bind(question.event_type)}
        {match.join} WHERE {match.in_segment}) m"""
    keys = ["m.segment", *(f"m.g{n}" for n in range(len(dims)))]
    if question.operation_property is not None:
        measured = f"({by_unique_value(keys, measured)}) m"
    shown, customers = list(keys), ""
    if "customer" in question.group_by:
        number = question.group_by.index("customer")
        customers = f"JOIN customers c ON c.customer_key = m.g{number}"
        shown[number + 1] = "c.customer_id"
    named = ", ".join(f"{name} AS MATERIALIZED ({relation})" for name, relation in match.relations.items())
    order = ", ".join(f"{key} NULLS FIRST" for key in shown)
    return f"""{f"WITH {named}" if named else ""} SELECT {", ".join(shown)}, {aggregates(question)}
        FROM {measured} {customers} GROUP BY {", ".join(shown)} ORDER BY {order} LIMIT {GROUPS_MAX + 1}"""


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
