"""The billing periods of a subscription that have ended, newest first. Pure.

Each period is that of the plan at its time, as for charges: bounded by the interval of the plan, cut to the term. A
plan that is deleted bills nothing, so there is no period at whose end it is.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import cache

from domain.facts.in_effect import in_effect, states
from domain.subscriptions.lives import SubscriptionLife, Term
from domain.values.period_timeline import PeriodTimeline
from domain.values.periods import MICROSECOND, Interval
from projections.queries.facts import Fact
from projections.views.charging.billing_periods import Zones, billing_period, billing_timeline


def ended_periods(
    life: SubscriptionLife, zones: Zones, plan_facts: Callable[[str], Sequence[Fact]], now: datetime
) -> Iterator[Interval]:
    """The periods of a life that ended at or before `now`, newest first. `plan_facts`: the facts about a plan."""

    @cache
    def timeline_of(interval: str) -> PeriodTimeline:
        return billing_timeline(life, interval, zones)

    for term in reversed(life.terms):
        yield from _of_term(term, _Intervals(plan_facts(term.plan)), timeline_of, now)


class _Intervals:
    """The intervals of a plan, each from an instant on; None: the plan is deleted. The first one reaches back."""

    def __init__(self, facts: Sequence[Fact]) -> None:
        every = states(in_effect(facts))
        created = next((number for number, state in enumerate(every) if state.created_at is not None), len(every))
        known = every[created:]
        self._since = [state.since for state in known[1:]]
        self._intervals = [None if state.created_at is None else str(state.fields["interval"]) for state in known]

    def at(self, instant: datetime) -> tuple[datetime | None, str | None]:
        """The interval at an instant, and since when it is that."""
        if not self._intervals:
            return None, None
        number = bisect_right(self._since, instant)
        return self._since[number - 1] if number else None, self._intervals[number]


def _of_term(
    term: Term, intervals: _Intervals, timeline_of: Callable[[str], PeriodTimeline], now: datetime
) -> Iterator[Interval]:
    until = now if term.end is None else min(term.end, now)
    while until > term.start:
        since, interval = intervals.at(until - MICROSECOND)
        if interval is None:
            if since is None:
                return
            until = since
            continue
        span = billing_period(timeline_of(interval), term, until - MICROSECOND).span
        if span.end <= now and intervals.at(span.end - MICROSECOND)[1] is not None:
            yield span
        until = span.start
