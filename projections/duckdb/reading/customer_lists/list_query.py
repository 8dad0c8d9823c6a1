"""The statement of a list of customers: who exists, joined with what its conditions and its order need."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import duckdb

from domain.values.instants import naive
from projections.duckdb.reading.bound_query import BoundQuery, Row
from projections.duckdb.reading.customer_lists.conditions import condition_sql
from projections.duckdb.reading.customer_lists.fields import FieldSql, field_sql, needs_averages, needs_usage
from projections.duckdb.reading.customer_lists.usage_totals import average_relations, usage_relations
from projections.duckdb.reading.customer_pages import gone_customers
from projections.duckdb.reading.customers import IS_CUSTOMER
from projections.duckdb.reading.event_pages import Markups
from projections.queries.customer_list import AnyCondition, CustomerCondition, CustomerListQuestion


def needs_markups(question: CustomerListQuestion) -> bool:
    """Return whether the filter or the order of a question depends on reported cost."""
    return "reported_cost_usd" in _fields(question)


def customer_list(
    cursor: duckdb.DuckDBPyConnection, scope_key: int, kind_keys: Sequence[int], question: CustomerListQuestion,
    markups: Markups, offset: int, limit: int,
) -> list[Row]:  # fmt: skip
    """Return a page of customers as rows (key, id, first position).

    `kind_keys`: the series of requests. `markups`: the changes of all customers, where `needs_markups`.
    """
    query = BoundQuery()
    before, matching, found = _matching(cursor, query, scope_key, kind_keys, question, _fields(question), markups)
    return query.rows(
        cursor,
        f"""{before} SELECT c.customer_key, c.customer_id, c.first_position {matching}
        ORDER BY {found[question.order].expression} {"DESC" if question.descending else "ASC"} NULLS LAST,
        c.customer_id LIMIT {query.bind(limit)} OFFSET {query.bind(offset)}""",
    )


def customer_count(
    cursor: duckdb.DuckDBPyConnection, scope_key: int, kind_keys: Sequence[int], question: CustomerListQuestion,
    markups: Markups,
) -> int:  # fmt: skip
    """Return how many customers the pages of `customer_list` have together."""
    query = BoundQuery()
    before, matching, _ = _matching(cursor, query, scope_key, kind_keys, question, _filtered(question), markups)
    return int(query.rows(cursor, f"{before} SELECT count(*) {matching}")[0][0])


def _matching(
    cursor: duckdb.DuckDBPyConnection, query: BoundQuery, scope_key: int, kind_keys: Sequence[int],
    question: CustomerListQuestion, fields: set[str], markups: Markups,
) -> tuple[str, str, dict[str, FieldSql]]:  # fmt: skip
    """The customers `c` of a question: what stands before SELECT, FROM with WHERE, and the SQL of these fields."""
    now = naive(question.now)
    bound_now = query.bind(now)
    relations: dict[str, str] = {}
    if needs_usage(fields):
        relations |= usage_relations(query, scope_key, kind_keys, markups)
    if needs_averages(fields):
        relations |= average_relations(query, scope_key, kind_keys)
    found = {field: field_sql(query, field, number, bound_now) for number, field in enumerate(sorted(fields))}
    gone = gone_customers(cursor, query, now)
    conditions = [f"c.scope_key = {query.bind(scope_key)}", f"c.{IS_CUSTOMER}", f"c.customer_key NOT IN ({gone})"]
    conditions += [_condition(query, one, found) for one in question.conditions]
    named = ", ".join(f"{name} AS ({relation})" for name, relation in relations.items())
    matching = f"FROM customers c {' '.join(_joins(found.values()))} WHERE {' AND '.join(conditions)}"
    return f"WITH {named}" if named else "", matching, found


def _condition(query: BoundQuery, condition: CustomerCondition | AnyCondition, found: dict[str, FieldSql]) -> str:
    if isinstance(condition, AnyCondition):
        return f"({' OR '.join(_condition(query, one, found) for one in condition.conditions) or 'false'})"
    field = found[condition.field]
    return condition_sql(query, condition, field.expression, field.is_text)


def _fields(question: CustomerListQuestion) -> set[str]:
    return {question.order, *_filtered(question)}


def _filtered(question: CustomerListQuestion) -> set[str]:
    each = (one.conditions if isinstance(one, AnyCondition) else (one,) for one in question.conditions)
    return {condition.field for some in each for condition in some}


def _joins(fields: Iterable[FieldSql]) -> Sequence[str]:
    joins: dict[str, str] = {}
    for field in fields:
        joins |= field.joins
    return list(joins.values())
