"""Queries for usage sums, and the values that a snapshot returns for them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

import msgspec

from domain.values.money import MONEY

WINDOWS_MAX: Final = 100_000
#: Names that a report may be grouped by.
GROUPS_BY_MAX: Final = 10
GROUPS_MAX: Final = 100_000
#: Sums of units in one answer, of all groups together.
UNIT_SUMS_MAX: Final = 10 * GROUPS_MAX

#: Quantities by unit, of units without a member of their own; one that is not named is 0.
Units = Mapping[str, Decimal]
NO_UNITS: Final[Units] = MappingProxyType({})


def units_added(units: Units, more: Units, sign: int = 1) -> Units:
    """Return the exact sum of both, or the difference with `sign` -1, without units of which it is 0."""
    if not more:
        return units
    sums = {
        unit: MONEY.fma(more.get(unit, Decimal(0)), Decimal(sign), units.get(unit, Decimal(0)))
        for unit in sorted(units.keys() | more.keys())
    }
    return {unit: quantity for unit, quantity in sums.items() if quantity}


class UsageSums(msgspec.Struct, frozen=True):
    """Sums over usage events of any type. `root_requests`: the requests that answers show, without a parent.

    A request to a model may make further ones, its children. Tokens and money are those of all `events`. A child is
    no request, whether its parent is known or not. `cost_usd` is raw cost; events of unknown cost add nothing to it
    and are counted in `cost_unknown_events`. `units`: of all `events`, too.
    """

    events: int = 0
    input_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cost_usd: Decimal = Decimal(0)
    cost_unknown_events: int = 0
    root_requests: int = 0
    units: Units = NO_UNITS

    @property
    def total_tokens(self) -> int:
        """Input plus output tokens."""
        return self.input_tokens + self.output_tokens

    def plus(self, other: UsageSums) -> UsageSums:
        """The exact sum of both."""
        return UsageSums(
            self.events + other.events,
            self.input_tokens + other.input_tokens,
            self.cached_input_tokens + other.cached_input_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
            self.output_tokens + other.output_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            MONEY.add(self.cost_usd, other.cost_usd),
            self.cost_unknown_events + other.cost_unknown_events,
            self.root_requests + other.root_requests,
            units_added(self.units, other.units),
        )


class Segment(msgspec.Struct, frozen=True):
    """A range of event time [start, end) with sums of its own.

    The segments of a question are in ascending order and must not overlap.
    """

    start: datetime
    end: datetime


#: Columns to group by, besides "customer" and "property:<path>" (a dotted path into the event's data).
GROUP_COLUMNS: Final = ("type", "provider", "model", "status", "source", "subscription", "tag")


class UsageQuestion(msgspec.Struct, frozen=True):
    """A query for usage sums by segment and group.

    `customer_id` None: all customers of the scope. `event_types` None: llm.request only.
    `as_of` None: as known at the snapshot's position, read from rollups and, at the edges of segments, from rows;
    otherwise as known at that log position, read from rows.
    `split_markup`: also split the sums of every customer where its markup changes, and return `markup_percentage` with
    each. `properties`: (dotted path, text); only events whose data hold all of these texts, read from rows.
    `with_units`: also sum the units without a member of their own. `names_max`: how many names `group_by` may have.
    `counted_after`: only events that were counted after this log position, read from rows.
    """

    segments: tuple[Segment, ...]
    customer_id: str | None = None
    group_by: tuple[str, ...] = ()  # "customer", GROUP_COLUMNS, "property:..."
    event_types: tuple[str, ...] | None = None
    models: tuple[str, ...] | None = None
    as_of: int | None = None
    split_markup: bool = False
    properties: tuple[tuple[str, str], ...] = ()
    with_units: bool = False
    names_max: int = GROUPS_BY_MAX
    counted_after: int | None = None


class UsageSum(msgspec.Struct, frozen=True):
    """The sums of one group (values in the order of `group_by`) in one segment (an index), at one markup.

    Units have no markup: those of the whole group in a segment are with the lowest of its markups, the first sum.
    """

    segment: int
    group: tuple[str | None, ...]
    sums: UsageSums
    markup_percentage: Decimal = Decimal(0)


def sum_sort_key(one: UsageSum) -> tuple[Any, ...]:
    """Return the sort key of a sum: by segment, then group (nulls first), then markup."""
    return one.segment, tuple((value is not None, value or "") for value in one.group), one.markup_percentage
