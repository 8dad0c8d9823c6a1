"""Shared budgets (tiers) over time, and the limits and budget periods that they give a customer. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from domain.budgets.events import BUDGET_CREATED, BUDGET_DELETED
from domain.budgets.limits import BudgetLimits, ModelLimit, budget_policy, effective_budget
from domain.values.period_timeline import PeriodTimeline, timeline_of
from domain.values.periods import Interval, PeriodPolicy, period_containing, zone_named
from projections.queries.facts import Fact
from projections.views.customers import TIME_ZONE_DEFAULT, CustomerHistory, Profile, in_effect_order, with_fact
from projections.views.periods import usage_policy, usage_timeline


class SharedBudgetView(msgspec.Struct, frozen=True):
    """A shared budget at an instant. `fields`: those that are set (decimals and instants as text)."""

    budget_id: str
    created_at: datetime
    updated_at: datetime
    fields: Mapping[str, Any]


def shared_budget(budget_id: str, facts: Sequence[Fact], now: datetime) -> SharedBudgetView | None:
    """The budget at `now`; None when it does not exist then."""
    view: SharedBudgetView | None = None
    for fact in in_effect_order(facts):
        if fact.effective_at > now:
            break
        if fact.kind == BUDGET_DELETED:
            view = None
        elif view is None or fact.kind == BUDGET_CREATED:
            view = SharedBudgetView(budget_id, fact.effective_at, fact.effective_at, with_fact({}, fact))
        else:
            view = SharedBudgetView(budget_id, view.created_at, fact.effective_at, with_fact(view.fields, fact))
    return view


def budget_limits(profile: Profile, tiers: Mapping[str, Sequence[Fact]], instant: datetime) -> BudgetLimits:
    """The limits at an instant within `profile`: the customer's own fields override those of its tier."""
    budget_id = profile.fields.get("budget_id")
    tier = _tier_fields_at(tiers.get(budget_id, ()), instant) if budget_id is not None else None
    return effective_budget(tier, profile.fields)


def _tier_fields_at(facts: Sequence[Fact], instant: datetime) -> Mapping[str, Any] | None:
    """The fields that are set at an instant; None when the budget does not exist then."""
    view = shared_budget("", facts, instant)
    return None if view is None else view.fields


class LimitPeriods(msgspec.Struct, frozen=True):
    """The current period of each limit; `budget` None: no limit needs one.

    `policy` has the duration and alignment of `budget`. `models`: the period of each limit by model.
    """

    budget: Interval | None
    policy: PeriodPolicy | None
    models: Mapping[str, Interval]


def limit_periods(history: CustomerHistory, limits: BudgetLimits, tiers: Mapping[str, Sequence[Fact]]) -> LimitPeriods:
    """The period of each limit at the instant of the history; a budget without its own has the usage period."""
    now, begin, profile = history.until, history.begin or history.until, history.profile
    zone = _zone_of(profile)
    timeline = budget_timeline(history, tiers)
    of_budget = (timeline or usage_timeline(history)).containing(now)
    models = {}
    for name, limit in limits.model_limits.items():
        own = _own_policy(limit, limits, zone, profile.created_at or begin)
        models[name] = of_budget if own is None else period_containing(own, now)
    needs_usage_period = limits.period_limit_usd is not None or of_budget in models.values()
    if timeline is None and not needs_usage_period:
        return LimitPeriods(None, None, models)
    policy = budget_policy(limits, zone, profile.created_at or begin)
    return LimitPeriods(of_budget, policy or usage_policy(profile, begin), models)


def _own_policy(limit: ModelLimit, limits: BudgetLimits, zone: ZoneInfo, created_at: datetime) -> PeriodPolicy | None:
    """The period policy of a model limit with its own duration, aligned like the budget; None without a duration.

    Explicit bounds of the budget's current period do not apply to it.
    """
    if limit.duration is None:
        return None
    own = msgspec.structs.replace(limits, duration=limit.duration, period_start=None, period_end=None)
    return budget_policy(own, zone, created_at)


def budget_timeline(history: CustomerHistory, tiers: Mapping[str, Sequence[Fact]]) -> PeriodTimeline | None:
    """The budget periods of a life, by the facts in effect up to the instant of its history; None: it has none.

    `tiers`: the facts of every shared budget that the customer has named in this life (`named_budgets`); those of other
    budgets are ignored.
    """
    policies = list(_budget_policies(history.profiles, tiers, history.until))
    if not policies or policies[-1][1] is None:
        return None
    return timeline_of((at, policy) for at, policy in policies if policy is not None)


def named_budgets(history: CustomerHistory) -> tuple[str, ...]:
    """The ids of the shared budgets that a customer named in a life up to the instant of its history."""
    named = (profile.fields.get("budget_id") for profile in history.profiles)
    return tuple(sorted({budget_id for budget_id in named if budget_id is not None}))


def _budget_policies(
    known: Sequence[Profile], tiers: Mapping[str, Sequence[Fact]], until: datetime
) -> Iterable[tuple[datetime, PeriodPolicy | None]]:
    if not known:
        return
    begin = known[0].since
    named = {profile.fields.get("budget_id") for profile in known}
    changed = (fact.effective_at for name in named if name is not None for fact in tiers.get(name, ()))
    of_tiers = {instant for instant in changed if begin <= instant <= until}
    profile_at = _profile_lookup(known)
    for instant in sorted({profile.since for profile in known} | of_tiers):
        profile = profile_at(instant)
        limits = budget_limits(profile, tiers, instant)
        yield instant, budget_policy(limits, _zone_of(profile), profile.created_at or begin)


def _zone_of(profile: Profile) -> ZoneInfo:
    return zone_named(profile.fields.get("time_zone", TIME_ZONE_DEFAULT))


def _profile_lookup(known: Sequence[Profile]) -> Callable[[datetime], Profile]:
    def profile_at(instant: datetime) -> Profile:
        return next(profile for profile in reversed(known) if profile.since <= instant)

    return profile_at
