"""The trace contains every case that the thirteen-month comparison is meant to cover."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from tests.oracle.plain_meter import PlainMeter
from tests.oracle.plain_prices import PlainPrices, Rule
from tests.oracle.trace import make_trace
from tests.oracle.trace_entries import CustomerWasDeleted, Delivered, TraceEntry


def test_a_seed_makes_one_trace() -> None:
    assert make_trace(7, events=600, deliveries=60) == make_trace(7, events=600, deliveries=60)
    assert make_trace(7, events=600, deliveries=60) != make_trace(8, events=600, deliveries=60)


def test_every_outcome_and_every_kind_of_lateness_occurs() -> None:
    trace = make_trace(7, events=8_000, deliveries=300)
    plain = PlainMeter(trace.entries)
    outcomes: Counter[str] = Counter()
    for delivery in plain.usage.deliveries.values():
        outcomes.update(delivery.counts())
    assert min(outcomes.values()) > 20, outcomes
    recorded = {n: it.recorded_at for n, it in enumerate(trace.entries) if isinstance(it, Delivered)}
    late = [recorded[event.order] - event.time for event in plain.usage.counted]
    assert sum(1 for lateness in late if lateness > timedelta(days=20)) > 50
    assert sum(1 for lateness in late if lateness < timedelta(0)) > 5
    assert sum(1 for event in plain.usage.counted if not event.is_root) > 500


def test_prices_and_discounts_of_every_customer_that_has_them_make_costs() -> None:
    trace = make_trace(7, events=8_000, deliveries=300)
    owners = {it.customer for it in trace.entries if isinstance(it, Rule)} - {None}
    usage = PlainMeter(trace.entries).usage
    of_tenant = PlainPrices(
        [TraceEntry(it.recorded_at) if isinstance(it, Rule) and it.customer is not None else it for it in trace.entries]
    )
    changed = Counter(
        event.customer
        for event in usage.counted
        if usage.costs[event.source, event.id].cost != of_tenant.history(event).cost
    )
    assert changed.keys() == owners
    assert min(changed.values()) > 5, changed


def test_late_events_fall_into_lives_that_have_ended() -> None:
    trace = make_trace(7, events=20_000)
    usage = PlainMeter(trace.entries).usage
    into_old_lives: Counter[str] = Counter()
    for order, it in enumerate(trace.entries):
        if isinstance(it, CustomerWasDeleted):
            events = usage.by_customer.get(it.customer, [])
            into_old_lives[it.customer] += sum(
                1 for event in events if event.order > order and event.time < it.recorded_at
            )
    assert len(into_old_lives) >= 5
    assert into_old_lives.total() > 20, into_old_lives
