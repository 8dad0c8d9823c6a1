"""The preview of a re-pricing: what each customer's periods cost, and what they would cost. Pure.

1. Read the rows of the range page by page, price them by the prices known, and keep those whose cost changes.
2. Add up their costs by customer, and take the customers of the page asked for.
3. Read the rows of these customers again, and divide them among the customer's usage periods.
4. Add the differences to what the periods cost as they are, with the markup valid at each event's time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from domain.repricings.repricing_range import RepricingRange
from domain.scope import Scope
from domain.values.instants import EPOCH, epoch_microseconds
from domain.values.money import MONEY, marked_up
from domain.values.periods import MICROSECOND, Interval
from projections.arrow_columns import integers
from projections.pricing.row_costs import NEW_COST, changed_rows, priced_rows
from projections.queries.customers import CustomerRecord
from projections.queries.repricing import ScopePricing
from projections.queries.snapshot import Snapshot
from projections.queries.usage import Segment, UsageQuestion
from projections.views.customers import Life, customer_history, lasting_lives, marked_spans
from projections.views.measures import Measures, measures_of
from projections.views.periods import usage_timeline

#: Rows that are priced at once.
PAGE_ROWS: Final = 100_000
_NOTHING: Final = Decimal(0)


class RepricedCosts(msgspec.Struct, frozen=True):
    """The costs of some events as they are, and by the prices of a re-pricing. Exact, before markup."""

    events: int = 0
    before_usd: Decimal = _NOTHING
    after_usd: Decimal = _NOTHING

    @property
    def difference_usd(self) -> Decimal:
        """What the costs would grow by."""
        return MONEY.subtract(self.after_usd, self.before_usd)

    def plus(self, other: RepricedCosts) -> RepricedCosts:
        """The sums of both."""
        return RepricedCosts(
            self.events + other.events,
            MONEY.add(self.before_usd, other.before_usd),
            MONEY.add(self.after_usd, other.after_usd),
        )


class RepricedPeriod(msgspec.Struct, frozen=True):
    """A usage period of a customer, in one of its lives, in which `events` would get another cost.

    The costs are those of all usage of the customer in the period, as usage answers show them.
    """

    customer_id: str
    life: int
    period: Interval
    events: int
    before_usd: Decimal
    after_usd: Decimal
    reported_before_usd: Decimal
    reported_after_usd: Decimal


class RepricingPreview(msgspec.Struct, frozen=True):
    """What a re-pricing would do at log position `position`.

    `events`: in the range. `unpriced`: those of them for which no price is known; they keep their cost. `changed`:
    those that would get another cost, of `customers` customers. `periods`: of one page of these, by id, then time;
    `has_more` tells whether others follow.
    """

    position: int
    events: int
    unpriced: int
    changed: RepricedCosts
    customers: int
    periods: tuple[RepricedPeriod, ...]
    has_more: bool

    @property
    def last_customer(self) -> str | None:
        """The last customer of the page."""
        return self.periods[-1].customer_id if self.periods else None


class _RangeCosts(msgspec.Struct):
    """What the rows of a range add up to: `by_customer` of those whose cost changes."""

    events: int = 0
    priced: int = 0
    by_customer: dict[str, RepricedCosts] = msgspec.field(default_factory=dict)

    def add(self, rows: int, priced: pa.Table) -> None:
        """Add a page of so many rows, of which some have a price."""
        self.events, self.priced = self.events + rows, self.priced + priced.num_rows
        changed = changed_rows(priced)
        sums = [("locator", "count"), ("cost_usd", "sum"), (NEW_COST, "sum")]
        for row in changed.group_by("customer_id").aggregate(sums).to_pylist():
            of_page = RepricedCosts(row["locator_count"], row["cost_usd_sum"] or _NOTHING, row[f"{NEW_COST}_sum"])
            name = row["customer_id"]
            self.by_customer[name] = self.by_customer.get(name, RepricedCosts()).plus(of_page)

    def total(self) -> RepricedCosts:
        """Return the sums over all customers."""
        total = RepricedCosts()
        for of_customer in self.by_customer.values():
            total = total.plus(of_customer)
        return total


def repricing_preview(
    snapshot: Snapshot, scope: Scope, asked: RepricingRange, now: datetime, after: str | None, limit: int
) -> RepricingPreview:
    """Preview a re-pricing of a range, with the periods of at most `limit` customers behind `after`."""
    pricing, position = snapshot.scope_pricing(scope), snapshot.point().position
    if pricing is None:
        return RepricingPreview(position, 0, 0, RepricedCosts(), 0, (), has_more=False)
    scan = _scanned(snapshot, scope, asked, pricing)
    names = sorted(name for name in scan.by_customer if after is None or name > after)
    shown, has_more = names[:limit], len(names) > limit
    periods = _periods(snapshot, scope, asked, pricing, now, shown)
    return RepricingPreview(
        position, scan.events, scan.events - scan.priced, scan.total(), len(scan.by_customer), tuple(periods), has_more
    )


def repricing_effect(snapshot: Snapshot, scope: Scope, asked: RepricingRange, events_max: int) -> RepricedCosts | None:
    """Tell what a re-pricing of a range would change in all; None where it holds more than `events_max` events."""
    pricing = snapshot.scope_pricing(scope)
    if pricing is None:
        return RepricedCosts()
    scan = _RangeCosts()
    for rows, priced in _pages(snapshot, scope, asked, pricing):
        scan.add(rows, priced)
        if scan.events > events_max:
            return None
    return scan.total()


def _scanned(snapshot: Snapshot, scope: Scope, asked: RepricingRange, pricing: ScopePricing) -> _RangeCosts:
    scan = _RangeCosts()
    for rows, priced in _pages(snapshot, scope, asked, pricing):
        scan.add(rows, priced)
    return scan


def _pages(
    snapshot: Snapshot, scope: Scope, asked: RepricingRange, pricing: ScopePricing
) -> Iterator[tuple[int, pa.Table]]:
    """The number of rows of each page of a range, and those of them that have a price."""
    after = None
    while (rows := snapshot.rows_to_reprice(scope, asked, after, PAGE_ROWS)) is not None:
        after = rows.column("customer_key")[-1].as_py(), rows.column("locator")[-1].as_py()
        yield rows.num_rows, priced_rows(pricing.prices, pricing.scope_key, pricing.models, rows)


def _periods(
    snapshot: Snapshot,
    scope: Scope,
    asked: RepricingRange,
    pricing: ScopePricing,
    now: datetime,
    customers: Sequence[str],
) -> Iterator[RepricedPeriod]:
    """The periods of these customers that hold rows whose cost changes."""
    for first in range(0, len(customers), CUSTOMERS_AT_ONCE):
        names = customers[first : first + CUSTOMERS_AT_ONCE]
        of_names = msgspec.structs.replace(asked, customers=tuple(names))
        pages = [changed_rows(priced) for _, priced in _pages(snapshot, scope, of_names, pricing)]
        changed = pa.concat_tables(pages)
        for name in names:
            record = snapshot.customer(scope, name)
            if record is not None:
                of_customer = changed.filter(pc.equal(changed.column("customer_id"), name))
                yield from _periods_of(snapshot, scope, record, now, of_customer.combine_chunks())


#: Customers whose rows are read in one go.
CUSTOMERS_AT_ONCE: Final = 100


def _periods_of(
    snapshot: Snapshot, scope: Scope, record: CustomerRecord, now: datetime, changed: pa.Table
) -> Iterator[RepricedPeriod]:
    times = integers(changed, "time")
    for life in lasting_lives(record):
        of_life = _between(changed, times, life.span)
        if of_life.num_rows:
            yield from _periods_of_life(snapshot, scope, record, life, now, of_life)


def _periods_of_life(
    snapshot: Snapshot, scope: Scope, record: CustomerRecord, life: Life, now: datetime, changed: pa.Table
) -> Iterator[RepricedPeriod]:
    times = integers(changed, "time")
    first, last = (EPOCH + int(moment) * MICROSECOND for moment in (times.min(), times.max()))
    history = customer_history(record, now if life.end is None else min(now, life.end), life)
    periods = list(usage_timeline(history).within(Interval(first, last + MICROSECOND)))
    spans = [period.intersect(history.span) or period for period in periods]
    found = [_between(changed, times, span) for span in spans]
    kept = [number for number, rows in enumerate(found) if rows.num_rows]
    before = _usage(snapshot, scope, record.customer_id, [spans[number] for number in kept])
    for number, usage in zip(kept, before, strict=True):
        rows = found[number]
        reported = _reported_growth(record, spans[number], rows)
        yield RepricedPeriod(
            record.customer_id,
            life.number,
            periods[number],
            rows.num_rows,
            usage.cost_usd,
            MONEY.add(usage.cost_usd, _growth(rows)),
            usage.reported_cost_usd,
            MONEY.add(usage.reported_cost_usd, reported),
        )


def _usage(snapshot: Snapshot, scope: Scope, customer_id: str, spans: Sequence[Interval]) -> list[Measures]:
    segments = tuple(Segment(span.start, span.end) for span in spans)
    sums = [Measures() for _ in spans]
    for one in snapshot.usage(scope, UsageQuestion(segments, customer_id, split_markup=True)):
        sums[one.segment] = sums[one.segment].plus(measures_of(one))
    return sums


def _reported_growth(record: CustomerRecord, span: Interval, rows: pa.Table) -> Decimal:
    """What the reported cost of these rows would grow by."""
    growth, times = _NOTHING, integers(rows, "time")
    for part, percentage in marked_spans(record, span):
        of_part = _between(rows, times, Interval(part.start, part.end))
        growth = MONEY.add(growth, marked_up(_growth(of_part), percentage))
    return growth


def _growth(rows: pa.Table) -> Decimal:
    """What the cost of these rows would grow by."""
    after, before = (pc.sum(rows.column(name)).as_py() or _NOTHING for name in (NEW_COST, "cost_usd"))
    return MONEY.subtract(after, before)


def _between(rows: pa.Table, times: np.ndarray, span: Interval) -> pa.Table:
    """Those of the rows whose time is in a span."""
    start, end = epoch_microseconds(span.start), epoch_microseconds(span.end)
    return rows.filter(pa.array((times >= start) & (times < end)))
