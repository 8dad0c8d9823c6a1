"""Usage of a customer in ended periods: as known at closing, as known now, and the difference."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from domain.errors import InvalidInput
from domain.scope import Scope
from domain.values.period_timeline import PeriodTimeline
from domain.values.periods import Interval
from projections.queries.snapshot import Snapshot
from projections.queries.usage import Segment, UsageQuestion
from projections.views.budgets import budget_timeline, tiers_of
from projections.views.charging.subscription_periods import subscription_periods
from projections.views.customers import CustomerHistory, customer_history
from projections.views.measures import Measures, measures_of, total
from projections.views.periods import usage_timeline
from projections.views.periods_as_known import PeriodsAsKnown

PAST_PERIODS_MAX: Final = 120


class PastPeriod(msgspec.Struct, frozen=True):
    """An ended period. `closed`: its closing grace is over.

    `at_closing` and `difference` (now minus at closing) are None until then. `period_at_closing`: the period that was
    known at closing to contain the beginning of this one; None until then, and where none was known.
    """

    period: Interval
    closed: bool
    at_closing: Measures | None
    now: Measures
    difference: Measures | None
    period_at_closing: Interval | None = None

    @property
    def restated(self) -> bool:
        """Whether the numbers or the bounds are others than were known at closing."""
        moved = self.period_at_closing is not None and self.period_at_closing != self.period
        return moved or (self.difference is not None and self.difference != Measures())


class PastUsage(msgspec.Struct, frozen=True):
    """Ended periods as of log position `position`, newest first."""

    position: int
    customer_id: str
    periods: tuple[PastPeriod, ...]


def past_usage(
    snapshot: Snapshot,
    scope: Scope,
    customer_id: str,
    now: datetime,
    periods: int,
    closing_grace_seconds: int,
    of_budget: bool = False,
    subscription_id: str | None = None,
) -> PastUsage | None:
    """The last `periods` usage periods that ended by `now` and reach into the current life; None: no such customer now.

    The first life reaches back to the first period whose closing knew usage of it, though that was taken away since.
    `of_budget`: the periods of the budget instead, if it has its own. `subscription_id`: the billing periods of this
    subscription instead; it is not looked at which ones were known at closing.
    A period closes at the last log position recorded before its end plus the grace; its closing values are made of the
    events and facts known at that position. `InvalidInput` unless `periods` is 1 to `PAST_PERIODS_MAX`.
    """
    if not 1 <= periods <= PAST_PERIODS_MAX:
        raise InvalidInput("periods", f"must be 1 to {PAST_PERIODS_MAX}")
    found = snapshot.customer_with_budgets(scope, customer_id)
    history = None if found is None else customer_history(found.record, now)
    if found is None or history is None or not history.exists:
        return None
    grace = timedelta(seconds=closing_grace_seconds)
    timeline = budget_timeline(history, tiers_of(found.budgets)) if of_budget else None
    periods_as_known = None
    if subscription_id is None:
        periods_as_known = PeriodsAsKnown(found.record, None if timeline is None else found.budgets)
        ended = _ended_periods(snapshot, scope, history, timeline or usage_timeline(history), periods, grace)
    else:
        ended = subscription_periods(snapshot, scope, found.record, subscription_id, now).ended(periods)
    spans = [period.intersect(history.span) or period for period in ended]
    sums = _sums(snapshot, scope, customer_id, spans)
    position = snapshot.point().position
    past = []
    for period, span, known_now in zip(ended, spans, sums, strict=True):
        at_closing = known_then = None
        if period.end + grace <= now:
            closing = snapshot.position_at(period.end + grace)
            if periods_as_known is not None:
                known_then = periods_as_known.containing(period.start, closing, period.end + grace)
            at_closing = known_now
            if closing < position:
                question = _question(customer_id, [span], closing)
                at_closing = total(snapshot.usage(scope, question))
        difference = None if at_closing is None else known_now.minus(at_closing)
        past.append(PastPeriod(period, at_closing is not None, at_closing, known_now, difference, known_then))
    return PastUsage(position, customer_id, tuple(past))


def _ended_periods(
    snapshot: Snapshot,
    scope: Scope,
    history: CustomerHistory,
    timeline: PeriodTimeline,
    periods: int,
    grace: timedelta,
) -> list[Interval]:
    """Ended periods, newest first, without those that ended before anything was known of the life at their closing."""
    begin = history.begin
    ended = [period for period in timeline.last(periods, history.until) if begin is not None and period.end > begin]
    if begin is None or history.life.start is not None or len(ended) == periods:
        return ended
    customer_id = history.record.customer_id
    first = snapshot.first_event_ever(scope, customer_id)
    if first is None or first >= begin:
        return ended
    emptied = [one for one in timeline.last(PAST_PERIODS_MAX, history.until) if first < one.end <= begin]
    while emptied and not _had_usage_at_closing(snapshot, scope, customer_id, emptied[-1], history.until, grace):
        emptied.pop()
    return [*ended, *emptied][:periods]


def _had_usage_at_closing(
    snapshot: Snapshot, scope: Scope, customer_id: str, period: Interval, now: datetime, grace: timedelta
) -> bool:
    if period.end + grace > now:
        return False
    closing = snapshot.position_at(period.end + grace)
    return any(snapshot.usage(scope, _question(customer_id, [period], closing)))


def _sums(snapshot: Snapshot, scope: Scope, customer_id: str, spans: Sequence[Interval]) -> list[Measures]:
    """The measures of each span as known now; `spans` are newest first."""
    oldest_first = spans[::-1]
    sums = [Measures() for _ in spans]
    if spans:
        for one in snapshot.usage(scope, _question(customer_id, oldest_first, None)):
            sums[one.segment] = sums[one.segment].plus(measures_of(one))
    return sums[::-1]


def _question(customer_id: str, spans: Sequence[Interval], as_of: int | None) -> UsageQuestion:
    segments = tuple(Segment(span.start, span.end) for span in spans)
    return UsageQuestion(segments, customer_id, as_of=as_of, split_markup=True, with_units=True)
