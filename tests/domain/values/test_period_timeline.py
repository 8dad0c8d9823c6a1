"""Changing period policies: closed periods keep their bounds, the open one is redrawn."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.values.period_timeline import PeriodTimeline, PolicySegment
from domain.values.periods import MICROSECOND, Interval, PeriodPolicy, period_containing, period_policy
from tests.domain.values.period_strategies import instants, policies


@st.composite
def histories(draw: st.DrawFn, most: int = 5) -> list[PolicySegment]:
    """One to `most` changes of policy in order of time, often before a period could close."""
    since = draw(instants(latest=datetime(2190, 1, 1, tzinfo=UTC)))
    gaps = draw(st.lists(st.timedeltas(MICROSECOND, timedelta(days=90)), max_size=most - 1))
    found = [PolicySegment(since, draw(policies))]
    for gap in gaps:
        found.append(PolicySegment(found[-1].effective_from + gap, draw(policies)))
    return found


MONTHLY = period_policy("1mo")
WEEKLY = period_policy("1w")


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def between(start: str, end: str) -> Interval:
    return Interval(day(start), day(end))


def timeline(*changes: tuple[str, PeriodPolicy]) -> PeriodTimeline:
    return PeriodTimeline([PolicySegment(day(since), policy) for since, policy in changes])


@given(policies, instants(), instants())
def test_a_single_segment_applies_to_all_time(policy: PeriodPolicy, since: datetime, instant: datetime) -> None:
    alone = PeriodTimeline([PolicySegment(since, policy)])
    assert alone.containing(instant) == period_containing(policy, instant)


@given(histories(), instants())
def test_a_timeline_partitions_time(history: list[PolicySegment], instant: datetime) -> None:
    periods = PeriodTimeline(history)
    for each in [instant, *(segment.effective_from for segment in history)]:
        period = periods.containing(each)
        assert period.contains(each)
        assert periods.containing(period.start) == period
        assert periods.containing(period.end - MICROSECOND) == period
        assert (periods.before(period).end, periods.after(period).start) == (period.start, period.end)


@given(histories().filter(lambda history: len(history) > 1), st.lists(st.floats(0, 1), max_size=5))
def test_closed_periods_keep_their_bounds_after_a_change(history: list[PolicySegment], moments: list[float]) -> None:
    since, until = history[0].effective_from, history[-1].effective_from
    before, after = PeriodTimeline(history[:-1]), PeriodTimeline(history)
    last_closed = before.before(before.containing(until))
    for period in [last_closed, *(before.containing(since + (until - since) * moment) for moment in moments)]:
        if since < period.end <= until:
            assert after.containing(period.start) == period


@given(histories())
def test_a_new_policy_applies_from_the_end_of_its_first_period(history: list[PolicySegment]) -> None:
    periods, change = PeriodTimeline(history), history[-1]
    own = period_containing(change.policy, change.effective_from)
    assert periods.containing(change.effective_from).end == own.end
    assert periods.containing(own.end) == period_containing(change.policy, own.end)


@given(histories())
def test_the_order_in_which_segments_are_given_does_not_matter(history: list[PolicySegment]) -> None:
    moments = [segment.effective_from for segment in history]
    one, other = PeriodTimeline(history), PeriodTimeline(history[::-1])
    assert [one.containing(moment) for moment in moments] == [other.containing(moment) for moment in moments]


def test_a_shorter_policy_leaves_the_rest_of_the_open_period_as_a_closed_one() -> None:
    changed = timeline(("2026-01-05", MONTHLY), ("2026-03-18", WEEKLY))
    assert list(changed.within(between("2026-02-01", "2026-03-24"))) == [
        between("2026-02-01", "2026-03-01"),
        between("2026-03-01", "2026-03-16"),
        between("2026-03-16", "2026-03-23"),
        between("2026-03-23", "2026-03-30"),
    ]


def test_a_longer_policy_starts_no_earlier_than_the_last_closed_period_ended() -> None:
    changed = timeline(("2026-01-05", WEEKLY), ("2026-03-18", MONTHLY))
    assert list(changed.within(between("2026-03-09", "2026-04-02"))) == [
        between("2026-03-09", "2026-03-16"),
        between("2026-03-16", "2026-04-01"),
        between("2026-04-01", "2026-05-01"),
    ]


def test_the_open_period_is_replaced_if_no_period_has_closed() -> None:
    anchored = period_policy("1mo", "anchored", "UTC", day("2026-01-20"))
    changed = timeline(("2026-02-02", MONTHLY), ("2026-02-05", anchored))
    assert changed.containing(day("2026-02-05")) == between("2026-01-20", "2026-02-20")
    assert changed.containing(day("2026-01-10")) == between("2026-01-01", "2026-01-20")


def test_a_period_that_closed_at_the_first_segment_does_not_count() -> None:
    anchored = period_policy("1mo", "anchored", "UTC", day("2026-01-20"))
    changed = timeline(("2026-02-01", MONTHLY), ("2026-02-05", anchored))
    assert changed.containing(day("2026-02-05")) == between("2026-01-20", "2026-02-20")


def test_the_last_of_two_changes_at_one_instant_wins() -> None:
    changed = timeline(("2026-01-05", MONTHLY), ("2026-03-18", WEEKLY), ("2026-03-18", period_policy("1y")))
    assert changed.containing(day("2026-03-18")) == between("2026-03-01", "2027-01-01")


def test_setting_the_same_policy_again_changes_nothing() -> None:
    changes = [("2026-01-05", WEEKLY), ("2026-03-18", MONTHLY), ("2026-04-20", WEEKLY)]
    again = timeline(*changes, ("2026-04-21", WEEKLY))
    span = between("2025-12-01", "2026-06-01")
    assert list(again.within(span)) == list(timeline(*changes).within(span))


def test_the_last_periods_are_those_that_ended_newest_first() -> None:
    changed = timeline(("2026-01-05", MONTHLY), ("2026-03-18", WEEKLY))
    assert changed.last(3, day("2026-03-23")) == [
        between("2026-03-16", "2026-03-23"),
        between("2026-03-01", "2026-03-16"),
        between("2026-02-01", "2026-03-01"),
    ]
    assert changed.last(0, day("2026-03-23")) == []


def test_no_period_before_the_first_possible_usage_is_listed() -> None:
    yearly = timeline(("2026-01-05", period_policy("1y")))
    assert [period.start.year for period in yearly.last(10, day("1983-06-01"))] == [1982, 1981, 1980]


@given(histories(), instants(), st.integers(1, 6))
def test_the_last_periods_touch_each_other(history: list[PolicySegment], until: datetime, count: int) -> None:
    periods = PeriodTimeline(history)
    found = periods.last(count, until)
    assert [newer.start for newer in found[:-1]] == [older.end for _, older in pairwise(found)]
    assert all(period.end <= until for period in found)
    assert not found or periods.containing(until).start == found[0].end


def test_a_timeline_without_segments_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one segment"):
        PeriodTimeline([])


def test_a_distant_instant_is_found_in_constant_time() -> None:
    every_second = timeline(("1980-01-01", period_policy("1s", "anchored", "UTC", day("1980-01-01"))))
    last = day("2199-12-31")
    assert every_second.containing(last) == Interval(last, last + timedelta(seconds=1))


def moved(at: str, to: str, policy: PeriodPolicy | None = None) -> PeriodTimeline:
    """Months since 5 January, moved by hand."""
    to_day = day(to)
    policy = policy or period_policy("1mo", "anchored", "UTC", to_day)
    return PeriodTimeline([PolicySegment(day("2026-01-05"), MONTHLY), PolicySegment(day(at), policy, to_day)])


def test_periods_moved_back_begin_where_they_were_moved_to_and_end_closed_ones_there() -> None:
    changed = moved("2026-03-25", "2026-02-20")
    assert list(changed.within(between("2026-01-15", "2026-04-01"))) == [
        between("2026-01-01", "2026-02-01"),
        between("2026-02-01", "2026-02-20"),
        between("2026-02-20", "2026-03-20"),
        between("2026-03-20", "2026-04-20"),
    ]


def test_periods_moved_ahead_begin_then_and_the_open_one_runs_until_it() -> None:
    changed = moved("2026-03-25", "2026-05-10")
    assert list(changed.within(between("2026-02-15", "2026-05-11"))) == [
        between("2026-02-01", "2026-03-01"),
        between("2026-03-01", "2026-05-10"),
        between("2026-05-10", "2026-06-10"),
    ]


def test_a_first_period_that_was_given_an_end_is_exactly_that() -> None:
    policy = period_policy("1mo", "anchored", "UTC", day("2026-02-10"), day("2026-03-31"))
    assert list(moved("2026-03-25", "2026-02-10", policy).within(between("2026-02-09", "2026-06-01"))) == [
        between("2026-02-01", "2026-02-10"),
        between("2026-02-10", "2026-03-31"),
        between("2026-03-31", "2026-04-30"),
        between("2026-04-30", "2026-05-31"),
        between("2026-05-31", "2026-06-30"),
    ]


def test_periods_moved_twice_are_where_they_were_moved_last() -> None:
    ahead, back = day("2026-05-10"), day("2026-03-20")
    segments = [PolicySegment(day("2026-01-05"), MONTHLY)]
    for at, to in (("2026-03-25", ahead), ("2026-03-26", ahead + timedelta(days=1)), ("2026-03-27", back)):
        segments.append(PolicySegment(day(at), period_policy("1mo", "anchored", "UTC", to), to))
    assert PeriodTimeline(segments[:3]).containing(day("2026-03-27")) == between("2026-03-01", "2026-05-11")
    assert list(PeriodTimeline(segments).within(between("2026-03-01", "2026-04-01"))) == [
        between("2026-03-01", "2026-03-20"),
        between("2026-03-20", "2026-04-20"),
    ]


@given(
    histories(), st.lists(st.none() | st.timedeltas(timedelta(days=-200), timedelta(days=200)), min_size=5), instants()
)
def test_a_timeline_of_moved_periods_partitions_time(
    history: list[PolicySegment], moves: list[timedelta | None], instant: datetime
) -> None:
    moved_history = [
        PolicySegment(one.effective_from, one.policy, None if by is None else one.effective_from + by)
        for one, by in zip(history, moves, strict=False)
    ]
    periods = PeriodTimeline(moved_history)
    for each in [instant, *(one.moved_to or one.effective_from for one in moved_history)]:
        period = periods.containing(each)
        assert period.contains(each)
        assert periods.containing(period.start) == period
        assert periods.containing(period.end - MICROSECOND) == period
    last = moved_history[-1]
    if last.moved_to is not None and len(moved_history) > 1:
        assert periods.containing(last.moved_to).start == last.moved_to
