"""The preview of a correction run: the numbers of each customer's periods as they are, and as they would be. Pure.

1. Add up the events of the filter that change, and take the customers of the page asked for.
2. Divide the times of each of them into its usage periods, and these by changes of its markup.
3. Add up the events that change in each part, and add or take that from what the periods are now.

Events that are restored at unknown cost get the price that is known for them, as a restoration gives it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from domain.scope import Scope
from domain.values.instants import epoch_microseconds
from domain.values.money import MONEY, marked_up
from domain.values.periods import MICROSECOND, Interval
from projections.arrow_columns import integers
from projections.pricing.row_costs import NEW_COST, priced_rows
from projections.queries.corrections import CorrectedCustomer, CorrectedSums, CorrectionQuestion
from projections.queries.customers import CustomerRecord, CustomerSpan
from projections.queries.snapshot import Snapshot
from projections.queries.usage import Segment, UsageQuestion
from projections.views.customers import customer_history, lasting_lives, marked_spans
from projections.views.measures import Measures, measures_of
from projections.views.periods import usage_timeline

#: Rows that are priced at once.
PAGE_ROWS: Final = 100_000
#: Customers whose periods are made in one go.
CUSTOMERS_AT_ONCE: Final = 100


class CorrectedNumbers(msgspec.Struct, frozen=True):
    """Numbers of a period as usage answers show them: exact, `cost_usd` before markup."""

    requests: int = 0
    cost_usd: Decimal = Decimal(0)
    reported_cost_usd: Decimal = Decimal(0)
    cost_unknown_events: int = 0

    def plus(self, other: CorrectedNumbers, sign: int = 1) -> CorrectedNumbers:
        """The sums of both, or the difference for a `sign` of -1."""
        return CorrectedNumbers(
            self.requests + sign * other.requests,
            MONEY.fma(other.cost_usd, Decimal(sign), self.cost_usd),
            MONEY.fma(other.reported_cost_usd, Decimal(sign), self.reported_cost_usd),
            self.cost_unknown_events + sign * other.cost_unknown_events,
        )


class CorrectedPeriod(msgspec.Struct, frozen=True):
    """A usage period of a customer, in one of its lives, in which `events` of any type would change."""

    customer_id: str
    life: int
    period: Interval
    events: int
    before: CorrectedNumbers
    after: CorrectedNumbers


class CorrectionPreview(msgspec.Struct, frozen=True):
    """What a correction run would do at log position `position`.

    `events`: in the filter. `changed`: those of them that would be voided or become valid again, of `customers`
    customers; its cost is that by which the costs of valid events would grow. `periods`: of one page of these
    customers, by id, then time; `has_more` tells whether others follow `last_customer`.
    """

    position: int
    events: int
    changed: CorrectedSums
    customers: int
    periods: tuple[CorrectedPeriod, ...]
    last_customer: str | None
    has_more: bool


#: A customer, the number of its life, a period, and what the life has of it.
CustomerPeriod = tuple[str, int, Interval, Interval]


class MarkedPart(msgspec.Struct, frozen=True):
    """A part of a period with one markup, and the number of the period."""

    period: int
    span: CustomerSpan
    markup_percentage: Decimal


def correction_preview(
    snapshot: Snapshot, scope: Scope, question: CorrectionQuestion, now: datetime, after: str | None, limit: int
) -> CorrectionPreview:
    """Preview a run that voids or restores, with the periods of at most `limit` customers behind `after`."""
    sign = -1 if question.action == "void" else 1
    totals = snapshot.corrected_totals(scope, question)
    found = snapshot.corrected_customers(scope, question, after, limit + 1)
    shown = found[:limit]
    periods: list[CorrectedPeriod] = []
    for first in range(0, len(shown), CUSTOMERS_AT_ONCE):
        of_customers = shown[first : first + CUSTOMERS_AT_ONCE]
        periods += _periods(snapshot, scope, question, sign, now, of_customers)
    priced = _restored_costs(snapshot, scope, question)
    sums = totals.sums
    for rows in priced:
        cost = MONEY.add(sums.cost_usd, pc.sum(rows.column(NEW_COST)).as_py() or Decimal(0))
        unknown = sums.cost_unknown_events - rows.num_rows
        sums = msgspec.structs.replace(sums, cost_usd=cost, cost_unknown_events=unknown)
    return CorrectionPreview(
        snapshot.point().position,
        totals.held,
        msgspec.structs.replace(sums, cost_usd=MONEY.multiply(sums.cost_usd, Decimal(sign))),
        totals.customers,
        tuple(periods),
        shown[-1].customer_id if shown else None,
        len(found) > limit,
    )


def _periods(
    snapshot: Snapshot,
    scope: Scope,
    question: CorrectionQuestion,
    sign: int,
    now: datetime,
    customers: Sequence[CorrectedCustomer],
) -> Iterator[CorrectedPeriod]:
    """The periods of these customers in which events would change."""
    periods, parts = divided(snapshot, scope, customers, now)
    names = tuple(one.customer_id for one in customers)
    of_page = msgspec.structs.replace(question, filter=msgspec.structs.replace(question.filter, customers=names))
    sums = _with_restored_costs(
        [part.span for part in parts],
        snapshot.corrected_sums(scope, of_page, [part.span for part in parts]),
        _restored_costs(snapshot, scope, of_page),
    )
    yield from changed_periods(snapshot, scope, periods, parts, sums, sign)


def changed_periods(
    snapshot: Snapshot,
    scope: Scope,
    periods: Sequence[CustomerPeriod],
    parts: Sequence[MarkedPart],
    sums: Iterable[CorrectedSums],
    sign: int = 1,
) -> Iterator[CorrectedPeriod]:
    """Yield those of the periods in which events would change: `sums` are those of each part, to be added or taken."""
    events = [0] * len(periods)
    changes = [CorrectedNumbers()] * len(periods)
    for part, of_part in zip(parts, sums, strict=True):
        events[part.period] += of_part.events
        reported = marked_up(of_part.cost_usd, part.markup_percentage)
        of_part_numbers = CorrectedNumbers(of_part.requests, of_part.cost_usd, reported, of_part.cost_unknown_events)
        changes[part.period] = changes[part.period].plus(of_part_numbers)
    kept = [number for number, count in enumerate(events) if count]
    before = usage_now(snapshot, scope, [(periods[number][0], periods[number][3]) for number in kept])
    for number, numbers in zip(kept, before, strict=True):
        customer_id, life_number, period, _ = periods[number]
        after = numbers.plus(changes[number], sign)
        yield CorrectedPeriod(customer_id, life_number, period, events[number], numbers, after)


def divided(
    snapshot: Snapshot, scope: Scope, customers: Sequence[CorrectedCustomer], now: datetime
) -> tuple[list[CustomerPeriod], list[MarkedPart]]:
    """Return the periods in which these customers have such events, and the parts of one markup that these have."""
    periods: list[CustomerPeriod] = []
    parts: list[MarkedPart] = []
    for customer in customers:
        record = snapshot.customer(scope, customer.customer_id)
        if record is not None:
            for life, period, span in periods_of(record, customer, now):
                parts += [MarkedPart(len(periods), part, markup) for part, markup in marked_spans(record, span)]
                periods.append((record.customer_id, life, period, span))
    return periods, parts


def periods_of(
    record: CustomerRecord, customer: CorrectedCustomer, now: datetime
) -> Iterator[tuple[int, Interval, Interval]]:
    """Yield the periods of a customer between its first and its last event: life, period, what the life has of it."""
    used = Interval(customer.first_time, customer.last_time + MICROSECOND)
    for life in lasting_lives(record):
        of_life = used.intersect(life.span)
        if of_life is None:
            continue
        history = customer_history(record, now if life.end is None else min(now, life.end), life)
        for period in usage_timeline(history).within(of_life):
            yield life.number, period, period.intersect(history.span) or period


def usage_now(snapshot: Snapshot, scope: Scope, spans: Sequence[tuple[str, Interval]]) -> list[CorrectedNumbers]:
    """Return what these spans of customers are now, in the given order."""
    found: dict[tuple[str, Interval], CorrectedNumbers] = {}
    for customer_id in dict.fromkeys(name for name, _ in spans):
        of_customer = [span for name, span in spans if name == customer_id]
        measures = [Measures() for _ in of_customer]
        segments = tuple(Segment(span.start, span.end) for span in of_customer)
        for one in snapshot.usage(scope, UsageQuestion(segments, customer_id, split_markup=True)):
            measures[one.segment] = measures[one.segment].plus(measures_of(one))
        for span, of_span in zip(of_customer, measures, strict=True):
            costs = of_span.cost_usd, of_span.reported_cost_usd
            found[customer_id, span] = CorrectedNumbers(of_span.requests, *costs, of_span.cost_unknown_events)
    return [found[span] for span in spans]


def _restored_costs(snapshot: Snapshot, scope: Scope, question: CorrectionQuestion) -> Iterator[pa.Table]:
    """The events that would be restored at unknown cost and have a price now, page by page, with that cost."""
    pricing = None if question.action == "void" else snapshot.scope_pricing(scope)
    after = None
    while pricing is not None and (rows := snapshot.unpriced_corrected(scope, question, after, PAGE_ROWS)) is not None:
        after = rows.column("customer_key")[-1].as_py(), rows.column("locator")[-1].as_py()
        of_models = rows.filter(pc.is_in(rows.column("kind_key"), pa.array(list(pricing.models), pa.int32())))
        priced = priced_rows(pricing.prices, pricing.scope_key, pricing.models, of_models)
        if priced.num_rows:
            yield priced


def _with_restored_costs(
    spans: Sequence[CustomerSpan], sums: Sequence[CorrectedSums], priced: Iterator[pa.Table]
) -> list[CorrectedSums]:
    """The sums with the costs that restored events get; the spans of a customer are in order of time."""
    added = list(sums)
    of_customer: dict[str, list[int]] = {}
    for number, span in enumerate(spans):
        of_customer.setdefault(span.customer_id, []).append(number)
    for rows in priced:
        for name in pc.unique(rows.column("customer_id")).to_pylist():
            of_name = rows.filter(pc.equal(rows.column("customer_id"), name)).combine_chunks()
            numbers = of_customer.get(name, [])
            starts = np.array([epoch_microseconds(spans[number].start) for number in numbers], dtype=np.int64)
            places = np.searchsorted(starts, integers(of_name, "time"), side="right") - 1
            for place in np.unique(places[places >= 0]).tolist():
                number = numbers[place]
                found = of_name.filter(pa.array(places == place))
                cost = pc.sum(found.column(NEW_COST)).as_py()
                one = added[number]
                added[number] = msgspec.structs.replace(
                    one,
                    cost_usd=MONEY.add(one.cost_usd, cost),
                    cost_unknown_events=one.cost_unknown_events - found.num_rows,
                )
    return added
