"""Usage of customers in a window that ends at an instant: reported cost of all events, and requests without a parent.

A window reaches into the present life alone: what was used before a deletion belongs to the life that it ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from domain.scope import Scope
from domain.values.money import MONEY, marked_up
from domain.values.periods import USAGE_TIME_MIN, Interval
from projections.queries.customers import SpanUsage
from projections.queries.snapshot import Snapshot
from projections.queries.usage import Segment, UsageQuestion, UsageSums
from projections.views.customers import CustomerHistory, marked_spans


class RollingUsage(msgspec.Struct, frozen=True):
    """Exact sums over the events of a window. `requests`: those without a parent.

    `cost_unknown_events`: events of unknown cost, which add nothing to the cost.
    """

    reported_cost_usd: Decimal = Decimal(0)
    requests: int = 0
    cost_unknown_events: int = 0

    def plus(self, sums: UsageSums | SpanUsage, percentage: Decimal) -> RollingUsage:
        """These sums with those of one markup added."""
        return RollingUsage(
            MONEY.add(self.reported_cost_usd, marked_up(sums.cost_usd, percentage)),
            self.requests + sums.root_requests,
            self.cost_unknown_events + sums.cost_unknown_events,
        )


def window_ending(now: datetime, length: timedelta) -> Interval | None:
    """Return [now - length, now), begun where no usage can be earlier; None when no instant is in it."""
    length = min(length, now - USAGE_TIME_MIN)
    return Interval(now - length, now) if length > timedelta() else None


def rolling_usage(snapshot: Snapshot, scope: Scope, history: CustomerHistory, window: Interval | None) -> RollingUsage:
    """The usage of one customer in a window; none in no window."""
    span = _of_life(window, history)
    used = RollingUsage()
    if span is None:
        return used
    segments = (Segment(span.start, span.end),)
    for one in snapshot.usage(scope, UsageQuestion(segments, history.record.customer_id, split_markup=True)):
        used = used.plus(one.sums, one.markup_percentage)
    return used


def rolling_usage_of_page(
    snapshot: Snapshot, scope: Scope, histories: Sequence[CustomerHistory], window: Interval | None
) -> list[RollingUsage]:
    """The usage of each of these customers, at most `PAGE_ROWS_MAX`, in a window; read by two queries for all."""
    of_each = [list(marked_spans(one.record, _of_life(window, one))) for one in histories]
    spans = [span for of_one in of_each for span, _ in of_one]
    found = iter(snapshot.usage_of_spans(scope, spans) if spans else ())
    usages = []
    for of_one in of_each:
        used = RollingUsage()
        for (_, percentage), sums in zip(of_one, found, strict=False):
            used = used.plus(sums, percentage)
        usages.append(used)
    return usages


def _of_life(window: Interval | None, history: CustomerHistory) -> Interval | None:
    return None if window is None else window.intersect(history.span)
