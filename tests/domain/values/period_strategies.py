"""Hypothesis strategies of period policies and instants, in zones with every kind of clock change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from domain.values.durations import DURATION_COUNT_MAX, Duration
from domain.values.periods import USAGE_TIME_MIN, PeriodPolicy, zone_named

USAGE_TIME_LIMIT = datetime(2200, 1, 1, tzinfo=UTC)

#: Half-hour and two-hour changes, changes at and just after midnight, a day skipped whole, offsets that moved.
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/St_Johns",
    "America/Sao_Paulo",
    "America/Havana",
    "Asia/Beirut",
    "Asia/Kolkata",
    "Asia/Pyongyang",
    "Australia/Lord_Howe",
    "Antarctica/Troll",
    "Antarctica/Casey",
    "Pacific/Apia",
    "Pacific/Kwajalein",
    "Africa/Casablanca",
)


def instants(
    earliest: datetime = USAGE_TIME_MIN, latest: datetime = USAGE_TIME_LIMIT - timedelta(microseconds=1)
) -> st.SearchStrategy[datetime]:
    naive = st.datetimes(earliest.replace(tzinfo=None), latest.replace(tzinfo=None))
    return naive.map(lambda instant: instant.replace(tzinfo=UTC))


zones = st.sampled_from(ZONES).map(zone_named)
short_counts = {"s": 90_000, "m": 3_000, "h": 100, "d": 100, "w": 20, "mo": 30, "y": 5}
durations = st.sampled_from(tuple(DURATION_COUNT_MAX)).flatmap(
    lambda unit: st.builds(
        Duration,
        st.integers(1, short_counts[unit])
        | st.sampled_from((1, 2, 3, 6, 12, 24, 30)).filter(lambda n: n <= DURATION_COUNT_MAX[unit]),
        st.just(unit),
    )
)
calendar_policies = st.builds(PeriodPolicy, durations, st.just("calendar"), zones)
anchored_policies = st.builds(PeriodPolicy, durations, st.just("anchored"), zones, instants())
custom_end_policies = st.builds(
    lambda duration, zone, anchor, length: PeriodPolicy(duration, "anchored", zone, anchor, anchor + length),
    durations,
    zones,
    instants(latest=datetime(2190, 1, 1, tzinfo=UTC)),
    st.timedeltas(timedelta(microseconds=1), timedelta(days=800)),
)
policies = calendar_policies | anchored_policies | custom_end_policies
