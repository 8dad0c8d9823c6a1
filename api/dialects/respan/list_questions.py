"""Filters and orders of a list, as Respan writes them, as a question of the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal, NamedTuple

from api.dialects.respan.models.field_types import instant_of, number_of
from api.http.problems import Problem
from domain.scope import ENVIRONMENTS
from projections.queries.customer_list import (
    METADATA_PREFIX,
    Comparison,
    CustomerCondition,
    CustomerField,
    CustomerListQuestion,
)

CONDITIONS_MAX: Final = 50
VALUES_MAX: Final = 1_000
METADATA: Final = "metadata__"
ENVIRONMENT: Final = "environment"

_Kind = Literal["text", "number", "instant"]


class _Field(NamedTuple):
    name: CustomerField
    kind: _Kind


#: By Respan's names; those in pairs are one field.
FIELDS: Final[Mapping[str, _Field]] = {
    "customer_identifier": _Field("customer_id", "text"),
    "name": _Field("name", "text"),
    "email": _Field("email", "text"),
    "first_seen": _Field("first_seen_at", "instant"),
    "last_active_timeframe": _Field("last_seen_at", "instant"),
    "active_days": _Field("active_days", "number"),
    "number_of_requests": _Field("requests", "number"),
    "total_requests": _Field("requests", "number"),
    "total_prompt_tokens": _Field("input_tokens", "number"),
    "total_completion_tokens": _Field("output_tokens", "number"),
    "total_tokens": _Field("total_tokens", "number"),
    "tokens": _Field("total_tokens", "number"),
    "total_cost": _Field("reported_cost_usd", "number"),
    "cost": _Field("reported_cost_usd", "number"),
    "average_latency": _Field("average_latency", "number"),
    "average_ttft": _Field("average_ttft", "number"),
}


class _Operator(NamedTuple):
    """`several`: it may have more than one value, any of which holds. `of_text`: it compares text alone."""

    comparison: Comparison
    negated: bool = False
    several: bool = False
    of_text: bool = False


OPERATORS: Final[Mapping[str, _Operator]] = {
    "": _Operator("equal", several=True),
    "in": _Operator("equal", several=True),
    "not": _Operator("equal", negated=True, several=True),
    "not_in": _Operator("equal", negated=True, several=True),
    "iexact": _Operator("equal_ignoring_case", of_text=True),
    "lt": _Operator("less"),
    "lte": _Operator("less_or_equal"),
    "gt": _Operator("greater"),
    "gte": _Operator("greater_or_equal"),
    "contains": _Operator("contains", of_text=True),
    "not_contains": _Operator("contains", negated=True, of_text=True),
    "icontains": _Operator("contains_ignoring_case", of_text=True),
    "startswith": _Operator("starts_with", of_text=True),
    "not_startswith": _Operator("starts_with", negated=True, of_text=True),
    "endswith": _Operator("ends_with", of_text=True),
    "not_endswith": _Operator("ends_with", negated=True, of_text=True),
    "isnull": _Operator("is_null"),
    "empty": _Operator("is_empty"),
    "not_empty": _Operator("is_empty", negated=True),
}
_NO_VALUE: Final = frozenset({"empty", "not_empty"})


class ListAsked(NamedTuple):
    """A question, and whether the environment that is asked about fulfils the filters."""

    question: CustomerListQuestion
    environment_fits: bool


def list_asked(filters: Mapping[str, Any], sort_by: str, environment: str, now: datetime) -> ListAsked:
    """Read the filters and the order of a list; `Problem` 422 for what is unknown or does not go together."""
    conditions, fits = list[CustomerCondition](), True
    for field, operator, values in _conditions_given(filters):
        if field == ENVIRONMENT:
            fits = fits and _environment_fits(operator, values, environment)
        else:
            conditions.append(_condition(field, operator, values))
    order, descending = _order(sort_by)
    return ListAsked(CustomerListQuestion(now, tuple(conditions), order, descending), fits)


def _order(sort_by: str) -> tuple[CustomerField, bool]:
    name = sort_by.removeprefix("-")
    if name not in FIELDS:
        raise Problem.invalid("sort_by", f"must be one of {', '.join(FIELDS)}, with - before it for descending")
    return FIELDS[name].name, sort_by.startswith("-")


def _conditions_given(filters: Mapping[str, Any]) -> Iterable[tuple[str, str, Sequence[Any]]]:
    """Yield (field, operator, values) of each condition; a field may have a list of them."""
    given = [(field, one) for field, told in filters.items() for one in (told if isinstance(told, list) else [told])]
    if len(given) > CONDITIONS_MAX:
        raise Problem.invalid("filters", f"must have at most {CONDITIONS_MAX} conditions")
    for field, one in given:
        if not isinstance(one, dict):
            raise _refused(field, 'must be {"operator": ..., "value": [...]}, or a list of such conditions')
        operator, values = one.get("operator") or "", one.get("value")
        if operator not in OPERATORS:
            raise _refused(field, f"has an operator that is none of {', '.join(map(repr, OPERATORS))}")
        yield field, operator, _values(field, operator, values)


def _values(field: str, operator: str, given: Any) -> Sequence[Any]:
    values = given if isinstance(given, list) else [given]
    if operator in _NO_VALUE:
        return ()
    if not values or len(values) > VALUES_MAX:
        raise _refused(field, f"must have 1 to {VALUES_MAX} values")
    if len(values) > 1 and not OPERATORS[operator].several:
        raise _refused(field, f"must have one value with the operator {operator!r}")
    return values


def _condition(field: str, operator: str, values: Sequence[Any]) -> CustomerCondition:
    if field.startswith(METADATA) and field != METADATA:
        name, kind = METADATA_PREFIX + field.removeprefix(METADATA), None
    elif field in FIELDS:
        name, kind = FIELDS[field]
    else:
        raise _refused(field, f"is none of the fields {', '.join(FIELDS)}, {ENVIRONMENT} and {METADATA}<key>")
    known = OPERATORS[operator]
    if known.of_text and kind not in ("text", None):
        raise _refused(field, f"cannot be compared with the operator {operator!r}, which is one of text")
    if operator == "isnull":
        return CustomerCondition(name, known.comparison, negated=not _truth(field, values[0]))
    read = _READERS[kind] if not known.of_text else _text
    return CustomerCondition(name, known.comparison, tuple(read(field, one) for one in values), known.negated)


def _environment_fits(operator: str, values: Sequence[Any], environment: str) -> bool:
    known = OPERATORS[operator]
    if known.comparison != "equal":
        raise _refused(ENVIRONMENT, "can be compared only with the operators '', 'in', 'not' and 'not_in'")
    if any(one not in ENVIRONMENTS for one in values):
        raise _refused(ENVIRONMENT, "must be 'prod' or 'test'")
    return (environment in values) is not known.negated


def _truth(field: str, value: Any) -> bool:
    truths = {True: True, False: False, "true": True, "false": False}
    if not isinstance(value, bool | str) or value not in truths:
        raise _refused(field, "must have the value true or false with the operator 'isnull'")
    return truths[value]


def _text(field: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | Decimal):
        return str(value)
    if isinstance(value, str):
        return value
    raise _refused(field, "must be compared with text")


def _number(field: str, value: Any) -> Decimal:
    number = number_of(value)
    if number is None:
        raise _refused(field, "must be compared with a number")
    return number


def _instant(field: str, value: Any) -> datetime:
    moment = instant_of(value)
    if moment is None:
        raise _refused(field, "must be compared with a date, or a date and time, in ISO 8601")
    return moment


def _text_or_number(field: str, value: Any) -> str | Decimal:
    """Read a value of metadata: a JSON number is compared as a number, everything else as text."""
    is_number = isinstance(value, int | Decimal) and not isinstance(value, bool)
    return _number(field, value) if is_number else _text(field, value)


_READERS: Final[Mapping[_Kind | None, Callable[[str, Any], str | Decimal | datetime]]] = {
    "text": _text,
    "number": _number,
    "instant": _instant,
    None: _text_or_number,
}


def _refused(field: str, rule: str) -> Problem:
    return Problem.invalid(f"filters.{field}", rule)
