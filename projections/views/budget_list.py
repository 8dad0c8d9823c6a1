"""Many customers at once with what they spent of their budgets: the sums of all of them in one question.

`spent_usd` is reported cost, markup included, plus opening spend: in the open period of the budget where it has
periods, else in the customer's current life. The same amount as `budget_state` tells of one customer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import pairwise

import msgspec

from domain.budgets.access import BudgetLimits
from domain.scope import Scope
from domain.values.money import MONEY, marked_up
from domain.values.periods import Interval
from projections.queries.customers import CustomerRecord, CustomerSpan, Fact
from projections.queries.snapshot import Snapshot
from projections.views.budget_state import opening_spends
from projections.views.customers import CustomerView, Profile, customer_view, profiles
from projections.views.markups import markup_at, markup_changes
from projections.views.periods import budget_limits, budget_timeline, named_budgets, usage_timeline
from projections.views.shared_budgets import SharedBudgetView, shared_budget

NOTHING = Decimal(0)


class BudgetedCustomer(msgspec.Struct, frozen=True):
    """`tier`: the shared budget that the customer names, if there is one. `period` None: the budget has no periods."""

    view: CustomerView
    limits: BudgetLimits
    tier: SharedBudgetView | None
    period: Interval | None
    spent_usd: Decimal


class _Asked(msgspec.Struct, frozen=True):
    view: CustomerView
    limits: BudgetLimits
    tier: SharedBudgetView | None
    period: Interval | None
    opened_usd: Decimal
    spans: tuple[tuple[CustomerSpan, Decimal], ...]  # with the markup valid in each


def budgeted_customers(
    snapshot: Snapshot, scope: Scope, records: Sequence[CustomerRecord], now: datetime
) -> list[BudgetedCustomer]:
    """Those of the records that are customers now, in their order."""
    views = [(record, customer_view(record, now)) for record in records]
    living = [(record, view) for record, view in views if view.exists]
    named = {name for record, view in living if record.facts for name in named_budgets(record, view.life, now)}
    tiers = snapshot.budgets_named(scope, sorted(named))
    asked = [_asked(record, view, tiers, now) for record, view in living]
    spans = [span for one in asked for span, _ in one.spans]
    costs = iter(snapshot.costs_of(scope, spans))
    return [_answered(one, costs) for one in asked]


def _asked(record: CustomerRecord, view: CustomerView, tiers: Mapping[str, tuple[Fact, ...]], now: datetime) -> _Asked:
    if not record.facts:  # known by its usage only: nothing was ever said of it
        span = CustomerSpan(record.customer_id, view.life.span.start, view.life.span.end)
        return _Asked(view, BudgetLimits(), None, None, NOTHING, ((span, NOTHING),))
    profile = (profiles(record, view.life, now) or [Profile(now, {}, None)])[-1]
    limits = budget_limits(profile, tiers, now)
    period = _period(record, view, limits, tiers, now)
    spent_in = view.life.span if period is None else view.life.span.intersect(period)
    opened = NOTHING
    for at, amount in opening_spends(record.facts):
        if spent_in is not None and spent_in.contains(at):
            opened = MONEY.add(opened, amount)
    tier = None if view.budget_id is None else shared_budget(view.budget_id, tiers.get(view.budget_id, ()), now)
    return _Asked(view, limits, tier, period, opened, tuple(_marked_spans(record, spent_in)))


def _period(
    record: CustomerRecord,
    view: CustomerView,
    limits: BudgetLimits,
    tiers: Mapping[str, tuple[Fact, ...]],
    now: datetime,
) -> Interval | None:
    if not (limits.has_own_period or limits.period_limit_usd is not None):
        return None
    timeline = budget_timeline(record, view.life, tiers, now) or usage_timeline(record, view.life, now)
    return timeline.containing(now)


def _marked_spans(record: CustomerRecord, span: Interval | None) -> Iterator[tuple[CustomerSpan, Decimal]]:
    """The span cut wherever the customer's markup changes."""
    if span is None:
        return
    changes = markup_changes(record.facts)
    cuts = [span.start, *(change.start for change in changes if span.start < change.start < span.end), span.end]
    for start, end in pairwise(cuts):
        yield CustomerSpan(record.customer_id, start, end), markup_at(changes, start)


def _answered(asked: _Asked, costs: Iterator[Decimal]) -> BudgetedCustomer:
    spent = asked.opened_usd
    for (_, percentage), cost in zip(asked.spans, costs, strict=False):
        spent = MONEY.add(spent, marked_up(cost, percentage))
    return BudgetedCustomer(asked.view, asked.limits, asked.tier, asked.period, spent)
