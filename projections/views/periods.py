"""Usage periods of a customer, from the period policies that its facts set over time. Pure."""

from __future__ import annotations

from datetime import datetime

from domain.values.period_timeline import PeriodTimeline, timeline_of
from domain.values.periods import PeriodPolicy, period_policy
from projections.views.customers import TIME_ZONE_DEFAULT, CustomerHistory, Profile

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


def usage_timeline(history: CustomerHistory) -> PeriodTimeline:
    """The usage periods of a life, by the facts in effect up to the instant of its history."""
    known = history.profiles or (history.profile,)
    return timeline_of((profile.since, usage_policy(profile, known[0].since)) for profile in known)
