"""The preview of a backfill, from the events that would arrive and leave. Pure.

1. Take the customers of the page asked for, of all that have such events.
2. Divide the events of each among its lives and usage periods.
3. Add what arrives to what the periods are, and take off what leaves, with the markup valid at each event's time.
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
from domain.usage.block_schema import REQUEST_TYPE
from domain.values.instants import EPOCH, epoch_microseconds
from domain.values.money import MONEY, marked_up
from domain.values.periods import MICROSECOND, Interval
from projections.arrow_columns import integers
from projections.queries.backfill_effects import BackfillEffect
from projections.queries.customers import CustomerRecord
from projections.queries.snapshot import Snapshot
from projections.queries.usage import Segment, UsageQuestion
from projections.views.customers import CustomerHistory, Life, customer_history, lives, marked_spans
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
    without a customer too. `periods`: of one page of customers, by id, then time; `has_more`: whether others follow.
    """

    position: int
    effect: BackfillEffect
    customers: int
    difference_usd: Decimal
    periods: tuple[BackfilledPeriod, ...]
    has_more: bool

    @property
    def last_customer(self) -> str | None:
        """The last customer of the page."""
        return self.periods[-1].customer_id if self.periods else None


def backfill_preview(
    snapshot: Snapshot, scope: Scope, effect: BackfillEffect, now: datetime, after: str | None, limit: int
) -> BackfillPreview:
    """Preview a backfill, with the periods of at most `limit` customers behind `after`."""
    requests = [_requests(rows) for rows in (effect.arriving, effect.leaving)]
    changed = {name for rows in requests for name in rows.column("customer_id").to_pylist() if name is not None}
    names = sorted(name for name in changed if after is None or name > after)
    shown, has_more = names[:limit], len(names) > limit
    periods: list[BackfilledPeriod] = []
    for name in shown:
        arriving, leaving = (_of_customer(rows, name) for rows in requests)
        record = snapshot.customer(scope, name) or CustomerRecord(name, 0, None, None, ())
        periods += _periods(snapshot, scope, record, now, arriving, leaving)
    difference = MONEY.subtract(_cost(effect.arriving), _cost(effect.leaving))
    return BackfillPreview(effect.position, effect, len(changed), difference, tuple(periods), has_more)


def _requests(rows: pa.Table) -> pa.Table:
    """The rows that usage answers are made of."""
    return rows.filter(pc.equal(rows.column("type"), REQUEST_TYPE))


def _of_customer(rows: pa.Table, name: str) -> pa.Table:
    return rows.filter(pc.equal(rows.column("customer_id"), name)).combine_chunks()


def _periods(
    snapshot: Snapshot, scope: Scope, record: CustomerRecord, now: datetime, arriving: pa.Table, leaving: pa.Table
) -> Iterator[BackfilledPeriod]:
    for life in lives(record):
        of_life = [_between(rows, life.span) for rows in (arriving, leaving)]
        if any(rows.num_rows for rows in of_life):
            yield from _periods_of_life(snapshot, scope, record, life, now, *of_life)


def _periods_of_life(
    snapshot: Snapshot,
    scope: Scope,
    record: CustomerRecord,
    life: Life,
    now: datetime,
    arriving: pa.Table,
    leaving: pa.Table,
) -> Iterator[BackfilledPeriod]:
    times = np.concatenate([integers(rows, "time") for rows in (arriving, leaving)])
    first, last = (EPOCH + int(moment) * MICROSECOND for moment in (times.min(), times.max()))
    history = customer_history(record, now if life.end is None else min(now, life.end), life)
    for period in usage_timeline(history).within(Interval(first, last + MICROSECOND)):
        span = period.intersect(history.span) or period
        come, go = _between(arriving, span), _between(leaving, span)
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
    reported = Decimal(0)
    for part, percentage in marked_spans(record, span):
        cost = _cost(_between(rows, Interval(part.start, part.end)))
        reported = MONEY.add(reported, marked_up(cost, percentage))
    unknown = pc.sum(pc.equal(rows.column("cost_origin"), _UNKNOWN)).as_py() or 0
    requests = pc.sum(rows.column("requests")).as_py() or 0
    return PeriodNumbers(requests, _cost(rows), reported, unknown)


def _cost(rows: pa.Table) -> Decimal:
    found: Decimal | None = pc.sum(rows.column("cost_usd")).as_py()
    return found or Decimal(0)


def _between(rows: pa.Table, span: Interval) -> pa.Table:
    """Those of the rows whose time is in a span."""
    times, start, end = integers(rows, "time"), epoch_microseconds(span.start), epoch_microseconds(span.end)
    return rows.filter(pa.array((times >= start) & (times < end)))
