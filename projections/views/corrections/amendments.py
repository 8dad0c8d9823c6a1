"""The preview of a correction run that amends: the numbers of periods as they are, and as they would be. Pure.

1. Read the events that would differ, whose number the caller bounds, with the costs that they would have.
2. Take the customers of the page asked for: those that lose events, those that get some, and those whose events change.
3. Of each part of their periods with one markup, take what these events add to it now, and add what they would add.

So where a customer or a markup differs, both sides are shown.
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

from domain.scope import Scope
from domain.values.instants import aware, epoch_microseconds
from domain.values.money import MONEY
from projections.arrow_columns import Bools, Ints, integers
from projections.queries.corrections import AMENDED_EVENTS, CorrectedCustomer, CorrectedSums, CorrectionQuestion
from projections.queries.customers import NO_CUSTOMER
from projections.queries.snapshot import Snapshot
from projections.views.corrections.preview import (
    CorrectedPeriod,
    CorrectionPreview,
    MarkedPart,
    changed_periods,
    divided,
)

#: The columns of the customer, the cost and the unknown cost, as they are and as they would be, with their sign.
_SIDES: Final = (
    ("customer_id", "cost_usd", "is_unknown", -1),
    ("new_customer_id", "new_cost_usd", "is_new_unknown", 1),
)
_NOTHING: Final = Decimal(0)


def amendment_preview(
    snapshot: Snapshot, scope: Scope, question: CorrectionQuestion, now: datetime, after: str | None, limit: int
) -> CorrectionPreview:
    """Preview a run that amends, with the periods of at most `limit` customers behind `after`.

    `changed` counts void events too, which add nothing to the other numbers; `cost_unknown_events` are those that would
    have an unknown cost.
    """
    pricing = snapshot.scope_pricing(scope)
    events = AMENDED_EVENTS.empty_table() if pricing is None else snapshot.amended_events(scope, question, pricing)
    events = events.combine_chunks()
    valid = events.filter(pc.invert(events.column("is_void")))
    customers = sorted(_customers(valid), key=lambda one: one.customer_id)
    behind = [one for one in customers if after is None or one.customer_id > after]
    shown = behind[:limit]
    cost = MONEY.subtract(_sum(valid, "new_cost_usd"), _sum(valid, "cost_usd"))
    requests, unknown = int(integers(valid, "requests").sum()), int(integers(valid, "is_new_unknown").sum())
    return CorrectionPreview(
        snapshot.point().position,
        snapshot.corrected_totals(scope, question).held,
        CorrectedSums(events.num_rows, requests, cost, unknown),
        len(customers),
        tuple(_periods(snapshot, scope, now, shown, valid)),
        shown[-1].customer_id if shown else None,
        len(behind) > limit,
    )


def _customers(events: pa.Table) -> Iterator[CorrectedCustomer]:
    """The customers of these events, now or then, with the first and the last time of them."""
    both = pa.concat_tables(
        pa.table({"customer_id": events.column(name), "time": events.column("time")}) for name, *_ in _SIDES
    )
    times = both.group_by("customer_id").aggregate([("time", "min"), ("time", "max")])
    for one in times.to_pylist():
        if one["customer_id"] != NO_CUSTOMER:
            yield CorrectedCustomer(one["customer_id"], aware(one["time_min"]), aware(one["time_max"]))


def _periods(
    snapshot: Snapshot, scope: Scope, now: datetime, customers: Sequence[CorrectedCustomer], events: pa.Table
) -> Iterator[CorrectedPeriod]:
    periods, parts = divided(snapshot, scope, customers, now)
    return changed_periods(snapshot, scope, periods, parts, _in_parts(parts, events))


def _in_parts(parts: Sequence[MarkedPart], events: pa.Table) -> list[CorrectedSums]:
    """By how much the sums of each part would grow; `events` are those that it loses, gets, or has changed."""
    found = [CorrectedSums()] * len(parts)
    times = integers(events, "time")
    stays = np.asarray(pc.equal(events.column("customer_id"), events.column("new_customer_id")), dtype=bool)
    by_customer: dict[str, list[int]] = {}
    for number, part in enumerate(parts):
        by_customer.setdefault(part.span.customer_id, []).append(number)
    for customer_id, numbers in by_customer.items():
        for side in _SIDES:
            is_here = np.asarray(pc.equal(events.column(side[0]), customer_id), dtype=bool)
            rows = np.flatnonzero(is_here)
            which = _part_at([parts[number] for number in numbers], times[rows])
            for place, number in enumerate(numbers):
                found[number] = _added(found[number], events, rows[which == place], stays, side)
    return found


def _part_at(parts: Sequence[MarkedPart], times: Ints) -> Ints:
    """The number of the part that holds each time; -1 where none does. The parts of one customer do not overlap."""
    order = sorted(range(len(parts)), key=lambda number: parts[number].span.start)
    starts = np.array([epoch_microseconds(parts[number].span.start) for number in order], dtype=np.int64)
    ends = np.array([epoch_microseconds(parts[number].span.end) for number in order], dtype=np.int64)
    at = np.searchsorted(starts, times, side="right") - 1
    return np.where((at >= 0) & (times < ends[at]), np.array(order, dtype=np.int64)[at], -1)


def _added(
    sums: CorrectedSums, events: pa.Table, rows: Ints, stays: Bools, side: tuple[str, str, str, int]
) -> CorrectedSums:
    """The sums with what these events add on one side. An event that stays with its customer is counted once."""
    if not len(rows):
        return sums
    _, cost, unknown, sign = side
    of_part = events.take(pa.array(rows))
    counted = len(rows) if sign < 0 else int((~stays[rows]).sum())
    return msgspec.structs.replace(
        sums,
        events=sums.events + counted,
        requests=sums.requests + sign * int(integers(of_part, "requests").sum()),
        cost_usd=MONEY.fma(_sum(of_part, cost), Decimal(sign), sums.cost_usd),
        cost_unknown_events=sums.cost_unknown_events + sign * int(integers(of_part, unknown).sum()),
    )


def _sum(rows: pa.Table, column: str) -> Decimal:
    found: Decimal | None = pc.sum(rows.column(column)).as_py()
    return found or _NOTHING
