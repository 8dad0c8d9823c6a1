"""The budget state of a customer, and the access decision based on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from domain.budgets.access_decision import AccessDecision, BudgetSpending, decide_access
from domain.budgets.limits import BudgetLimits, ModelLimit, budget_policy
from domain.customers.events import CUSTOMER_CREATED
from domain.scope import Scope
from domain.values.money import MONEY, marked_up, usd
from domain.values.periods import Interval, PeriodPolicy, period_containing, zone_named
from projections.queries.customers import CustomerRecord
from projections.queries.facts import Fact
from projections.queries.snapshot import Snapshot
from projections.queries.usage import Segment, UsageQuestion
from projections.views.budgets import budget_limits, budget_timeline, named_budgets
from projections.views.customers import (
    CustomerView,
    Life,
    Profile,
    customer_view,
    in_effect,
    life_begin,
    profiles,
)
from projections.views.periods import usage_policy, usage_timeline

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


class _LimitPeriods(msgspec.Struct, frozen=True):
    """The current period of each limit."""

    budget: Interval | None
    policy: PeriodPolicy | None
    models: Mapping[str, Interval]


def budget_state(snapshot: Snapshot, scope: Scope, customer_id: str, now: datetime) -> BudgetState | None:
    """The budget state at `now`; None when there is no such customer now."""
    record = snapshot.customer(scope, customer_id)
    view = None if record is None else customer_view(record, now)
    if record is None or view is None or not view.exists:
        return None
    tiers = {name: snapshot.budget_facts(scope, name) for name in named_budgets(record, view.life, now)}
    profile = (profiles(record, view.life, now) or [Profile(now, {}, None)])[-1]
    limits = budget_limits(profile, tiers, now)
    periods = _limit_periods(record, view, profile, limits, tiers, now)
    spending = _spending(snapshot, scope, record, view.life, periods)
    return BudgetState(snapshot.point().position, view, limits, spending, periods.budget, periods.policy)


def access(snapshot: Snapshot, scope: Scope, customer_id: str, now: datetime, model: str | None = None) -> Access:
    """The access decision at `now` (for `model`, when one is named). Unknown and deleted customers are allowed."""
    state = budget_state(snapshot, scope, customer_id, now)
    limits = BudgetLimits() if state is None else state.limits
    if state is None:
        decision = decide_access(known=False, blocked=False, limits=limits, spending=BudgetSpending(), model=model)
    else:
        decision = decide_access(
            known=True, blocked=state.customer.blocked, limits=limits, spending=state.spending, model=model
        )
    return Access(snapshot.point().position, customer_id, decision, limits)


def _limit_periods(
    record: CustomerRecord,
    view: CustomerView,
    profile: Profile,
    limits: BudgetLimits,
    tiers: Mapping[str, Sequence[Fact]],
    now: datetime,
) -> _LimitPeriods:
    zone = zone_named(view.time_zone)
    begin = life_begin(record, view.life) or now
    policy = budget_policy(limits, zone, profile.created_at or begin)
    timeline = budget_timeline(record, view.life, tiers, now)
    of_budget = (timeline or usage_timeline(record, view.life, now)).containing(now)
    models = {}
    for name, limit in limits.model_limits.items():
        own = _own_policy(limit, limits, zone, profile.created_at or begin)
        models[name] = of_budget if own is None else period_containing(own, now)
    needs_usage_period = limits.period_limit_usd is not None or of_budget in models.values()
    if timeline is None and not needs_usage_period:
        return _LimitPeriods(None, None, models)
    return _LimitPeriods(of_budget, policy or usage_policy(profile, begin), models)


def _own_policy(limit: ModelLimit, limits: BudgetLimits, zone: ZoneInfo, created_at: datetime) -> PeriodPolicy | None:
    """The period policy of a model limit with its own duration, aligned like the budget; None without a duration.

    Explicit bounds of the budget's current period do not apply to it.
    """
    if limit.duration is None:
        return None
    own = msgspec.structs.replace(limits, duration=limit.duration, period_start=None, period_end=None)
    return budget_policy(own, zone, created_at)


def _spending(
    snapshot: Snapshot, scope: Scope, record: CustomerRecord, life: Life, periods: _LimitPeriods
) -> BudgetSpending:
    """Spending against each limit, from one query: the life is split wherever a period begins or ends."""
    of_limits = [*periods.models.values(), *([] if periods.budget is None else [periods.budget])]
    parts = _cut(life.span, of_limits)
    question = UsageQuestion(
        tuple(Segment(part.start, part.end) for part in parts), record.customer_id, ("model",), split_markup=True
    )
    spent = [
        (parts[one.segment], one.group[0], marked_up(one.sums.cost_usd, one.markup_percentage))
        for one in snapshot.usage(scope, question)
    ]
    opened = [(at, amount) for at, amount in opening_spends(record.facts) if life.contains(at)]

    def within(period: Interval, model: str | None = None) -> Decimal:
        amounts = [cost for part, of, cost in spent if period.contains(part.start) and model in (None, of)]
        if model is None:
            amounts += [amount for at, amount in opened if period.contains(at)]
        return _sum(amounts)

    return BudgetSpending(
        period_usd=NOTHING if periods.budget is None else within(periods.budget),
        total_usd=within(life.span),
        by_model_usd={model: within(period, model) for model, period in periods.models.items()},
        period_resets_at=None if periods.budget is None else periods.budget.end,
        model_resets_at={model: period.end for model, period in periods.models.items()},
    )


def opening_spends(facts: Sequence[Fact]) -> list[tuple[datetime, Decimal]]:
    """Opening spends as (effective time of the creation, amount)."""
    return [
        (fact.effective_at, usd(fact.fields["opening_spend_usd"], "opening_spend_usd"))
        for fact in in_effect(facts)
        if fact.kind == CUSTOMER_CREATED and fact.fields.get("opening_spend_usd") is not None
    ]


def _cut(span: Interval, periods: Sequence[Interval]) -> list[Interval]:
    """Split `span` at every bound of `periods` that lies in it."""
    bounds = {bound for period in periods for bound in (period.start, period.end) if span.contains(bound)}
    cuts = sorted({span.start, span.end, *bounds})
    return [Interval(start, end) for start, end in pairwise(cuts)]


def _sum(amounts: Sequence[Decimal]) -> Decimal:
    total = NOTHING
    for amount in amounts:
        total = MONEY.add(total, amount)
    return total
