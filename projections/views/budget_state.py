"""The budget state of a customer, and the access decision based on it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Final

import msgspec

from domain.budgets.access_decision import (
    PERIOD,
    TOTAL,
    AccessDecision,
    BudgetSpending,
    decide_access,
    model_limit_name,
)
from domain.budgets.limits import BudgetLimits
from domain.customers.events import CUSTOMER_CREATED
from domain.scope import Scope
from domain.values.money import MONEY, marked_up, usd
from domain.values.periods import Interval, PeriodPolicy
from projections.queries.snapshot import Snapshot
from projections.queries.usage import Segment, UsageQuestion
from projections.views.budgets import LimitPeriods, budget_limits, limit_periods, tiers_of
from projections.views.customers import CustomerHistory, CustomerView, customer_history

NOTHING: Final = Decimal(0)


class BudgetState(msgspec.Struct, frozen=True):
    """Limits and spending of a customer, as of log position `position`.

    `period` is the budget's own, otherwise (when a limit needs one) the usage period; `policy` has its duration and
    alignment. Spending is reported cost, markup included, within the current life.
    """

    position: int
    customer: CustomerView
    limits: BudgetLimits
    spending: BudgetSpending
    period: Interval | None
    policy: PeriodPolicy | None

    @property
    def soft_limit_reached(self) -> bool:
        """Whether a soft limit is set and the spending that it applies to has reached it."""
        limit = self.limits.soft_limit_usd
        spent = self.spending.period_usd if self.limits.soft_limit_per_period else self.spending.total_usd
        return limit is not None and spent >= limit


class Access(msgspec.Struct, frozen=True):
    """An access decision, as of log position `position`. Of `limits` only those in money take part in it."""

    position: int
    customer_id: str
    decision: AccessDecision
    limits: BudgetLimits


def budget_state(snapshot: Snapshot, scope: Scope, customer_id: str, now: datetime) -> BudgetState | None:
    """The budget state at `now`; None when there is no such customer now.

    1. Read the customer, and the shared budgets that it has named.
    2. Fold its facts; find its limits and the current period of each.
    3. Sum its spending in these periods, from one query.
    """
    found = snapshot.customer_with_budgets(scope, customer_id)
    if found is None:
        return None
    history = customer_history(found.record, now)
    view = history.view()
    if not view.exists:
        return None
    tiers = tiers_of(found.budgets)
    limits = budget_limits(history.profile, tiers, now)
    periods = limit_periods(history, limits, tiers)
    spending = limit_spending(snapshot, scope, history, periods)
    return BudgetState(found.position, view, limits, spending, periods.budget, periods.policy)


def access(snapshot: Snapshot, scope: Scope, customer_id: str, now: datetime, model: str | None = None) -> Access:
    """The access decision at `now` (for `model`, when one is named). Unknown and deleted customers are allowed."""
    state = budget_state(snapshot, scope, customer_id, now)
    if state is None:
        limits = BudgetLimits()
        decision = decide_access(known=False, blocked=False, limits=limits, spending=BudgetSpending(), model=model)
        return Access(snapshot.point().position, customer_id, decision, limits)
    decision = decide_access(
        known=True, blocked=state.customer.blocked, limits=state.limits, spending=state.spending, model=model
    )
    return Access(state.position, customer_id, decision, state.limits)


def limit_spending(snapshot: Snapshot, scope: Scope, history: CustomerHistory, periods: LimitPeriods) -> BudgetSpending:
    """Spending against each limit, from one query: the life is split wherever a period begins or ends."""
    of_limits = [*periods.models.values(), *([] if periods.budget is None else [periods.budget])]
    parts = cut_at(history.span, of_limits)
    question = UsageQuestion(
        tuple(Segment(part.start, part.end) for part in parts),
        history.record.customer_id,
        ("model",),
        split_markup=True,
    )
    spent: list[tuple[Interval, str | None, Decimal]] = []
    unknown: dict[frozenset[str], int] = {}
    for one in snapshot.usage(scope, question):
        part, of_model = parts[one.segment], one.group[0]
        spent.append((part, of_model, marked_up(one.sums.cost_usd, one.markup_percentage)))
        if one.sums.cost_unknown_events:
            against = _limits_counting(part, of_model, periods)
            unknown[against] = unknown.get(against, 0) + one.sums.cost_unknown_events
    opened = [(at, amount) for at, amount in opening_spends(history) if history.life.contains(at)]

    def within(period: Interval, model: str | None = None) -> Decimal:
        amounts = [cost for part, of, cost in spent if period.contains(part.start) and model in (None, of)]
        if model is None:
            amounts += [amount for at, amount in opened if period.contains(at)]
        return _sum(amounts)

    return BudgetSpending(
        period_usd=NOTHING if periods.budget is None else within(periods.budget),
        total_usd=within(history.span),
        by_model_usd={model: within(period, model) for model, period in periods.models.items()},
        period_resets_at=None if periods.budget is None else periods.budget.end,
        model_resets_at={model: period.end for model, period in periods.models.items()},
        unknown_events=unknown,
    )


def _limits_counting(part: Interval, model: str | None, periods: LimitPeriods) -> frozenset[str]:
    """The names of the limits that usage of a model in a part of the life counts against, set or not."""
    names = {TOTAL}
    if periods.budget is not None and periods.budget.contains(part.start):
        names.add(PERIOD)
    if model is not None and (of_model := periods.models.get(model)) is not None and of_model.contains(part.start):
        names.add(model_limit_name(model))
    return frozenset(names)


def opening_spends(history: CustomerHistory) -> list[tuple[datetime, Decimal]]:
    """Opening spends of all lives as (effective time of the creation, amount)."""
    return [
        (fact.effective_at, usd(fact.fields["opening_spend_usd"], "opening_spend_usd"))
        for fact in history.facts
        if fact.kind == CUSTOMER_CREATED and fact.fields.get("opening_spend_usd") is not None
    ]


def cut_at(span: Interval, periods: Sequence[Interval]) -> list[Interval]:
    """Split `span` at every bound of `periods` that lies in it."""
    bounds = {bound for period in periods for bound in (period.start, period.end) if span.contains(bound)}
    cuts = sorted({span.start, span.end, *bounds})
    return [Interval(start, end) for start, end in pairwise(cuts)]


def _sum(amounts: Sequence[Decimal]) -> Decimal:
    total = NOTHING
    for amount in amounts:
        total = MONEY.add(total, amount)
    return total
