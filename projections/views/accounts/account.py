"""The account of one customer: its profile, its limits, and its spending in the open period and in its life."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec

from domain.budgets.limits import BudgetLimits
from domain.customers.events import CUSTOMER_DELETED
from domain.scope import Scope
from domain.values.money import MONEY, marked_up
from domain.values.periods import Interval
from projections.queries.customer_list import UsageTotals
from projections.queries.snapshot import Snapshot
from projections.queries.usage import Segment, UsageQuestion, UsageSums
from projections.views.budget_state import NOTHING, cut_at, opening_spends
from projections.views.budgets import budget_limits, open_period, tiers_of
from projections.views.customers import CustomerHistory, CustomerView, customer_history


class Account(msgspec.Struct, frozen=True):
    """A customer at an instant. `updated_at`: when the last command about it was recorded, else when it was first seen.

    `period` is that of its budget, otherwise its usage period. Spending is reported cost, opening spend included, in
    the current life. `models`: the usage of the life by model, None for requests that name none. `totals`: of all.
    `cost_unknown_events`: events of the life of unknown cost, which are not in what was spent.
    """

    view: CustomerView
    updated_at: datetime
    limits: BudgetLimits
    period: Interval
    period_usd: Decimal
    total_usd: Decimal
    models: dict[str | None, UsageSums]
    totals: UsageTotals
    cost_unknown_events: int = 0


def account(snapshot: Snapshot, scope: Scope, customer_id: str, now: datetime) -> Account | None:
    """The account at `now`; None when there is no such customer now."""
    found = snapshot.customer_with_budgets(scope, customer_id)
    history = None if found is None else customer_history(found.record, now)
    if found is None or history is None or not history.exists:
        return None
    tiers = tiers_of(found.budgets)
    period = open_period(history, tiers)
    view, limits = history.view(), budget_limits(history.profile, tiers, now)
    return _with_spending(snapshot, scope, history, Account(
        view, _updated_at(history, view), limits, period, NOTHING, NOTHING, {}, UsageTotals()
    ))  # fmt: skip


def _updated_at(history: CustomerHistory, view: CustomerView) -> datetime:
    told = (
        fact.recorded_at
        for fact in history.facts
        if fact.kind != CUSTOMER_DELETED
        and fact.effective_at <= history.until
        and view.life.contains(fact.effective_at)
    )
    return max(told, default=view.first_seen_at or history.span.start)


def _with_spending(snapshot: Snapshot, scope: Scope, history: CustomerHistory, shown: Account) -> Account:
    """Sum what was spent, from one query: the life is split where the period begins and ends."""
    parts = cut_at(history.span, [shown.period])
    segments = tuple(Segment(part.start, part.end) for part in parts)
    question = UsageQuestion(segments, history.record.customer_id, ("model",), split_markup=True)
    (totals,) = snapshot.usage_totals(scope, [history.record.customer_id])
    of_period = of_life = NOTHING
    unknown = 0
    models: dict[str | None, UsageSums] = {}
    for one in snapshot.usage(scope, question):
        cost = marked_up(one.sums.cost_usd, one.markup_percentage)
        of_life, unknown = MONEY.add(of_life, cost), unknown + one.sums.cost_unknown_events
        if shown.period.contains(parts[one.segment].start):
            of_period = MONEY.add(of_period, cost)
        models[one.group[0]] = models.get(one.group[0], UsageSums()).plus(one.sums)
    for at, amount in opening_spends(history):
        if history.life.contains(at):
            of_life = MONEY.add(of_life, amount)
            of_period = MONEY.add(of_period, amount if shown.period.contains(at) else NOTHING)
    return msgspec.structs.replace(
        shown,
        period_usd=of_period,
        total_usd=of_life,
        models=models,
        totals=totals,
        cost_unknown_events=unknown,
    )
