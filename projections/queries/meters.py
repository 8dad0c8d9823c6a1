"""Queries for custom meters, and the values that a snapshot returns for them."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, Literal

import msgspec

from domain.charges.filter_matching import FilterValues
from projections.queries.usage import Segment

Aggregation = Literal["count", "sum", "max", "min", "latest", "unique_count", "weighted_sum"]

#: Values of single events that a meter answers with, of all groups together.
VALUES_MAX: Final = 100_000
#: Decimals of a weighted sum, which is rounded up.
WEIGHTED_DECIMALS: Final = 20


class SubscriptionRows(msgspec.Struct, frozen=True):
    """The events of one subscription: those that name it, and those in `alone` that name none.

    `alone`: where the customer has no other subscription, in ascending order, without overlap.
    """

    subscription_id: str
    alone: tuple[Segment, ...] = ()


class Weighing(msgspec.Struct, frozen=True):
    """What the values of a weighted sum are weighed over: `length`, from `since` on, where earlier ones count from."""

    since: datetime
    length: timedelta


class MeterQuestion(msgspec.Struct, frozen=True):
    """A query for a custom meter by segment and group: an aggregation over the events of `event_type`.

    It aggregates the values at the dotted path `value_property` of their data; with an `expression`, what this has as
    its value (see `domain.meters.expressions`).
    Values are JSON numbers or numeric strings with at most 38 digits; anything else is not a value and is left out.
    `latest` is the value of the greatest (time, content) with a valid value. `unique_count` counts distinct JSON
    values (text form); with an `operation_property`, those whose last event does not say "remove" there. Of several at
    one instant the removals come first.
    `weighted_sum` is the average of the running sum over time: each value counts from its event to the end of the
    segment, in the share that this time has of the segment, or of `weighing`.
    `filters`: also split by the filter that an event belongs to (see `domain.charges.filter_matching`).
    `counted_after`: only events that were counted after this log position.
    `subscription`: only these events. `with_events`: also count the events with a value. `with_values`: also return the
    value of each, in the order of time; `InvalidInput` when there are more than `VALUES_MAX`.
    """

    segments: tuple[Segment, ...]
    event_type: str
    aggregation: Aggregation
    value_property: str | None
    customer_id: str | None = None
    group_by: tuple[str, ...] = ()
    as_of: int | None = None
    subscription: SubscriptionRows | None = None
    with_events: bool = False
    with_values: bool = False
    operation_property: str | None = None
    weighing: Weighing | None = None
    filters: tuple[FilterValues, ...] = ()
    expression: str | None = None
    counted_after: int | None = None


class MeterValue(msgspec.Struct, frozen=True):
    """The value of a meter for one group, and one filter, in one segment (an index)."""

    segment: int
    group: tuple[str | None, ...]
    value: Decimal | None  # None: no event has a valid value (never so for counts and sums)
    events: int | None = None  # those with a value; None: not asked for
    values: tuple[Decimal, ...] | None = None  # in the order of time; None: not asked for
    total: Decimal | None = None  # the sum of the values that are weighed; None: not a weighted sum
    filter: int | None = None  # the index of the filter; None: no filter matched
