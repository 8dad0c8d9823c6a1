"""The events of a customer that a backfill would bring and take away. Pure."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from domain.usage.block_schema import REQUEST_TYPE
from domain.values.instants import epoch_microseconds
from domain.values.money import MONEY, marked_up
from domain.values.periods import Interval
from projections.arrow_columns import column, integers
from projections.queries.customers import CustomerRecord
from projections.views.customers import marked_spans


class RequestsByCustomer:
    """The rows that usage answers are made of, sorted once by customer and time, so that those of each are a slice."""

    def __init__(self, rows: pa.Table) -> None:
        requests = rows.filter(pc.equal(rows.column("type"), REQUEST_TYPE))
        self._rows = requests.sort_by([("customer_id", "ascending"), ("time", "ascending")]).combine_chunks()
        runs = pc.run_end_encode(column(self._rows, "customer_id"))
        ends = runs.run_ends.to_pylist()
        self._spans = dict(zip(runs.values.to_pylist(), pairwise([0, *ends]), strict=True))

    def customers(self) -> set[str]:
        """Return the ids of the customers that have any."""
        return {name for name in self._spans if name is not None}

    def of(self, customer_id: str) -> pa.Table:
        """Return the rows of a customer."""
        start, end = self._spans.get(customer_id, (0, 0))
        return self._rows.slice(start, end - start)


class ChangedEvents(msgspec.Struct, frozen=True, eq=False):
    """Events that would arrive and leave, as `EFFECT_ROWS` that ascend in time."""

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
    """Return those of the rows, which ascend in time, whose time is in a span."""
    edges = [epoch_microseconds(span.start), epoch_microseconds(span.end)]
    first, end = np.searchsorted(integers(rows, "time"), edges).tolist()
    return rows.slice(first, end - first)


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
