"""Budget spending of many customers at once, with one query for all their costs, and of a single one.

`spent_usd` is reported cost, markup included, plus opening spend: within the open period of the budget where it has
periods, otherwise within the customer's current life. It is the same amount as in `budget_state` for one customer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal

import msgspec

from domain.budgets.limits import BudgetLimits
from domain.scope import Scope
from domain.values.money import MONEY, marked_up
from domain.values.periods import USAGE_TIME_LIMIT, USAGE_TIME_MIN, Interval
from projections.queries.customers import CustomerRecord, CustomerSpan, SpanCost
from projections.queries.snapshot import Snapshot
from projections.queries.usage import Segment, UsageQuestion
from projections.views.budget_state import opening_spends
from projections.views.budgets import (
    SharedBudgetView,
    Tiers,
    budget_limits,
    named_budgets,
    named_tier,
    open_period,
    tiers_of,
)
from projections.views.customers import CustomerHistory, CustomerView, customer_history, marked_spans

NOTHING = Decimal(0)


class BudgetedCustomer(msgspec.Struct, frozen=True):
    """A customer, its limits, and what it spent of them.

    `tier`: the shared budget that the customer names, if it exists. `period` None: the budget has no periods.
    `cost_unknown_events`: events of unknown cost, which are not in `spent_usd`.
    """

    view: CustomerView
    limits: BudgetLimits
    tier: SharedBudgetView | None
    period: Interval | None
    spent_usd: Decimal
    cost_unknown_events: int = 0


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
    histories = (customer_history(record, now) for record in records)
    living = [history for history in histories if history.exists]
    named = sorted({name for history in living for name in named_budgets(history)})
    tiers = tiers_of(snapshot.facts_named(scope, "budget", named))
    queries = [_spending_query(history, tiers) for history in living]
    spans = [span for query in queries for span, _ in query.spans]
    costs = iter(snapshot.costs_of(scope, spans))
    return [_with_spending(query, costs) for query in queries]


def budgeted_customer(snapshot: Snapshot, scope: Scope, customer_id: str, now: datetime) -> BudgetedCustomer | None:
    """One budgeted customer, whose spending is answered from memory where it can be; None when there is none now."""
    found = snapshot.customer_with_budgets(scope, customer_id)
    history = None if found is None else customer_history(found.record, now)
    if found is None or history is None or not history.exists:
        return None
    query = _spending_query(history, tiers_of(found.budgets))
    spent, unknown = query.opened_usd, 0
    if query.spans:
        segment = Segment(query.spans[0][0].start, query.spans[-1][0].end)
        for one in snapshot.usage(scope, UsageQuestion((segment,), customer_id, split_markup=True)):
            spent = MONEY.add(spent, marked_up(one.sums.cost_usd, one.markup_percentage))
            unknown += one.sums.cost_unknown_events
    return BudgetedCustomer(query.view, query.limits, query.tier, query.period, spent, unknown)


def any_cost_unknown(snapshot: Snapshot, scope: Scope) -> bool:
    """Whether the cost of any event of a scope is unknown; read from the days of all customers by one query."""
    all_time = Segment(USAGE_TIME_MIN, USAGE_TIME_LIMIT)
    return any(one.sums.cost_unknown_events for one in snapshot.usage(scope, UsageQuestion((all_time,))))


def _spending_query(history: CustomerHistory, tiers: Tiers) -> _SpendingQuery:
    view, record = history.view(), history.record
    if not record.facts:  # known by usage alone, without any facts
        span = CustomerSpan(record.customer_id, history.span.start, history.span.end)
        return _SpendingQuery(view, BudgetLimits(), None, None, NOTHING, ((span, NOTHING),))
    limits = budget_limits(history.profile, tiers, history.until)
    period = _period(history, limits, tiers)
    spent_in = history.span if period is None else history.span.intersect(period)
    opened = NOTHING
    for at, amount in opening_spends(history):
        if spent_in is not None and spent_in.contains(at):
            opened = MONEY.add(opened, amount)
    tier = named_tier(history.profile, tiers, history.until)
    return _SpendingQuery(view, limits, tier, period, opened, tuple(marked_spans(record, spent_in)))


def _period(history: CustomerHistory, limits: BudgetLimits, tiers: Tiers) -> Interval | None:
    if not (limits.has_own_period or limits.period_limit_usd is not None):
        return None
    return open_period(history, tiers)


def _with_spending(query: _SpendingQuery, costs: Iterator[SpanCost]) -> BudgetedCustomer:
    """The customer with its spending; takes the costs of its own spans from `costs`."""
    spent, unknown = query.opened_usd, 0
    for (_, percentage), cost in zip(query.spans, costs, strict=False):
        spent = MONEY.add(spent, marked_up(cost.cost_usd, percentage))
        unknown += cost.cost_unknown_events
    return BudgetedCustomer(query.view, query.limits, query.tier, query.period, spent, unknown)
