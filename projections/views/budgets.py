"""Shared budgets (tiers) over time, and the limits and budget periods that they give a customer. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from domain.budgets.events import BUDGET_CREATED, BUDGET_DELETED
from domain.budgets.limits import BudgetLimits, budget_policy, effective_budget
from domain.values.period_timeline import PeriodTimeline, timeline_of
from domain.values.periods import PeriodPolicy, zone_named
from projections.queries.customers import CustomerRecord
from projections.queries.facts import Fact
from projections.views.customers import TIME_ZONE_DEFAULT, Life, Profile, in_effect_order, profiles, with_fact


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


def budget_timeline(
    record: CustomerRecord, life: Life, tiers: Mapping[str, Sequence[Fact]], until: datetime
) -> PeriodTimeline | None:
    """The budget periods of a life, by the facts in effect up to `until`; None when the budget has none of its own.

    `tiers`: the facts of every shared budget that the customer has named in this life (`named_budgets`); those of other
    budgets are ignored.
    """
    known = profiles(record, life, until)
    policies = list(_budget_policies(known, tiers, until))
    if not policies or policies[-1][1] is None:
        return None
    return timeline_of((at, policy) for at, policy in policies if policy is not None)


def named_budgets(record: CustomerRecord, life: Life, until: datetime) -> tuple[str, ...]:
    """The ids of the shared budgets that a customer named in a life up to `until`."""
    named = (profile.fields.get("budget_id") for profile in profiles(record, life, until))
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
        zone = zone_named(profile.fields.get("time_zone", TIME_ZONE_DEFAULT))
        yield instant, budget_policy(budget_limits(profile, tiers, instant), zone, profile.created_at or begin)


def _profile_lookup(known: Sequence[Profile]) -> Callable[[datetime], Profile]:
    def profile_at(instant: datetime) -> Profile:
        return next(profile for profile in reversed(known) if profile.since <= instant)

    return profile_at
