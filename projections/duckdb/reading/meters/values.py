"""Values of a custom meter over segments, from rows, by one grouped statement."""

from __future__ import annotations

from decimal import Decimal

import duckdb
import msgspec

from domain.charges.filter_matching import FilterMatcher
from domain.errors import InvalidInput
from projections.duckdb.reading.bound_query import BoundQuery, Row
from projections.duckdb.reading.dimensions import VALUE_DECIMALS, dimensions, member_json, member_value
from projections.duckdb.reading.meters.aggregates import (
    Aggregated,
    aggregates,
    by_unique_value,
    measured_columns,
    value_of,
)
from projections.duckdb.reading.meters.computed_values import ComputedValues, computed_values
from projections.duckdb.reading.meters.filter_numbers import (
    COMBINATIONS_MAX,
    FilterNumbers,
    filter_numbers,
    numbers_of,
)
from projections.duckdb.reading.meters.measured_rows import Owner, measured_rows, texts_at, with_relations
from projections.queries.combined_values import combined_values, is_combinable
from projections.queries.meters import VALUES_MAX, MeterQuestion, MeterValue
from projections.queries.usage import GROUPS_MAX


class _Joined(msgspec.Struct, frozen=True):
    """What measured rows are joined with; None: nothing to join. `by_texts`: what they are split by instead."""

    filters: FilterNumbers | None
    computed: ComputedValues | None
    by_texts: tuple[str, ...] = ()


def meter_values(
    cursor: duckdb.DuckDBPyConnection, scope_key: int, customer_key: int | None, question: MeterQuestion
) -> list[MeterValue]:
    """Return a value for each segment, group and filter with an event of the meter's type, in this order.

    Raises `InvalidInput` when there are more than `GROUPS_MAX`.
    """
    if not question.segments:
        return []
    owner = Owner(scope_key, customer_key)
    asked = question.expression
    computed = None if asked is None else computed_values(cursor, owner, question, asked)
    if question.filters and is_combinable(question):
        found = _values_by_texts(cursor, owner, question, computed)
        if found is not None:
            return _checked(found)
    joined = _Joined(filter_numbers(cursor, owner, question) if question.filters else None, computed)
    if question.with_values:
        counted = msgspec.structs.replace(question, with_values=False, with_events=True)
        _check_values(_values(cursor, owner, counted, joined))
    return _values(cursor, owner, question, joined)


def _values(
    cursor: duckdb.DuckDBPyConnection, owner: Owner, question: MeterQuestion, joined: _Joined
) -> list[MeterValue]:
    query = BoundQuery()
    rows = query.rows(cursor, _statement(query, owner, question, joined, GROUPS_MAX + 1))
    return _checked([_meter_value(row, question) for row in rows])


def _values_by_texts(
    cursor: duckdb.DuckDBPyConnection, owner: Owner, question: MeterQuestion, computed: ComputedValues | None
) -> list[MeterValue] | None:
    """The values by filter, from those by combination of texts; None when there are too many of these.

    One statement instead of two, each of which reads the events.
    """
    matcher = FilterMatcher(question.filters)
    query = BoundQuery()
    joined = _Joined(None, computed, matcher.keys)
    rows = query.rows(cursor, _statement(query, owner, question, joined, COMBINATIONS_MAX + 1))
    if len(rows) > COMBINATIONS_MAX:
        return None
    at = 1 + len(question.group_by)
    numbers = numbers_of(matcher, {row[at] for row in rows})
    numbered = ((*row[:at], numbers.get(row[at]), *row[at + 1 :]) for row in rows)
    return combined_values(question.aggregation, (_meter_value(row, question) for row in numbered))


def _checked(found: list[MeterValue]) -> list[MeterValue]:
    if len(found) > GROUPS_MAX:
        raise InvalidInput(
            "group_by",
            f"must not make more than {GROUPS_MAX} groups; use fewer names or a shorter range",
            "too_many_groups",
        )
    return found


def _meter_value(row: Row, question: MeterQuestion) -> MeterValue:
    named = len(question.group_by) + 1
    segment, *group = row[:named]
    number, *columns = row[named:]
    found = Aggregated(*columns)
    value, total = value_of(found, question, segment)
    return MeterValue(
        segment,
        tuple(group),
        value,
        found.events if question.with_events else None,
        tuple(map(Decimal, found.values or ())) if question.with_values else None,
        total,
        number,
    )


def _statement(query: BoundQuery, owner: Owner, question: MeterQuestion, joined: _Joined, rows_max: int) -> str:
    dims = dimensions(query, question.group_by)
    groups = [f"g{n}" for n in range(len(dims))]
    columns = [
        "r.time",
        "r.content",
        *([f"{_value(query, question)} AS value"] if joined.computed is None else []),
        *measured_columns(query, question),
        *(f"{dim.of_row} AS {group}" for dim, group in zip(dims, groups, strict=True)),
        _filter_column(query, joined),
        *([] if joined.computed is None else [joined.computed.column(query)]),
    ]
    rows = measured_rows(query, owner, question, columns, dims)
    relations, measured = dict(rows.relations), f"{rows.sql} m"
    if joined.filters is not None:
        relations["filter_numbers"] = joined.filters.relation(query)
        measured = f"(SELECT m.*, f.number FROM {measured} LEFT JOIN filter_numbers f ON f.texts = m.texts) m"
    if joined.computed is not None:
        relations["computed_values"] = joined.computed.relation(query)
        value = "v.value" if question.aggregation == "unique_count" else f"v.value::DECIMAL(38, {VALUE_DECIMALS})"
        measured = (
            f"(SELECT m.*, {value} AS value FROM {measured} LEFT JOIN computed_values v ON v.inputs = m.inputs) m"
        )
    keys = [f"m.{name}" for name in ("segment", *groups, "number")]
    if question.operation_property is not None:
        measured = f"({by_unique_value(keys, measured)}) m"
    if "customer" in question.group_by:
        of_customer = question.group_by.index("customer")
        measured += f" JOIN customers c ON c.customer_key = m.g{of_customer}"
        keys[1 + of_customer] = "nullif(c.customer_id, '')"
    order = ", ".join([*(f"{key} NULLS FIRST" for key in keys[:-1]), f"{keys[-1]} NULLS LAST"])
    return f"""{with_relations(relations)} SELECT {", ".join(keys)}, {aggregates(question)}
        FROM {measured} GROUP BY {", ".join(keys)} ORDER BY {order} LIMIT {rows_max}"""


def _filter_column(query: BoundQuery, joined: _Joined) -> str:
    """The column by which rows are split by filter, or joined with their filters."""
    if joined.filters is not None:
        return joined.filters.column(query)
    return f"{texts_at(query, joined.by_texts)} AS number" if joined.by_texts else "NULL::INTEGER AS number"


def _check_values(counted: list[MeterValue]) -> None:
    """Check the number of values before they are read."""
    if sum(one.events or 0 for one in counted) > VALUES_MAX:
        raise InvalidInput("meter", f"must not have more than {VALUES_MAX} events where each is priced by itself")


def _value(query: BoundQuery, question: MeterQuestion) -> str:
    if question.aggregation == "count":
        return "NULL"
    if question.value_property is None:
        raise InvalidInput("value_property", f"is required for the aggregation {question.aggregation}")
    if question.aggregation == "unique_count":
        return member_json(query, question.value_property)
    return member_value(query, question.value_property)
