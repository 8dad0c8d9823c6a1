"""Budget spending of many customers at once, with one query for all their costs.

`spent_usd` is reported cost, markup included, plus opening spend: within the open period of the budget where it has
periods, otherwise within the customer's current life. It is the same amount as in `budget_state` for one customer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import pairwise

import msgspec

from domain.budgets.limits import BudgetLimits
from domain.scope import Scope
from domain.values.money import MONEY, marked_up
from domain.values.periods import Interval
from projections.queries.customers import CustomerRecord, CustomerSpan
from projections.queries.facts import Fact
from projections.queries.snapshot import Snapshot
from projections.views.budget_state import opening_spends
from projections.views.budgets import SharedBudgetView, budget_limits, budget_timeline, named_budgets, shared_budget
from projections.views.customers import CustomerView, Profile, customer_view, markup_at, markup_changes, profiles
from projections.views.periods import usage_timeline

NOTHING = Decimal(0)


class BudgetedCustomer(msgspec.Struct, frozen=True):
    """A customer, its limits, and what it spent of them.

    `tier`: the shared budget that the customer names, if it exists. `period` None: the budget has no periods.
    """

    view: CustomerView
    limits: BudgetLimits
    tier: SharedBudgetView | None
    period: Interval | None
    spent_usd: Decimal


class _SpendingQuery(msgspec.Struct, frozen=True):
    """A customer whose spending is to be summed over `spans`, each with the markup valid in it."""

    view: CustomerView
    limits: BudgetLimits
    tier: SharedBudgetView | None
    period: Interval | None
    opened_usd: Decimal
    spans: tuple[tuple[CustomerSpan, Decimal], ...]


def budgeted_customers(
    snapshot: Snapshot, scope: Scope, records: Sequence[CustomerRecord], now: datetime
) -> list[BudgetedCustomer]:
    """The budgeted customers among these records, in their order; records that are no customers now are left out."""
    views = [(record, customer_view(record, now)) for record in records]
    living = [(record, view) for record, view in views if view.exists]
    named = {name for record, view in living if record.facts for name in named_budgets(record, view.life, now)}
    tiers = snapshot.budgets_named(scope, sorted(named))
    queries = [_spending_query(record, view, tiers, now) for record, view in living]
    spans = [span for query in queries for span, _ in query.spans]
    costs = iter(snapshot.costs_of(scope, spans))
    return [_with_spending(query, costs) for query in queries]


def _spending_query(
    record: CustomerRecord, view: CustomerView, tiers: Mapping[str, tuple[Fact, ...]], now: datetime
) -> _SpendingQuery:
    if not record.facts:  # known by usage alone, without any facts
        span = CustomerSpan(record.customer_id, view.life.span.start, view.life.span.end)
        return _SpendingQuery(view, BudgetLimits(), None, None, NOTHING, ((span, NOTHING),))
    profile = (profiles(record, view.life, now) or [Profile(now, {}, None)])[-1]
    limits = budget_limits(profile, tiers, now)
    period = _period(record, view, limits, tiers, now)
    spent_in = view.life.span if period is None else view.life.span.intersect(period)
    opened = NOTHING
    for at, amount in opening_spends(record.facts):
        if spent_in is not None and spent_in.contains(at):
            opened = MONEY.add(opened, amount)
    tier = None if view.budget_id is None else shared_budget(view.budget_id, tiers.get(view.budget_id, ()), now)
    return _SpendingQuery(view, limits, tier, period, opened, tuple(_marked_spans(record, spent_in)))


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
    """Split the span where the customer's markup changes."""
    if span is None:
        return
    changes = markup_changes(record.facts)
    cuts = [span.start, *(change.start for change in changes if span.start < change.start < span.end), span.end]
    for start, end in pairwise(cuts):
        yield CustomerSpan(record.customer_id, start, end), markup_at(changes, start)


def _with_spending(query: _SpendingQuery, costs: Iterator[Decimal]) -> BudgetedCustomer:
    """The customer with its spending; takes the costs of its own spans from `costs`."""
    spent = query.opened_usd
    for (_, percentage), cost in zip(query.spans, costs, strict=False):
        spent = MONEY.add(spent, marked_up(cost, percentage))
    return BudgetedCustomer(query.view, query.limits, query.tier, query.period, spent)
