"""What a customer may still spend, and whether it may go on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from domain.budgets.access import AccessDecision, BudgetLimits, BudgetSpending, ModelLimit, budget_policy, decide_access
from domain.customers.events import CUSTOMER_CREATED
from domain.scope import Scope
from domain.values.money import MONEY, usd
from domain.values.periods import Interval, PeriodPolicy, period_containing, zone_named
from projections.queries.customers import CustomerRecord, Fact
from projections.queries.snapshot import Snapshot
from projections.queries.usage import Segment, UsageQuestion
from projections.views.customers import (
    CustomerView,
    Life,
    Profile,
    customer_view,
    in_effect,
    life_begin,
    profiles,
)
from projections.views.measures import measures_of
from projections.views.periods import budget_limits, budget_timeline, named_budgets, usage_policy, usage_timeline

NOTHING: Final = Decimal(0)


class BudgetState(msgspec.Struct, frozen=True):
    """True for the log up to `position`. `period` is the budget's own, else (when a limit needs one) the usage period.

    Everything spent is reported cost, markup included, within the current life. `policy` tells duration and alignment.
    """

    position: int
    customer: CustomerView
    limits: BudgetLimits
    spending: BudgetSpending
    period: Interval | None
    policy: PeriodPolicy | None

    @property
    def soft_limit_reached(self) -> bool:
        limit = self.limits.soft_limit_usd
        spent = self.spending.period_usd if self.limits.soft_limit_per_period else self.spending.total_usd
        return limit is not None and spent >= limit


class Access(msgspec.Struct, frozen=True):
    """May it go on? True for the log up to `position`. Of `limits` the decision looks at those in money only."""

    position: int
    customer_id: str
    decision: AccessDecision
    limits: BudgetLimits


class _Periods(msgspec.Struct, frozen=True):
    """Which stretch of time each limit looks at, now."""

    budget: Interval | None
    policy: PeriodPolicy | None
    models: Mapping[str, Interval]


def budget_state(snapshot: Snapshot, scope: Scope, customer_id: str, now: datetime) -> BudgetState | None:
    """The budget at `now`; None when there is no such customer now."""
    record = snapshot.customer(scope, customer_id)
    view = None if record is None else customer_view(record, now)
    if record is None or view is None or not view.exists:
        return None
    tiers = {name: snapshot.budget_facts(scope, name) for name in named_budgets(record, view.life, now)}
    profile = (profiles(record, view.life, now) or [Profile(now, {}, None)])[-1]
    limits = budget_limits(profile, tiers, now)
    periods = _periods(record, view, profile, limits, tiers, now)
    spending = _spending(snapshot, scope, record, view.life, periods)
    return BudgetState(snapshot.point().position, view, limits, spending, periods.budget, periods.policy)


def access(snapshot: Snapshot, scope: Scope, customer_id: str, now: datetime, model: str | None = None) -> Access:
    """Whether the customer may go on at `now` (with `model`, when one is named). Someone unknown or deleted may."""
    state = budget_state(snapshot, scope, customer_id, now)
    limits = BudgetLimits() if state is None else state.limits
    if state is None:
        decision = decide_access(known=False, blocked=False, limits=limits, spending=BudgetSpending(), model=model)
    else:
        decision = decide_access(
            known=True, blocked=state.customer.blocked, limits=limits, spending=state.spending, model=model
        )
    return Access(snapshot.point().position, customer_id, decision, limits)


def _periods(
    record: CustomerRecord,
    view: CustomerView,
    profile: Profile,
    limits: BudgetLimits,
    tiers: Mapping[str, Sequence[Fact]],
    now: datetime,
) -> _Periods:
    zone = zone_named(view.time_zone)
    begin = life_begin(record, view.life) or now
    policy = budget_policy(limits, zone, profile.created_at or begin)
    timeline = budget_timeline(record, view.life, tiers, now)
    of_budget = (timeline or usage_timeline(record, view.life, now)).containing(now)
    models = {}
    for name, limit in limits.model_limits.items():
        own = _own_policy(limit, limits, zone, profile.created_at or begin)
        models[name] = of_budget if own is None else period_containing(own, now)
    leans_on_usage_periods = limits.period_limit_usd is not None or of_budget in models.values()
    if timeline is None and not leans_on_usage_periods:
        return _Periods(None, None, models)
    return _Periods(of_budget, policy or usage_policy(profile, begin), models)


def _own_policy(limit: ModelLimit, limits: BudgetLimits, zone: ZoneInfo, created_at: datetime) -> PeriodPolicy | None:
    """A model limit with its own duration runs by that, aligned like the budget; a moved period does not move it."""
    if limit.duration is None:
        return None
    own = msgspec.structs.replace(limits, duration=limit.duration, period_start=None, period_end=None)
    return budget_policy(own, zone, created_at)


def _spending(
    snapshot: Snapshot, scope: Scope, record: CustomerRecord, life: Life, periods: _Periods
) -> BudgetSpending:
    """Everything spent against each limit, from one question: the life is cut wherever a period begins or ends."""
    looked_at = [*periods.models.values(), *([] if periods.budget is None else [periods.budget])]
    pieces = _pieces(life.span, looked_at)
    question = UsageQuestion(
        tuple(Segment(piece.start, piece.end) for piece in pieces), record.customer_id, ("model",), split_markup=True
    )
    spent = [
        (pieces[one.segment], one.group[0], measures_of(one).reported_cost_usd)
        for one in snapshot.usage(scope, question)
    ]
    opened = [(at, amount) for at, amount in opening_spends(record.facts) if life.holds(at)]

    def within(period: Interval, model: str | None = None) -> Decimal:
        amounts = [cost for piece, of, cost in spent if period.contains(piece.start) and model in (None, of)]
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
    """What customers came with: dated at their creation."""
    return [
        (fact.effective_at, usd(fact.fields["opening_spend_usd"], "opening_spend_usd"))
        for fact in in_effect(facts)
        if fact.kind == CUSTOMER_CREATED and fact.fields.get("opening_spend_usd") is not None
    ]


def _pieces(span: Interval, periods: Sequence[Interval]) -> list[Interval]:
    """`span` cut at every bound of `periods` that lies in it."""
    bounds = {bound for period in periods for bound in (period.start, period.end) if span.contains(bound)}
    cuts = sorted({span.start, span.end, *bounds})
    return [Interval(start, end) for start, end in pairwise(cuts)]


def _sum(amounts: Sequence[Decimal]) -> Decimal:
    total = NOTHING
    for amount in amounts:
        total = MONEY.add(total, amount)
    return total
