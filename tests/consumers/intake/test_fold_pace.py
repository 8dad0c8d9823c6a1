"""Large requests, and a key that fills the log alone, wait for the fold; nothing waits for one that stands still."""

from __future__ import annotations

from concurrent.futures import Future

import pytest

from consumers.intake.fold_pace import STANDSTILL_SECONDS_MAX, FoldPace
from consumers.intake.options import LEAD_MAX, UNFOLDED_EVENTS_MAX, UNFOLDED_SECONDS_MAX, IntakeOptions
from consumers.intake.queue import ItemSlice, PendingRequest
from consumers.intake.requests import IntakeRequest
from consumers.intake.slice_groups import SliceGroup
from domain.scope import DEFAULT_SCOPE
from tests.domain.usage.usage_event_texts import NDJSON, RECORDED_AT


class Fold:
    """A fold, and a clock."""

    def __init__(self, position: int | None) -> None:
        self.position = position
        self.now = 0.0

    def pace(self) -> FoldPace:
        return FoldPace(lambda: self.position, lambda: self.now)


def pending(items: int, key: str = "key") -> PendingRequest:
    request = IntakeRequest(DEFAULT_SCOPE, NDJSON, b"", key=key)
    return PendingRequest(request, Future(), items, started=True, items=[b"0"] * items)


def appended(pace: FoldPace, position: int, events: int, key: str = "key") -> None:
    group = SliceGroup(RECORDED_AT, 7, IntakeOptions())
    group.slices.append(ItemSlice(pending(events, key), [b"0"] * events, events))
    group.events = group.size_bytes = events
    pace.appended([position], group)


def test_large_requests_wait_while_much_is_unfolded_and_small_ones_of_other_keys_do_not() -> None:
    fold = Fold(0)
    pace = fold.pace()
    appended(pace, 1, UNFOLDED_EVENTS_MAX - 1)
    assert not pace.must_wait(pending(5_000, "other"))
    appended(pace, 2, 1)
    assert pace.must_wait(pending(5_000, "other"))
    assert not pace.must_wait(pending(1, "other"))
    fold.position = 1
    assert not pace.must_wait(pending(5_000, "other"))


def test_a_key_that_fills_the_log_alone_waits_with_its_small_requests_too() -> None:
    fold = Fold(0)
    pace = fold.pace()
    appended(pace, 1, UNFOLDED_EVENTS_MAX, "greedy")
    assert pace.must_wait(pending(1, "greedy"))
    assert not pace.must_wait(pending(1, "modest"))
    fold.position = 1
    assert not pace.must_wait(pending(1, "greedy"))


def test_nothing_waits_for_a_fold_that_stands_still() -> None:
    fold = Fold(0)
    pace = fold.pace()
    appended(pace, 1, UNFOLDED_EVENTS_MAX)
    appended(pace, 2, UNFOLDED_EVENTS_MAX)
    assert pace.must_wait(pending(5_000))
    fold.now = STANDSTILL_SECONDS_MAX / 2
    fold.position = 1
    assert pace.must_wait(pending(5_000))
    fold.now += STANDSTILL_SECONDS_MAX * 0.9
    assert pace.must_wait(pending(5_000))
    fold.now += STANDSTILL_SECONDS_MAX * 0.2
    assert not pace.must_wait(pending(5_000))


def test_nothing_waits_where_the_position_of_the_fold_is_not_known() -> None:
    pace = Fold(None).pace()
    appended(pace, 1, 10 * UNFOLDED_EVENTS_MAX)
    assert not pace.must_wait(pending(5_000))


def folded_each(fold: Fold, pace: FoldPace, seconds: float, appends: int = 40) -> None:
    """Half a load is appended again and again, and folded in so many seconds, always with another one behind it."""
    appended(pace, 1, UNFOLDED_EVENTS_MAX // 2)
    for position in range(2, appends):
        appended(pace, position, UNFOLDED_EVENTS_MAX // 2)
        fold.now += seconds
        fold.position = position - 1
        pace.must_wait(pending(5_000))


def test_a_quick_fold_gets_as_much_as_it_folds_in_the_time_that_a_single_event_may_wait() -> None:
    fold = Fold(0)
    pace = fold.pace()
    assert pace.lead == 1.0
    folded_each(fold, pace, UNFOLDED_SECONDS_MAX / 1.25 / 2)
    assert pace.lead == pytest.approx(1.25, rel=0.05)
    appended(pace, 100, int(0.4 * UNFOLDED_EVENTS_MAX))
    assert not pace.must_wait(pending(5_000))
    appended(pace, 101, int(1.2 * UNFOLDED_EVENTS_MAX))
    assert pace.must_wait(pending(5_000))


def test_however_quick_and_however_slow_the_fold_its_lead_has_bounds() -> None:
    quick, slow = Fold(0), Fold(0)
    quick_pace, slow_pace = quick.pace(), slow.pace()
    folded_each(quick, quick_pace, UNFOLDED_SECONDS_MAX / 1_000)
    folded_each(slow, slow_pace, UNFOLDED_SECONDS_MAX * 10)
    assert (quick_pace.lead, slow_pace.lead) == (LEAD_MAX, 1.0)


def test_a_fold_that_had_nothing_more_to_do_is_not_taken_for_slow() -> None:
    fold = Fold(0)
    pace = fold.pace()
    folded_each(fold, pace, UNFOLDED_SECONDS_MAX / 1.25 / 2)
    fold.position, fold.now = 39, fold.now + 1
    assert not pace.must_wait(pending(1))
    for position in range(40, 80):
        appended(pace, position, UNFOLDED_EVENTS_MAX // 2)
        fold.position, fold.now = position, fold.now + 1  # looked at a second later
    assert pace.lead == pytest.approx(1.25, rel=0.05)
