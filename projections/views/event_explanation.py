"""One event explained: how it ended, what it cost and why, and which totals it is in."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Final

import msgspec

from domain.prices.cost import unit_prices_for, version_at
from domain.prices.schedule import UnitPrices
from domain.scope import Scope
from domain.usage.block_schema import REQUEST_TYPE
from domain.usage.outcomes import Outcome
from domain.values.money import marked_up
from domain.values.periods import Interval
from projections.queries.events import CorrectionRecord, OutcomeRow, UsageEventRow
from projections.queries.prices import PriceRecord
from projections.queries.snapshot import Snapshot
from projections.views.customers import life_at
from projections.views.markups import markup_at, markup_changes
from projections.views.periods import budget_timeline, named_budgets, usage_timeline

REFUSALS_SHOWN_MAX: Final = 100


class CostExplained(msgspec.Struct, frozen=True):
    """`price` and `unit_prices` (those of the tier that applied) are None unless a price made the cost."""

    cost_usd: Decimal | None
    markup_percentage: Decimal
    reported_cost_usd: Decimal | None
    price: PriceRecord | None
    unit_prices: UnitPrices | None


class TotalsOfEvent(msgspec.Struct, frozen=True):
    """Which totals hold it. A voided event is in none, and one of another type than llm.request only in meters."""

    life: int
    usage_period: Interval
    budget_period: Interval | None
    day: date  # UTC


class EventExplained(msgspec.Struct, frozen=True):
    """True for the log up to `position`. `outcome` is that of the event under the identity, else of its last delivery.

    `event`, `cost` and `totals` are None when no delivery was counted. `refusals`: deliveries under the same identity
    that were not counted, oldest first, at most 100.
    """

    position: int
    outcome: Outcome
    event: UsageEventRow | None
    cost: CostExplained | None
    totals: TotalsOfEvent | None
    corrections: tuple[CorrectionRecord, ...]
    refusals: tuple[OutcomeRow, ...]


def explain_event(snapshot: Snapshot, scope: Scope, source: str, event_id: str, now: datetime) -> EventExplained | None:
    """Everything known about an identity; None when no delivery under it ever came."""
    event = snapshot.event(scope, source, event_id)
    refusals = tuple(snapshot.refusals_of(scope, source, event_id, REFUSALS_SHOWN_MAX))
    corrections = tuple(snapshot.corrections(scope, source, event_id))
    position = snapshot.point().position
    if event is None:
        if not refusals:
            return None
        return EventExplained(position, refusals[-1].outcome, None, None, None, corrections, refusals)
    return EventExplained(
        position=position,
        outcome="counted",
        event=event,
        cost=_cost(snapshot, scope, event),
        totals=_totals(snapshot, scope, event, now),
        corrections=corrections,
        refusals=refusals,
    )


def _cost(snapshot: Snapshot, scope: Scope, event: UsageEventRow) -> CostExplained:
    record = snapshot.customer(scope, event.customer_id)
    markup = Decimal(0) if record is None else markup_at(markup_changes(record.facts), event.time)
    reported = None if event.cost_usd is None else marked_up(event.cost_usd, markup)
    price = None if event.price_position is None else snapshot.price_at(event.price_position)
    version = None if price is None else version_at(price.versions, event.time)
    unit_prices = None if version is None else unit_prices_for(version, event.input_tokens)
    return CostExplained(event.cost_usd, markup, reported, price, unit_prices)


def _totals(snapshot: Snapshot, scope: Scope, event: UsageEventRow, now: datetime) -> TotalsOfEvent | None:
    record = snapshot.customer(scope, event.customer_id)
    if record is None or event.voided or event.type != REQUEST_TYPE:
        return None
    life = life_at(record, event.time)
    until = now if life.end is None else min(now, life.end)
    tiers = {name: snapshot.budget_facts(scope, name) for name in named_budgets(record, life, until)}
    budget = budget_timeline(record, life, tiers, until)
    return TotalsOfEvent(
        life=life.number,
        usage_period=usage_timeline(record, life, until).containing(event.time),
        budget_period=None if budget is None else budget.containing(event.time),
        day=event.time.date(),
    )
