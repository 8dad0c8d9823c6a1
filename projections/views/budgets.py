"""Shared budgets (tiers) over time, and the limits and budget periods that they give a customer. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from domain.budgets.limits import (
    BudgetLimits,
    ModelLimit,
    budget_policy,
    budget_without_amounts,
    effective_budget,
)
from domain.facts.in_effect import State, in_effect, states
from domain.values.period_timeline import PeriodTimeline, PolicySegment, timeline_of
from domain.values.periods import Interval, PeriodPolicy, period_containing, zone_named
from projections.queries.facts import Fact
from projections.views.customers import TIME_ZONE_DEFAULT, CustomerHistory, Profile
from projections.views.periods import usage_policy, usage_timeline

#: The states over time of the shared budgets that a customer has named, by id; one that never was may be left out.
Tiers = Mapping[str, Sequence[State]]


class SharedBudgetView(msgspec.Struct, frozen=True):
    """A shared budget at an instant. `fields`: those that are set (decimals and instants as text)."""

    budget_id: str
    created_at: datetime
    updated_at: datetime
    fields: Mapping[str, Any]


def shared_budget(budget_id: str, facts: Sequence[Fact], now: datetime) -> SharedBudgetView | None:
    """The budget at `now`; None when it does not exist then."""
    return _at(budget_id, states(in_effect(facts), now), now)


def tiers_of(budgets: Mapping[str, Sequence[Fact]]) -> Tiers:
    """Fold the facts of shared budgets, by id."""
    return {budget_id: states(in_effect(facts)) for budget_id, facts in budgets.items()}


def named_tier(profile: Profile, tiers: Tiers, instant: datetime) -> SharedBudgetView | None:
    """The shared budget that a customer names at an instant within `profile`; None when there is none then."""
    budget_id = profile.fields.get("budget_id")
    if budget_id is None or budget_id not in tiers:
        return None
    return _at(budget_id, tiers[budget_id], instant)


def _at(budget_id: str, known: Sequence[State], instant: datetime) -> SharedBudgetView | None:
    """The budget at an instant; before its creation, and after its deletion, there is none."""
    index = bisect_right(known, instant, key=lambda state: state.since)
    state = known[index - 1] if index else None
    if state is None or state.created_at is None:
        return None
    return SharedBudgetView(budget_id, state.created_at, state.since, state.fields)


def budget_limits(profile: Profile, tiers: Tiers, instant: datetime) -> BudgetLimits:
    """The limits at an instant within `profile`: the customer's own fields override those of its tier."""
    tier = named_tier(profile, tiers, instant)
    return effective_budget(None if tier is None else tier.fields, profile.fields)


class LimitPeriods(msgspec.Struct, frozen=True):
    """The current period of each limit; `budget` None: no limit needs one.

    `policy` has the duration and alignment of `budget`. `models`: the period of each limit by model.
    """

    budget: Interval | None
    policy: PeriodPolicy | None
    models: Mapping[str, Interval]


def limit_periods(history: CustomerHistory, limits: BudgetLimits, tiers: Tiers) -> LimitPeriods:
    """The period of each limit at the instant of the history; a budget without its own has the usage period."""
    return limit_periods_at(history, limits, tiers, history.until)


def limit_periods_at(history: CustomerHistory, limits: BudgetLimits, tiers: Tiers, instant: datetime) -> LimitPeriods:
    """The period of each limit at an instant, by the facts in effect up to the instant of the history."""
    profile = history.profile
    anchor = _anchor_default(history, profile)
    zone = _zone_of(profile)
    timeline = budget_timeline(history, tiers)
    of_budget = (timeline or usage_timeline(history)).containing(instant)
    models = {}
    for name, limit in limits.model_limits.items():
        own = _own_policy(limit, limits, zone, anchor)
        models[name] = of_budget if own is None else period_containing(own, instant)
    needs_usage_period = limits.period_limit_usd is not None or of_budget in models.values()
    if timeline is None and not needs_usage_period:
        return LimitPeriods(None, None, models)
    policy = budget_policy(limits, zone, anchor)
    return LimitPeriods(of_budget, policy or usage_policy(profile, history.anchor), models)


