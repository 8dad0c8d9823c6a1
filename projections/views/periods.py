"""Usage and budget periods of a customer, from the period policies that its facts set over time. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from domain.budgets.limits import BudgetLimits, budget_policy, effective_budget
from domain.values.durations import duration_text
from domain.values.period_timeline import PeriodTimeline, PolicySegment
from domain.values.periods import PeriodPolicy, period_policy, zone_named
from projections.queries.customers import CustomerRecord
from projections.queries.facts import Fact
from projections.views.customers import TIME_ZONE_DEFAULT, Life, Profile, profiles
from projections.views.shared_budgets import tier_fields_at

USAGE_DURATION_DEFAULT = "1mo"


def usage_policy(profile: Profile, begin: datetime) -> PeriodPolicy:
    """The usage period policy of a profile.

    An anchored policy without an anchor uses the creation of the customer, otherwise `begin`, where its life began.
    """
    fields = profile.fields
    anchor = fields.get("usage_anchor")
    return period_policy(
        duration=fields.get("usage_duration", USAGE_DURATION_DEFAULT),
        alignment=fields.get("usage_alignment", "calendar"),
        zone=fields.get("time_zone", TIME_ZONE_DEFAULT),
        anchor=profile.created_at or begin if anchor is None else datetime.fromisoformat(anchor),
    )


def usage_timeline(record: CustomerRecord, life: Life, until: datetime) -> PeriodTimeline:
    """The usage periods of a life, by the facts in effect up to `until`."""
    known = profiles(record, life, until) or [Profile(until, {}, None)]
    return PeriodTimeline(_segments((profile.since, usage_policy(profile, known[0].since)) for profile in known))


def budget_limits(profile: Profile, tiers: Mapping[str, Sequence[Fact]], instant: datetime) -> BudgetLimits:
    """The limits at an instant within `profile`: the customer's own fields override those of its tier."""
    budget_id = profile.fields.get("budget_id")
    tier = tier_fields_at(tiers.get(budget_id, ()), instant) if budget_id is not None else None
    return effective_budget(tier, profile.fields)


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
    return PeriodTimeline(_segments((at, policy) for at, policy in policies if policy is not None))


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


def _segments(policies: Iterable[tuple[datetime, PeriodPolicy]]) -> list[PolicySegment]:
    """The policies with the instants from which they apply; equal neighbours are merged."""
    segments: list[PolicySegment] = []
    for at, policy in policies:
        if not segments or not _same_periods(segments[-1].policy, policy):
            segments.append(PolicySegment(at, policy))
    return segments


def _same_periods(one: PeriodPolicy, other: PeriodPolicy) -> bool:
    """Whether both policies give the same periods: anchors only matter to anchored ones, zones are equal by key."""

    def essence(policy: PeriodPolicy) -> tuple[object, ...]:
        anchored = policy.alignment == "anchored"
        anchors = (policy.anchor, policy.first_end) if anchored else ()
        return duration_text(policy.duration), policy.alignment, policy.zone.key, anchors

    return essence(one) == essence(other)
