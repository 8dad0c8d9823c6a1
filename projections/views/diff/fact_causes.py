"""Facts as causes of a difference: what changes of a markup, and of the bounds of a period, moved.

Each is applied to the rows known at the later position, after all facts of lower position. So the amounts of all facts
add up to what they moved together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Final

import msgspec

from domain.customers.events import CUSTOMER_CREATED, CUSTOMER_DELETED
from domain.scope import Scope
from domain.values.money import MONEY, marked_up
from domain.values.periods import Interval
from projections.queries.customers import CustomerRecord, CustomerSpan
from projections.queries.diff import NO_LOCATOR, MarkupFact
from projections.queries.facts import Fact
from projections.queries.snapshot import Snapshot
from projections.views.customers import markup_at, markup_changes
from projections.views.diff.causes import OF_PERIOD, Cause, cause_of_fact
from projections.views.diff.interval import PeriodOf
from projections.views.measures import Measures

#: Changes of bounds that are causes of their own, the last ones; the first of these includes what the others moved.
BOUNDS_STEPS_MAX: Final = 20


class _Marked(msgspec.Struct, frozen=True):
    """A span of usage, and the percentages that a fact took from it and gave it."""

    span: CustomerSpan
    before: Decimal
    after: Decimal


def markup_causes(snapshot: Snapshot, scope: Scope, facts: Sequence[MarkupFact], span: Interval) -> list[Cause]:
    """What these facts moved of the reported cost of usage in a span. Facts that moved nothing are left out."""
    marked = [list(_marked(fact, span)) for fact in facts]
    spans = [one.span for of_fact in marked for one in of_fact]
    costs = iter(snapshot.costs_of(scope, spans) if spans else ())
    causes = []
    for fact, of_fact in zip(facts, marked, strict=True):
        moved = Decimal(0)
        for one in of_fact:
            cost = next(costs).cost_usd
            grown = MONEY.subtract(marked_up(cost, one.after), marked_up(cost, one.before))
            moved = MONEY.add(moved, grown)
        if moved:
            measures = Measures(reported_cost_usd=moved)
            causes.append(cause_of_fact("markup", NO_LOCATOR, fact.customer_id, fact.fact, measures))
    return causes


def _marked(fact: MarkupFact, span: Interval) -> Iterator[_Marked]:
    """The parts of a span whose markup the fact changed."""
    position = fact.fact.position
    before, after = (
        markup_changes([one for one in fact.facts if one.position < limit]) for limit in (position, position + 1)
    )
    cuts = {change.start for change in (*before, *after) if span.start < change.start < span.end}
    for start, end in pairwise([span.start, *sorted(cuts), span.end]):
        percentages = markup_at(before, start), markup_at(after, start)
        if percentages[0] != percentages[1]:
            yield _Marked(CustomerSpan(fact.customer_id, start, end), *percentages)


def period_causes(
    record: CustomerRecord, period: PeriodOf, since: int, usage: Callable[[Interval], Measures]
) -> list[Cause]:
    """What facts after position `since` moved by moving the bounds of a period, in log order.

    `usage`: the usage between two bounds, as known at the later position.
    """
    new = [fact for fact in record.facts if fact.position > since]
    first, last = period.bounds(since), period.bounds(new[-1].position if new else since)
    if first == last:
        return []
    steps = _steps(first, period, [fact for fact in new if _may_move(fact)])
    if not steps or steps[-1][1] != last:
        steps = _steps(first, period, new)  # any first fact of a life may anchor its periods
    causes, before = [], usage(first)
    for fact, known in steps[-BOUNDS_STEPS_MAX:]:
        after = usage(known)
        causes.append(cause_of_fact("period", OF_PERIOD, record.customer_id, fact, after.minus(before)))
        before = after
    return causes


def _steps(first: Interval, period: PeriodOf, facts: Sequence[Fact]) -> list[tuple[Fact, Interval]]:
    """The facts that moved the bounds, each with those that it moved them to."""
    steps, bounds = [], first
    for fact in facts:
        known = period.bounds(fact.position)
        if known != bounds:
            steps.append((fact, known))
            bounds = known
    return steps


def _may_move(fact: Fact) -> bool:
    """Whether a fact may move the bounds of a usage period; nearly all facts of a customer may not."""
    named = ("time_zone", "usage_duration", "usage_alignment", "usage_anchor")
    return fact.kind in (CUSTOMER_CREATED, CUSTOMER_DELETED) or any(name in fact.fields for name in named)
