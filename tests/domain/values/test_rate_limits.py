"""A limit is exact in every stretch of time, for each key by itself, however many threads ask."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.values.rate_limits import KEYS_KEPT_MAX, RateLimiter

WINDOW = 60.0


def test_the_limit_is_admitted_and_the_next_one_waits_for_the_first_to_leave_the_window() -> None:
    limiter = RateLimiter(WINDOW)
    assert [limiter.wait_seconds("acme", 3, now) for now in (0.0, 10.0, 20.0)] == [0, 0, 0]
    assert limiter.wait_seconds("acme", 3, 25.0) == 35.0
    assert limiter.wait_seconds("acme", 3, 59.5) == 0.5
    assert limiter.wait_seconds("acme", 3, 60.0) == 0
    assert limiter.wait_seconds("acme", 3, 60.0) == 10.0


def test_each_key_has_a_limit_of_its_own() -> None:
    limiter = RateLimiter(WINDOW)
    assert [limiter.wait_seconds(key, 1, 0.0) for key in ("acme", "other", "acme")] == [0, 0, WINDOW]


def test_a_limit_that_is_lowered_holds_at_once() -> None:
    limiter = RateLimiter(WINDOW)
    for now in (0.0, 1.0, 2.0):
        limiter.wait_seconds("acme", 3, now)
    assert limiter.wait_seconds("acme", 1, 5.0) == 57.0


@given(st.lists(st.floats(0, 40), max_size=60), st.integers(1, 5))
def test_no_window_has_more_than_the_limit_and_none_is_refused_needlessly(gaps: list[float], limit: int) -> None:
    limiter, admitted, now = RateLimiter(WINDOW), list[float](), 0.0
    for gap in gaps:
        now += gap
        recent = [at for at in admitted if at > now - WINDOW]
        wait = limiter.wait_seconds("acme", limit, now)
        assert (wait == 0) == (len(recent) < limit)
        if wait == 0:
            admitted.append(now)
        else:
            assert wait == pytest.approx(recent[-limit] + WINDOW - now)


def test_of_many_threads_at_once_exactly_the_limit_is_admitted() -> None:
    limiter = RateLimiter(WINDOW)
    with ThreadPoolExecutor(16) as threads:
        waits = list(threads.map(lambda number: limiter.wait_seconds("acme", 60, number / 1_000_000), range(2_000)))
    assert (waits.count(0), min(wait for wait in waits if wait) > 59) == (60, True)


def test_idle_keys_are_forgotten_when_there_are_many() -> None:
    limiter = RateLimiter(WINDOW)
    for number in range(KEYS_KEPT_MAX):
        limiter.wait_seconds(number, 1, 0.0)
    assert limiter.wait_seconds("new", 1, 61.0) == 0
    assert len(limiter) == 1
