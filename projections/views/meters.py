"""The built-in meters, of which every unit of usage is one, and custom meters derived from their facts. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

import msgspec

from domain.facts.in_effect import existing_at
from domain.meters.rounding import Rounding
from domain.units.registry import EXTRA_UNITS
from projections.queries.facts import Fact
from projections.queries.meters import Aggregation, MeterQuestion
from projections.queries.usage import Segment
from projections.views.measures import Measures

#: The value of each built-in meter, from the measures of llm.request events; `requests` are those without a parent.
BUILT_IN_METERS: Final[dict[str, Callable[[Measures], Decimal]]] = {
    "requests": lambda measures: Decimal(measures.requests),
    "input_tokens": lambda measures: Decimal(measures.input_tokens),
    "output_tokens": lambda measures: Decimal(measures.output_tokens),
    "cached_input_tokens": lambda measures: Decimal(measures.cached_input_tokens),
    "cache_write_tokens": lambda measures: Decimal(measures.cache_write_tokens),
    "reasoning_tokens": lambda measures: Decimal(measures.reasoning_tokens),
    "total_tokens": lambda measures: Decimal(measures.total_tokens),
    "cost_usd": lambda measures: measures.cost_usd,
}

#: Fields that only dialects know, where there are none.
NO_FIELDS: Final[Mapping[str, Any]] = MappingProxyType({})

#: Those that are sums of money, to which events of unknown cost add nothing.
COST_METERS: Final = frozenset({"cost_usd"})


#: Built-in meters too, of units without a measure of their own. A custom meter of the same code stands in for one.
UNIT_METERS: Final = EXTRA_UNITS


def measured_by(code: str, own: MeterView | None) -> Callable[[Measures], Decimal] | None:
    """The built-in meter with this code, as the value of measures; None when there is none.

    `own`: the custom meter with this code, if there is one. A unit gives way to it: it may be older than the unit.
    """
    if code in UNIT_METERS and own is None:
        return lambda measures: measures.units.get(code, Decimal(0))
    return BUILT_IN_METERS.get(code)


class MeterFilter(msgspec.Struct, frozen=True):
    """A path into the data of the events of a meter, and the values that are expected there."""

    key: str
    values: tuple[str, ...]


class MeterView(msgspec.Struct, frozen=True):
    """A custom meter at an instant: an aggregation over the events of one type."""

    code: str
    event_type: str
    aggregation: Aggregation
    value_property: str | None
    group_by: Mapping[str, str]  # group name to property path
    name: str | None
    description: str | None
    created_at: datetime
    updated_at: datetime
    operation_property: str | None = None
    recurring: bool = False
    rounding: Rounding | None = None
    expression: str | None = None
    filters: tuple[MeterFilter, ...] = ()
    dialect_fields: Mapping[str, Any] = NO_FIELDS

    def question(self, segments: tuple[Segment, ...], customer_id: str | None, names: tuple[str, ...]) -> MeterQuestion:
        """The query for its value in each segment and group, which is not rounded yet."""
        return MeterQuestion(
            segments,
            self.event_type,
            self.aggregation,
            self.value_property,
            customer_id,
            names,
            operation_property=self.operation_property,
            expression=self.expression,
        )

    def rounded(self, value: Decimal) -> Decimal:
        """A value of the meter as it is shown and charged."""
        return value if self.rounding is None else self.rounding.of(value)


def meter_view(code: str, facts: Sequence[Fact], now: datetime, *, reaching_back: bool = False) -> MeterView | None:
    """The meter at `now`; None when it does not exist then. It also aggregates events from before its creation.

    `reaching_back`: as it is created later, if it is not yet.
    """
    state = existing_at(facts, now, reaching_back=reaching_back)
    if state is None:
        return None
    fields = state.fields
    return MeterView(
        code=code,
        event_type=fields["event_type"],
        aggregation=fields["aggregation"],
        value_property=fields.get("value_property"),
        group_by=fields.get("group_by", {}),
        name=fields.get("name"),
        description=fields.get("description"),
        created_at=state.created_at,
        updated_at=state.since,
        operation_property=fields.get("operation_property"),
        recurring=fields.get("recurring", False),
        rounding=None if "rounding" not in fields else Rounding(**fields["rounding"]),
        expression=fields.get("expression"),
        filters=tuple(MeterFilter(one["key"], tuple(one["values"])) for one in fields.get("filters", ())),
        dialect_fields=fields.get("dialect_fields", NO_FIELDS),
    )
