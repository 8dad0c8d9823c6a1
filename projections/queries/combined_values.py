"""Values of parts of the events, put together to those of all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Final

import msgspec

from domain.values.money import MONEY
from projections.queries.meters import MeterQuestion, MeterValue

#: How two values become that of the events of both. The other aggregations need the events themselves.
_COMBINED: Final[Mapping[str, Callable[[Decimal, Decimal], Decimal]]] = {
    "sum": MONEY.add,
    "count": MONEY.add,
    "max": max,
    "min": min,
}


def is_combinable(question: MeterQuestion) -> bool:
    """Whether the value of all events follows from the values of parts of them."""
    return question.aggregation in _COMBINED and not question.with_values


def combined_values(aggregation: str, values: Iterable[MeterValue]) -> list[MeterValue]:
    """Return one value for each segment, group and filter, in the order in which a store answers."""
    found: dict[tuple[int, tuple[str | None, ...], int | None], MeterValue] = {}
    for one in values:
        bucket = one.segment, one.group, one.filter
        known = found.get(bucket)
        found[bucket] = one if known is None else _combined(aggregation, known, one)
    return sorted(found.values(), key=_order)


def _combined(aggregation: str, one: MeterValue, other: MeterValue) -> MeterValue:
    if one.value is None or other.value is None:
        value = other.value if one.value is None else one.value
    else:
        value = _COMBINED[aggregation](one.value, other.value)
    events = None if one.events is None or other.events is None else one.events + other.events
    return msgspec.structs.replace(one, value=value, events=events)


def _order(one: MeterValue) -> tuple[int, list[tuple[bool, str]], tuple[bool, int]]:
    """By segment, then group (absent first), then filter (none last)."""
    group = [(text is not None, text or "") for text in one.group]
    return one.segment, group, (one.filter is None, one.filter or 0)
