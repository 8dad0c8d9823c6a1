"""Usage periods of a customer, from the period policies that its facts set over time. Pure."""

from __future__ import annotations

from datetime import datetime

from domain.values.period_timeline import PeriodTimeline, PolicySegment, timeline_of
from domain.values.periods import PeriodPolicy, period_policy
from projections.views.customers import TIME_ZONE_DEFAULT, CustomerHistory, Profile

USAGE_DURATION_DEFAULT = "1mo"


def usage_policy(profile: Profile, anchor_default: datetime) -> PeriodPolicy:
    """The usage period policy of a profile; one that is anchored without an anchor has `anchor_default`."""
    fields = profile.fields
    anchor = fields.get("usage_anchor")
    return period_policy(
        duration=fields.get("usage_duration", USAGE_DURATION_DEFAULT),
        alignment=fields.get("usage_alignment", "calendar"),
        zone=fields.get("time_zone", TIME_ZONE_DEFAULT),
        anchor=anchor_default if anchor is None else datetime.fromisoformat(anchor),
    )


def usage_timeline(history: CustomerHistory) -> PeriodTimeline:
    """The usage periods of a life, by the facts in effect up to the instant of its history. No usage moves them.

    The policy that the creation names holds from the beginning of the life, else the default; a change of it from its
    own instant.
    """
    beginning = Profile(history.span.start, history.base, None)
    return timeline_of(
        PolicySegment(profile.since, usage_policy(profile, history.anchor))
        for profile in (beginning, *history.profiles)
    )
