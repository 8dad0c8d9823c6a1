"""The events of a customer that a backfill would bring and take away. Pure."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from domain.values.instants import epoch_microseconds
from domain.values.money import MONEY, marked_up
from domain.values.periods import Interval
from projections.arrow_columns import integers
from projections.queries.customers import CustomerRecord
from projections.views.customers import marked_spans


class ChangedEvents(msgspec.Struct, frozen=True, eq=False):
    """Events that would arrive and leave, as `EFFECT_ROWS`."""

    arriving: pa.Table
    leaving: pa.Table

    def between(self, span: Interval) -> ChangedEvents:
        """Return those whose time is in a span."""
        return ChangedEvents(events_between(self.arriving, span), events_between(self.leaving, span))

    def of_model(self, model: str | None) -> ChangedEvents:
        """Return those of a model; None: all."""
        if model is None:
            return self
        arriving, leaving = (
            rows.filter(pc.equal(rows.column("model"), model)) for rows in (self.arriving, self.leaving)
        )
        return ChangedEvents(arriving, leaving)

    def reported_usd(self, record: CustomerRecord, span: Interval) -> Decimal:
        """Return what the customer's reported cost in a span would grow by."""
        return MONEY.subtract(
            reported_cost(record, span, events_between(self.arriving, span)),
            reported_cost(record, span, events_between(self.leaving, span)),
        )


def events_between(rows: pa.Table, span: Interval) -> pa.Table:
    """Return those of the rows whose time is in a span."""
    times, start, end = integers(rows, "time"), epoch_microseconds(span.start), epoch_microseconds(span.end)
    return rows.filter(pa.array((times >= start) & (times < end)))


def raw_cost(rows: pa.Table) -> Decimal:
    """Return the sum of the known costs, before markup."""
    found: Decimal | None = pc.sum(rows.column("cost_usd")).as_py()
    return found or Decimal(0)


def reported_cost(record: CustomerRecord, span: Interval, rows: pa.Table) -> Decimal:
    """Return the sum of the known costs of rows in a span, each with the markup valid at its time."""
    reported = Decimal(0)
    for part, percentage in marked_spans(record, span):
        cost = raw_cost(events_between(rows, Interval(part.start, part.end)))
        reported = MONEY.add(reported, marked_up(cost, percentage))
    return reported
