"""Windows of a report partition its time range without gap or overlap; too many are refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import InvalidInput
from domain.values.periods import Interval
from projections.queries.usage import WINDOWS_MAX
from projections.views.usage_windows import WINDOWS, Window, windows_of

ZONES = ("UTC", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns")


def span(start: datetime, **length: float) -> Interval:
    return Interval(start, start + timedelta(**length))


@given(
    st.sampled_from(WINDOWS),
    st.sampled_from(ZONES),
    st.integers(0, 700 * 86_400).map(lambda seconds: datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)),
    st.integers(1, 40 * 3600),
)
@settings(deadline=None, max_examples=60)
def test_windows_cover_the_time_without_gap_or_overlap(
    window: Window, zone: str, start: datetime, seconds: int
) -> None:
    asked = span(start, seconds=seconds)
    found = windows_of(asked, window, zone)
    assert all(one.end == other.start for one, other in pairwise(found))
    assert found[0].contains(asked.start)
    assert found[-1].start < asked.end <= found[-1].end


def test_a_day_of_a_clock_change_has_23_or_25_hours() -> None:
    spring = span(datetime(2026, 3, 28, 23, tzinfo=UTC), hours=23)
    autumn = span(datetime(2026, 10, 24, 22, tzinfo=UTC), hours=25)
    for day, hours in ((spring, 23), (autumn, 25)):
        assert windows_of(day, "day", "Europe/Berlin") == [day]
        assert len(windows_of(day, "hour", "Europe/Berlin")) == hours


def test_without_a_window_the_time_stays_whole() -> None:
    whole = span(datetime(2026, 1, 1, tzinfo=UTC), days=400)
    assert windows_of(whole, None, "UTC") == [whole]


def test_too_many_windows_are_refused_before_they_are_made() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    assert len(windows_of(span(start, minutes=WINDOWS_MAX), "minute", "UTC")) == WINDOWS_MAX
    with pytest.raises(InvalidInput, match="window"):
        windows_of(span(start, minutes=WINDOWS_MAX + 1), "minute", "UTC")


def test_an_unknown_zone_names_the_parameter() -> None:
    with pytest.raises(InvalidInput, match="timezone"):
        windows_of(span(datetime(2026, 1, 1, tzinfo=UTC), days=1), "day", "Mars/Olympus")
