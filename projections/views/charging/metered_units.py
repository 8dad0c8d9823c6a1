"""What a charge measures: units and events of a meter, of one subscription in one period, by the groups of the charge.

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

from domain.charges.amounts import Used
from domain.errors import InvalidInput
from domain.scope import Scope
from domain.usage.block_schema import REQUEST_TYPE
from domain.values.periods import Interval
from projections.queries.meters import MeterQuestion, SubscriptionRows, Weighing
from projections.queries.snapshot import Snapshot
from projections.queries.usage import Segment, UsageQuestion
from projections.views.charging.billing_periods import BillingPeriod
from projections.views.charging.subscriptions import SubscriptionLife
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
    """The usage of one group. `total`: of a weighted sum, the sum of its values as they are.

    `cost_unknown_events`: None unless the meter is a sum of money.
    """

    used: Used
    cost_unknown_events: int | None = None
    total: Decimal | None = None


def metered_units(asked: Asked, meter: str, group_by: Sequence[str], with_values: bool) -> dict[Group, Metered] | str:
    """The usage of each group with an event, in the order of groups; or why the meter gives none.

    `with_values`: with the value of each event. Too many groups, or values, are a reason too.
    """
    try:
        return _metered(asked, meter, group_by, with_values)
    except InvalidInput as error:
        return f"{error.field} {error.rule}"


def _metered(asked: Asked, meter: str, group_by: Sequence[str], with_values: bool) -> dict[Group, Metered] | str:
    own = meter_view(meter, asked.snapshot.facts(asked.scope, "meter", meter), asked.now, reaching_back=True)
    names = tuple(f"property:{path}" for path in group_by)
    read = measured_by(meter, own)
    if read is not None:
        return _of_built_in(asked, meter, read, names, with_values)
    if own is None:
        return f"there is no meter {meter!r}"
    if with_values and own.aggregation not in ("sum", "count"):
        return f"events cannot be priced one by one by meter {meter!r}, whose aggregation is {own.aggregation!r}"
    return _by_group(asked, _question_of(asked, own, names), with_values, own.rounded)


def _of_built_in(
    asked: Asked, meter: str, read: Callable[[Measures], Decimal], names: tuple[str, ...], with_values: bool
) -> dict[Group, Metered] | str:
    if not with_values:
        return _sums_by_group(asked, meter, read, names)
    if meter in _WITHOUT_VALUES:
        return f"events cannot be priced one by one by the built-in meter {meter!r}"
    unknown = {group: one.cost_unknown_events for group, one in _sums_by_group(asked, meter, read, names).items()}
    segments = (Segment(asked.span.start, asked.span.end),)
    rows = asked.rows(asked.span)
    question = MeterQuestion(segments, REQUEST_TYPE, "sum", meter, asked.life.customer_id, names, subscription=rows)
    found = _by_group(asked, question, with_values)
    return {group: Metered(one.used, unknown.get(group)) for group, one in found.items()}


def _question_of(asked: Asked, meter: MeterView, names: tuple[str, ...]) -> MeterQuestion:
    """The query for a custom meter. A recurring one counts what happened since the subscription started."""
    span = Interval(asked.life.start, asked.span.end) if meter.recurring else asked.span
    question = meter.question((Segment(span.start, span.end),), asked.life.customer_id, names)
    weighing = Weighing(asked.span.start, asked.period.whole.length)
    return msgspec.structs.replace(question, subscription=asked.rows(span), weighing=weighing)


def _by_group(
    asked: Asked, question: MeterQuestion, with_values: bool, rounded: Callable[[Decimal], Decimal] = Decimal
) -> dict[Group, Metered]:
    found = {}
    for one in asked.snapshot.meter(
        asked.scope, msgspec.structs.replace(question, with_events=True, with_values=with_values)
    ):
        events = one.events or 0
        values = (Decimal(1),) * events if with_values and question.aggregation == "count" else one.values
        found[one.group] = Metered(Used(rounded(one.value or Decimal(0)), events, values), None, one.total)
    return found


def _sums_by_group(
    asked: Asked, meter: str, read: Callable[[Measures], Decimal], names: tuple[str, ...]
) -> dict[Group, Metered]:
    sums: defaultdict[Group, Measures] = defaultdict(Measures)
    events: defaultdict[Group, int] = defaultdict(int)
    for group, of_group, count in _sums(asked, names, with_units=meter not in BUILT_IN_METERS):
        sums[group] = sums[group].plus(of_group)
        events[group] += count
    return {
        group: Metered(Used(read(found), events[group]), found.cost_unknown_events if meter in COST_METERS else None)
        for group, found in sorted(sums.items(), key=lambda item: _group_order(item[0]))
    }


def _sums(asked: Asked, names: tuple[str, ...], with_units: bool) -> Iterator[tuple[Group, Measures, int]]:
    """Sums of the events that name the subscription, and of those that name none, where it is alone."""
    rows = asked.rows(asked.span)
    segments, alone = tuple(_cut_where_alone(asked.span, rows)), frozenset(rows.alone)
    question = UsageQuestion(segments, asked.life.customer_id, ("subscription", *names), with_units=with_units)
    for one in asked.snapshot.usage(asked.scope, question):
        name, *group = one.group
        if name == rows.subscription_id or (name is None and segments[one.segment] in alone):
            yield tuple(group), measures_of(one), one.sums.events


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
