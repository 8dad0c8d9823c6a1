"""The preview of a backfill, from the events that would arrive and leave. Pure.

1. Take the customers of the page asked for, of all that have such events.
2. Divide the events of each among its lives and usage periods.
3. Add what arrives to what the periods are, and take off what leaves, with the markup valid at each event's time.
4. Find the limits in money that each would exceed.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from domain.scope import Scope
from domain.values.instants import EPOCH
from domain.values.money import MONEY
from domain.values.periods import MICROSECOND, Interval
from projections.arrow_columns import integers
from projections.queries.backfill_effects import BackfillEffect
from projections.queries.customers import CustomerRecord
from projections.queries.snapshot import Snapshot
from projections.queries.usage import Segment, UsageQuestion
from projections.views.backfill.changed_events import ChangedEvents, RequestsByCustomer, raw_cost, reported_cost
from projections.views.backfill.exceeded_limits import ExceededLimits, exceeded_limits
from projections.views.customers import CustomerHistory, Life, customer_history, lasting_lives
from projections.views.measures import Measures, measures_of
from projections.views.periods import usage_timeline

_UNKNOWN: Final = "unknown"


class PeriodNumbers(msgspec.Struct, frozen=True):
    """Usage of a customer in a period, as usage answers show it. Costs are exact."""

    requests: int = 0
    cost_usd: Decimal = Decimal(0)
    reported_cost_usd: Decimal = Decimal(0)
    cost_unknown_events: int = 0

    def plus(self, other: PeriodNumbers) -> PeriodNumbers:
        """The sums of both."""
        return PeriodNumbers(
            self.requests + other.requests,
            MONEY.add(self.cost_usd, other.cost_usd),
            MONEY.add(self.reported_cost_usd, other.reported_cost_usd),
            self.cost_unknown_events + other.cost_unknown_events,
        )

    def minus(self, other: PeriodNumbers) -> PeriodNumbers:
        """The differences, which may be negative."""
        return PeriodNumbers(
            self.requests - other.requests,
            MONEY.subtract(self.cost_usd, other.cost_usd),
            MONEY.subtract(self.reported_cost_usd, other.reported_cost_usd),
            self.cost_unknown_events - other.cost_unknown_events,
        )


class BackfilledPeriod(msgspec.Struct, frozen=True):
    """A usage period of a customer, in one of its lives, in which events would arrive or leave."""

    customer_id: str
    life: int
    period: Interval
    arriving: int
    leaving: int
    before: PeriodNumbers
    after: PeriodNumbers

    @property
    def difference(self) -> PeriodNumbers:
        """What the numbers would grow by."""
        return self.after.minus(self.before)


class BackfillPreview(msgspec.Struct, frozen=True):
    """What a commit would do at log position `position`: see `BackfillEffect` for the numbers of events.

    `customers`: those whose numbers would change. `difference_usd`: what the raw cost would grow by in all, of events
    without a customer too. It knows nothing of events of unknown cost: `cost_unknown_events` is how many more there
    would be, below 0 where fewer. `periods` and `exceeded`: of one page of customers, by id, then time; `has_more`:
    whether others follow.
    """

    position: int
    effect: BackfillEffect
    customers: int
    difference_usd: Decimal
    cost_unknown_events: int
    periods: tuple[BackfilledPeriod, ...]
    exceeded: ExceededLimits
    has_more: bool

    @property
    def last_customer(self) -> str | None:
        """The last customer of the page."""
        return self.periods[-1].customer_id if self.periods else None


def backfill_preview(
    snapshot: Snapshot, scope: Scope, effect: BackfillEffect, now: datetime, after: str | None, limit: int
) -> BackfillPreview:
    """Preview a backfill, with the periods of at most `limit` customers behind `after`."""
    arriving, leaving = RequestsByCustomer(effect.arriving), RequestsByCustomer(effect.leaving)
    changed = arriving.customers() | leaving.customers()
    names = sorted(name for name in changed if after is None or name > after)
    shown, has_more = names[:limit], len(names) > limit
    periods: list[BackfilledPeriod] = []
    exceeded = ExceededLimits()
    for name in shown:
        of_customer = ChangedEvents(arriving.of(name), leaving.of(name))
        record = snapshot.customer(scope, name) or CustomerRecord(name, 0, None, None, ())
        periods += _periods(snapshot, scope, record, now, of_customer)
        exceeded = exceeded.plus(exceeded_limits(snapshot, scope, record, of_customer, now))
    return BackfillPreview(
        effect.position,
        effect,
        len(changed),
        MONEY.subtract(raw_cost(effect.arriving), raw_cost(effect.leaving)),
        _cost_unknown(effect.arriving) - _cost_unknown(effect.leaving),
        tuple(periods),
        exceeded,
        has_more,
    )


def _periods(
    snapshot: Snapshot, scope: Scope, record: CustomerRecord, now: datetime, changed: ChangedEvents
) -> Iterator[BackfilledPeriod]:
    for life in lasting_lives(record):
        of_life = changed.between(life.span)
        if of_life.arriving.num_rows or of_life.leaving.num_rows:
            yield from _periods_of_life(snapshot, scope, record, life, now, of_life)


def _periods_of_life(
    snapshot: Snapshot, scope: Scope, record: CustomerRecord, life: Life, now: datetime, changed: ChangedEvents
) -> Iterator[BackfilledPeriod]:
    times = np.concatenate([integers(rows, "time") for rows in (changed.arriving, changed.leaving)])
    first, last = (EPOCH + int(moment) * MICROSECOND for moment in (times.min(), times.max()))
    history = customer_history(record, now if life.end is None else min(now, life.end), life)
    for period in usage_timeline(history).within(Interval(first, last + MICROSECOND)):
        span = period.intersect(history.span) or period
        here = changed.between(span)
        come, go = here.arriving, here.leaving
        if come.num_rows or go.num_rows:
            before = _usage(snapshot, scope, history, span)
            after = before.plus(_numbers(record, span, come)).minus(_numbers(record, span, go))
            yield BackfilledPeriod(record.customer_id, life.number, period, come.num_rows, go.num_rows, before, after)


def _usage(snapshot: Snapshot, scope: Scope, history: CustomerHistory, span: Interval) -> PeriodNumbers:
    asked = UsageQuestion((Segment(span.start, span.end),), history.record.customer_id, split_markup=True)
    sums = Measures()
    for one in snapshot.usage(scope, asked):
        sums = sums.plus(measures_of(one))
    return PeriodNumbers(sums.requests, sums.cost_usd, sums.reported_cost_usd, sums.cost_unknown_events)


def _numbers(record: CustomerRecord, span: Interval, rows: pa.Table) -> PeriodNumbers:
    """What these rows add up to."""
    requests = pc.sum(rows.column("requests")).as_py() or 0
    return PeriodNumbers(requests, raw_cost(rows), reported_cost(record, span, rows), _cost_unknown(rows))


def _cost_unknown(rows: pa.Table) -> int:
    """How many of the rows have an unknown cost."""
    return pc.sum(pc.equal(rows.column("cost_origin"), _UNKNOWN)).as_py() or 0