def _own_policy(limit: ModelLimit, limits: BudgetLimits, zone: ZoneInfo, created_at: datetime) -> PeriodPolicy | None:
    """The period policy of a model limit with its own duration, aligned like the budget; None without a duration.

    Explicit bounds of the budget's current period do not apply to it.
    """
    if limit.duration is None:
        return None
    own = msgspec.structs.replace(limits, duration=limit.duration, period_start=None, period_end=None)
    return budget_policy(own, zone, created_at)


def budget_timeline(history: CustomerHistory, tiers: Tiers) -> PeriodTimeline | None:
    """The budget periods of a life, by the facts in effect up to the instant of its history; None: it has none.

    `tiers`: every shared budget that the customer has named in this life (`named_budgets`); others are ignored.
    """
    segments = list(_budget_policies(history, tiers))
    if not segments or segments[-1] is None:
        return None
    return timeline_of(segment for segment in segments if segment is not None)


def open_period(history: CustomerHistory, tiers: Tiers) -> Interval:
    """The period of the budget at the instant of the history; where it has none, the usage period."""
    return period_at(history, tiers, history.until)


def period_at(history: CustomerHistory, tiers: Tiers, instant: datetime) -> Interval:
    """The period of the budget at an instant, by the facts in effect up to the instant of the history."""
    return (budget_timeline(history, tiers) or usage_timeline(history)).containing(instant)


def named_budgets(history: CustomerHistory) -> tuple[str, ...]:
    """The ids of the shared budgets that a customer named in a life up to the instant of its history."""
    named = (profile.fields.get("budget_id") for profile in history.profiles)
    return tuple(sorted({budget_id for budget_id in named if budget_id is not None}))


def _budget_policies(history: CustomerHistory, tiers: Tiers) -> Iterable[PolicySegment | None]:
    """The policy wherever the profile or a tier changes; None: there is none from there on."""
    known, until = history.profiles, history.until
    if not known:
        return
    begin = known[0].since
    named = tiers.keys() & {profile.fields.get("budget_id") for profile in known}
    of_tiers = {state.since for name in named for state in tiers[name] if begin <= state.since <= until}
    profile_at = _profile_lookup(known)
    start_before: datetime | None = None
    for instant in sorted({profile.since for profile in known} | of_tiers):
        profile = profile_at(instant)
        tier = named_tier(profile, tiers, instant)
        limits = budget_without_amounts(None if tier is None else tier.fields, profile.fields)
        policy = budget_policy(limits, _zone_of(profile), _anchor_default(history, profile))
        yield None if policy is None else PolicySegment(instant, policy, _moved_to(limits, instant, start_before))
        start_before = limits.period_start


def _moved_to(limits: BudgetLimits, instant: datetime, start_before: datetime | None) -> datetime | None:
    """Where a `period_start` that is set at `instant`, or still lies ahead, moves the periods to."""
    start = limits.period_start
    return start if start is not None and (start != start_before or start > instant) else None


def _anchor_default(history: CustomerHistory, profile: Profile) -> datetime:
    """The anchor of an anchored budget without one: the creation of the customer, else the fact that names its tier."""
    if history.creation is None and (budget_id := profile.fields.get("budget_id")) is not None:
        naming = (fact.effective_at for fact in history.facts if fact.fields.get("budget_id") == budget_id)
        return next((instant for instant in naming if history.life.contains(instant)), history.until)
    return history.anchor


def _zone_of(profile: Profile) -> ZoneInfo:
    return zone_named(profile.fields.get("time_zone", TIME_ZONE_DEFAULT))


def _profile_lookup(known: Sequence[Profile]) -> Callable[[datetime], Profile]:
    def profile_at(instant: datetime) -> Profile:
        return next(profile for profile in reversed(known) if profile.since <= instant)

    return profile_at
