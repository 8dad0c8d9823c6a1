"""What a charge measures: units and events of a meter, of one subscription in one period, by group and filter.

A built-in meter adds up what usage sums hold; a custom one is asked with its own aggregation. Events belong to the
subscription that they name, those that name none to the only one that the customer has at their time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec

from domain.charges.amounts import Used, needs_values
from domain.charges.filter_matching import FilterMatcher, FilterValues
from domain.errors import InvalidInput
from domain.scope import Scope
from domain.subscriptions.lives import SubscriptionLife
from domain.usage.block_schema import REQUEST_TYPE
from domain.values.periods import Interval
from projections.queries.meters import MeterQuestion, SubscriptionRows, Weighing
from projections.queries.snapshot import Snapshot
from projections.queries.usage import GROUPS_BY_MAX, Segment, UsageQuestion
from projections.views.charging.billing_periods import BillingPeriod
from projections.views.charging.plans import PlanCharge
from projections.views.measures import Measures, measures_of
from projections.views.meters import BUILT_IN_METERS, COST_METERS, UNIT_METERS, MeterView, measured_by, meter_view

Group = tuple[str | None, ...]

#: Built-in meters that no event has as a value of its own; events cannot be priced one by one by them.
_WITHOUT_VALUES: Final = frozenset({"requests", *UNIT_METERS})


class Asked(msgspec.Struct, frozen=True):
    """Whose usage is measured, and when. `now`: the instant from which meters are taken.

    `others`: all lives of subscriptions of the customer.
    """

    snapshot: Snapshot
    scope: Scope
    life: SubscriptionLife
    others: Sequence[SubscriptionLife]
    period: BillingPeriod
    now: datetime

    @property
    def span(self) -> Interval:
        """The part of the period that is charged."""
        return self.period.span

    def rows(self, span: Interval) -> SubscriptionRows:
        """The events of the subscription in a span, beside the other ones of its customer."""
        alone = [span]
        for other in self.others:
            if other is not self.life:
                alone = [rest for one in alone for rest in _without(one, other.span)]
        return SubscriptionRows(self.life.subscription_id, tuple(Segment(one.start, one.end) for one in alone))


class Metered(msgspec.Struct, frozen=True):
    """The usage of one group in one filter. `total`: of a weighted sum, the sum of its values as they are.

    `cost_unknown_events`: None unless the meter is a sum of money.
    """

    used: Used
    cost_unknown_events: int | None = None
    total: Decimal | None = None


#: Usage by group, in the order of groups, and by the index of the filter; None: events that match none.
Buckets = dict[Group, dict[int | None, Metered]]


class _Split(msgspec.Struct, frozen=True):
    """How the usage of a charge is split: by paths, and by filters. `with_values`: with the value of each event."""

    group_by: tuple[str, ...]
    filters: tuple[FilterValues, ...]
    with_values: bool

    @property
    def names(self) -> tuple[str, ...]:
        """The names that a question groups by."""
        return tuple(map(_name, self.group_by))


def metered_units(asked: Asked, charge: PlanCharge) -> Buckets | str:
    """The usage of each group and filter with an event; or why the meter gives none.

    Too many groups, or values, are a reason too.
    """
    prices = (charge.price, *(one.price for one in charge.filters))
    split = _Split(charge.group_by, tuple(one.values for one in charge.filters), any(map(needs_values, prices)))
    try:
        return _metered(asked, charge.meter, split)
    except InvalidInput as error:
        return f"{error.field} {error.rule}"


def _metered(asked: Asked, meter: str, split: _Split) -> Buckets | str:
    own = meter_view(meter, asked.snapshot.facts(asked.scope, "meter", meter), asked.now, reaching_back=True)
    read = measured_by(meter, own)
    if read is not None:
        return _of_built_in(asked, meter, read, split)
    if own is None:
        return f"there is no meter {meter!r}"
    if split.with_values and own.aggregation not in ("sum", "count"):
        return f"events cannot be priced one by one by meter {meter!r}, whose aggregation is {own.aggregation!r}"
    return _answered(asked, _question_of(asked, own, split), split, own.rounded)


def _of_built_in(asked: Asked, meter: str, read: Callable[[Measures], Decimal], split: _Split) -> Buckets | str:
    sums = _sums(asked, meter, read, split)
    if not split.with_values:
        return sums
    if meter in _WITHOUT_VALUES:
        return f"events cannot be priced one by one by the built-in meter {meter!r}"
    segments = (Segment(asked.span.start, asked.span.end),)
    customer_id, rows = asked.life.customer_id, asked.rows(asked.span)
    question = MeterQuestion(segments, REQUEST_TYPE, "sum", meter, customer_id, split.names, subscription=rows)
    return {
        group: {number: Metered(one.used, sums[group][number].cost_unknown_events) for number, one in by_filter.items()}
        for group, by_filter in _answered(asked, question, split).items()
    }


def _question_of(asked: Asked, meter: MeterView, split: _Split) -> MeterQuestion:
    """The query for a custom meter. A recurring one counts what happened since the subscription started."""
    span = Interval(asked.life.start, asked.span.end) if meter.recurring else asked.span
    question = meter.question((Segment(span.start, span.end),), asked.life.customer_id, split.names)
    weighing = Weighing(asked.span.start, asked.period.whole.length)
    return msgspec.structs.replace(question, subscription=asked.rows(span), weighing=weighing)


def _answered(
    asked: Asked, question: MeterQuestion, split: _Split, rounded: Callable[[Decimal], Decimal] = Decimal
) -> Buckets:
    question = msgspec.structs.replace(question, filters=split.filters, with_events=True, with_values=split.with_values)
    found: Buckets = {}
    for one in asked.snapshot.meter(asked.scope, question):
        events = one.events or 0
        values = (Decimal(1),) * events if split.with_values and question.aggregation == "count" else one.values
        used = Used(rounded(one.value or Decimal(0)), events, values)
        found.setdefault(one.group, {})[one.filter] = Metered(used, None, one.total)
    return found


def _sums(asked: Asked, meter: str, read: Callable[[Measures], Decimal], split: _Split) -> Buckets:
    """What a built-in meter adds up."""
    matcher = FilterMatcher(split.filters)
    paths = (*split.group_by, *(key for key in matcher.keys if key not in split.group_by))
    sums: defaultdict[tuple[Group, int | None], Measures] = defaultdict(Measures)
    events: defaultdict[tuple[Group, int | None], int] = defaultdict(int)
    for texts, of_texts, count in _measures(asked, paths, with_units=meter not in BUILT_IN_METERS):
        bucket = texts[: len(split.group_by)], matcher.matching(dict(zip(paths, texts, strict=True)))
        sums[bucket] = sums[bucket].plus(of_texts)
        events[bucket] += count
    found: Buckets = {}
    for bucket in sorted(sums, key=lambda bucket: _group_order(bucket[0])):
        group, number = bucket
        unknown = sums[bucket].cost_unknown_events if meter in COST_METERS else None
        found.setdefault(group, {})[number] = Metered(Used(read(sums[bucket]), events[bucket]), unknown)
    return found


def _measures(asked: Asked, paths: Sequence[str], with_units: bool) -> Iterator[tuple[Group, Measures, int]]:
    """Sums of the events that name the subscription, and of those that name none, where it is alone."""
    rows = asked.rows(asked.span)
    segments, alone = tuple(_cut_where_alone(asked.span, rows)), frozenset(rows.alone)
    names = ("subscription", *map(_name, paths))
    question = UsageQuestion(
        segments, asked.life.customer_id, names, with_units=with_units, names_max=max(len(names), GROUPS_BY_MAX)
    )
    for one in asked.snapshot.usage(asked.scope, question):
        name, *group = one.group
        if name == rows.subscription_id or (name is None and segments[one.segment] in alone):
            yield tuple(group), measures_of(one), one.sums.events


def _name(path: str) -> str:
    return f"property:{path}"


def _cut_where_alone(span: Interval, rows: SubscriptionRows) -> Iterator[Segment]:
    """The span, in pieces in each of which the subscription is alone, or is not."""
    begin = span.start
    for piece in rows.alone:
        if begin < piece.start:
            yield Segment(begin, piece.start)
        yield piece
        begin = piece.end
    if begin < span.end:
        yield Segment(begin, span.end)


def _group_order(group: Group) -> tuple[tuple[bool, str], ...]:
    return tuple((value is not None, value or "") for value in group)


def _without(one: Interval, taken: Interval) -> list[Interval]:
    """What is left of an interval without another one."""
    overlap = one.intersect(taken)
    if overlap is None:
        return [one]
    bounds = ((one.start, overlap.start), (overlap.end, one.end))
    return [Interval(start, end) for start, end in bounds if start < end]
