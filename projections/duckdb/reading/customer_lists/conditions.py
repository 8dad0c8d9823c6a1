"""Conditions of a list as SQL. Values are bound by their type: text, numbers (as DOUBLE), instants."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Final

from domain.values.instants import naive
from projections.duckdb.reading.bound_query import BoundQuery
from projections.queries.customer_list import Comparison, CustomerCondition

#: A comparison of an expression with a bound value.
_COMPARED: Final[dict[Comparison, Callable[[str, str], str]]] = {
    "equal": lambda field, value: f"{field} = {value}",
    "equal_ignoring_case": lambda field, value: f"lower({field}) = lower({value})",
    "less": lambda field, value: f"{field} < {value}",
    "less_or_equal": lambda field, value: f"{field} <= {value}",
    "greater": lambda field, value: f"{field} > {value}",
    "greater_or_equal": lambda field, value: f"{field} >= {value}",
    "contains": lambda field, value: f"contains({field}, {value})",
    "contains_ignoring_case": lambda field, value: f"contains(lower({field}), lower({value}))",
    "starts_with": lambda field, value: f"starts_with({field}, {value})",
    "ends_with": lambda field, value: f"suffix({field}, {value})",
}


def condition_sql(query: BoundQuery, condition: CustomerCondition, field: str, is_text: bool) -> str:
    """Return a condition on the expression `field`; where it is text, a number is compared with the number in it."""
    holds = " OR ".join(_alternatives(query, condition, field, is_text)) or "false"
    return f"{'NOT ' if condition.negated else ''}coalesce({holds}, false)"


def _alternatives(query: BoundQuery, condition: CustomerCondition, field: str, is_text: bool) -> list[str]:
    if condition.comparison == "is_null":
        return [f"{field} IS NULL"]
    if condition.comparison == "is_empty":
        return [f"{field} IS NULL", f"{field}::VARCHAR = ''"]
    compared = _COMPARED[condition.comparison]
    return [compared(*_operands(query, field, is_text, value)) for value in condition.values]


def _operands(query: BoundQuery, field: str, is_text: bool, value: str | Decimal | datetime) -> tuple[str, str]:
    match value:
        case Decimal():
            number = f"{query.bind(float(value))}::DOUBLE"
            return (f"TRY_CAST({field} AS DOUBLE)" if is_text else field), number
        case datetime():
            return field, f"{query.bind(naive(value))}::TIMESTAMP"
        case _:
            return field, query.bind(value)
